"""How long libav may take over one call, and how another thread ends it early.

A blocked libav call cannot be ended from Python: closing its container from another thread crashes the process, and PyAV's time-out is
fixed before the call begins. But libav asks, every few milliseconds and in the very thread that is blocked, whether to go on, and PyAV
answers by comparing ``time.monotonic()`` with that time-out (av/container/core.py, ``interrupt_cb``). So the clock that PyAV looks at is
replaced by one that leaps ahead as soon as this thread's patience has run out: libav then gives up by itself, cleanly, with everything
released by the thread that owns it. Other threads see the true time. Should a later PyAV look at another clock, its own time-outs still
hold, of which opening needs two in turn; tests/test_network_source.py would tell.

Not covered, because libav does not ask there: resolving a host name, see ``network_errors.resolve``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_LEAP_S: Final = 1e9
"""Each look at the clock leaps by so much more: it matters only that every one is later than the time-out that was begun before."""

_current = threading.local()


class Patience:
    """The limit of the calls of one camera. ``limit`` in the reading thread, ``interrupt`` in any."""

    def __init__(self) -> None:
        self._interrupted = threading.Event()
        self._deadline = 0.0
        self._leap_s = 0.0

    @property
    def interrupted(self) -> bool:
        """Somebody wants the call to end, and all later ones not to begin."""
        return self._interrupted.is_set()

    def interrupt(self) -> None:
        """End the call that is blocked, within libav's own polling (about 0.1 s), and all later ones. Any thread, any state."""
        self._interrupted.set()

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Let the libav calls inside, all together, take so long. Not nested."""
        install()
        self._deadline = time.monotonic() + seconds
        self._leap_s = 0.0
        _current.patience = self
        try:
            yield
        finally:
            _current.patience = None

    @property
    def left_s(self) -> float:
        """Seconds until the last limit's end."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def ran_out(self) -> bool:
        """The last limit has been reached, or somebody interrupted."""
        return self._interrupted.is_set() or time.monotonic() >= self._deadline

    def monotonic(self) -> float:
        """Give the time, far ahead once patience has run out; it grows at every look."""
        now = time.monotonic()
        if self._interrupted.is_set() or now >= self._deadline:
            self._leap_s += _LEAP_S
        return now + self._leap_s


class _WatchedTime:
    """Stands for the module ``time`` in av.container.core."""

    def monotonic(self) -> float:
        patience: Patience | None = getattr(_current, "patience", None)
        return time.monotonic() if patience is None else patience.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


_watched_time: Final = _WatchedTime()


def install() -> None:
    """Give PyAV the clock that knows of patience; once is enough."""
    import av.container.core

    av.container.core.time = _watched_time  # type: ignore[attr-defined]
