"""``plate-streamer run``: the daemon in the foreground, with its signals."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from logging import getLogger
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING

from streamer.config_file import load_config
from streamer.events import Event, to_line
from streamer.notify import Notifier
from streamer.sources.usb import prepare_environment

if TYPE_CHECKING:
    from streamer.daemon import Daemon

_log = getLogger(__name__)

TICK_S = 0.5
SAME_SIGNAL_S = 1.0
"""A signal so soon after the first is the same wish: timeout(1) and some shells send it to the process and to its group."""
UNCLEAN = 3
"""Exit code: a thread did not end in time."""


def run_daemon(file: Path, *, out: Path | None, as_json: bool) -> int:
    """Run until SIGTERM or SIGINT: open passages then become events. A second signal ends the program at once; SIGHUP reloads.

    Returns:
        0, or 3 if a thread did not end in time.

    Raises:
        UsageError, WeightsError, MissingPackageError, StoreError, SinkError: it cannot start.
    """
    # OpenCV reads it when it is imported, so it comes before the daemon's own imports.
    prepare_environment()
    from streamer.daemon import Daemon, modified

    read_at = modified(file)  # before it is read: a change in between must be noticed
    config = load_config(file)
    stop, reload = threading.Event(), threading.Event()
    notifier = Notifier()
    with _signals(stop, reload):
        daemon = Daemon(
            config, out or config.events.directory, file=file, read_at=read_at, on_event=_print if as_json else lambda event: None
        )
        daemon.start()
        notifier.ready()
        _log.info("running with %d cameras; health: %s", len(config.cameras), daemon.address or "off")
        try:
            _watch(daemon, stop, reload, notifier, config.live.reload_poll_s)
        finally:
            notifier.stopping()
            left = daemon.stop()
    if left:
        _log.error("did not end in time: %s", ", ".join(left))
        return UNCLEAN
    _log.info("stopped")
    return 0


def _watch(daemon: Daemon, stop: threading.Event, reload: threading.Event, notifier: Notifier, poll_s: float) -> None:
    from streamer.live.health_state import needs_restart

    looked = fed = monotonic()
    while not stop.wait(TICK_S):
        daemon.tick()
        now = monotonic()
        if reload.is_set() or (poll_s > 0 and now - looked >= poll_s and daemon.changed()):
            reload.clear()
            notifier.reloading()
            daemon.reload()
            notifier.ready()
        if now - looked >= poll_s:
            looked = now
        if notifier.watchdog_interval_s is not None and now - fed >= notifier.watchdog_interval_s / 2:
            fed = now
            trouble = needs_restart(daemon.health())
            if trouble:
                _log.error("the watchdog is not fed: %s", "; ".join(trouble))
            else:
                notifier.watchdog()


@contextmanager
def _signals(stop: threading.Event, reload: threading.Event) -> Iterator[None]:
    """Let the first SIGTERM or Ctrl-C drain, the second end the program at once, and SIGHUP reload."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    first: list[float] = []

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()
        if not first:
            first.append(monotonic())
        elif monotonic() - first[0] > SAME_SIGNAL_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def read_again(number: int, frame: FrameType | None) -> None:
        reload.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, read_again)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(event: Event) -> None:
    sys.stdout.write(to_line(event) + "\n")
    sys.stdout.flush()
