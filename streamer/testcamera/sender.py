"""The thread that sends a camera's pictures to one client, each when it is due."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from streamer.testcamera.camera import Camera
from streamer.testcamera.faults import State

logger = logging.getLogger(__name__)

LATE_S = 0.5
"""A client that is further behind gets no backlog: what is overdue is skipped, up to the next key picture."""

_PATIENCE_S = 0.25
"""Longest wait for a picture without asking again when it is due: the rate may have changed."""


class Stream(Protocol):
    """How pictures become bytes for one client. Used by one thread. Raises OSError when the client is gone."""

    def tell(self, number: int, faults: State) -> None:
        """Be told that a picture is due, before it is sent, and even if it is not."""

    def send(self, index: int, faults: State) -> None:
        """Send a picture of the clip, or what the faults make of it."""

    def end(self) -> None:
        """Say that nothing more will come."""

    def close(self) -> None:
        """Release sockets of its own."""


class Sender:
    """Sends to one client until it is stopped, the client is gone or the clip is over.

    Losing a client is not an error: the next one gets a sender of its own.
    """

    def __init__(self, camera: Camera, stream: Stream, on_end: Callable[[], None]) -> None:
        """Prepare; ``on_end`` is called, in the sender's thread, when the clip is over or the client is gone."""
        self._camera = camera
        self._stream = stream
        self._on_end = on_end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"test camera {camera.name} sender", daemon=True)
        self._byes = camera.faults.state.byes
        self._needs_key = True
        self._shown: int | None = None  # the key picture that a frozen camera repeats

    def start(self) -> None:
        """Begin. Once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait for the thread; end the connection before, or the thread may be waiting for the client."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._stream.close()

    def _run(self) -> None:
        self._camera.note_client(1)
        try:
            self._send_all()
        except OSError as error:
            logger.debug("the client of %s is gone: %s", self._camera.name, error)
        finally:
            self._camera.note_client(-1)
        if not self._stop.is_set():
            self._on_end()

    def _send_all(self) -> None:
        timeline = self._camera.timeline
        timeline.start()
        number = timeline.next_number(time.monotonic() - 0.01)  # the first client of all is to see picture 0
        while True:
            late = time.monotonic() - timeline.due(number)
            if late < 0:
                if self._stop.wait(min(-late, _PATIENCE_S)):
                    return
            elif timeline.is_over(number):
                break
            elif late > LATE_S:
                next_number = timeline.next_number(time.monotonic())
                self._camera.note_skipped(next_number - number)
                number, self._needs_key = next_number, True
            else:
                if not self._turn(number) or self._stop.is_set():
                    return
                number += 1
        self._stream.end()

    def _turn(self, number: int) -> bool:
        """Send a picture, or what the faults make of it; False at the end."""
        faults = self._camera.faults.state
        if faults.byes > self._byes:
            self._stream.end()
            self._stop.wait()
            return False
        if faults.stalled:
            self._needs_key = True
            return True
        self._stream.tell(number, faults)
        index = self._choose(number % len(self._camera.clip), faults)
        if index is not None:
            at = time.monotonic()
            self._stream.send(index, faults)
            self._camera.note_sent(number, at)
        return True

    def _choose(self, index: int, faults: State) -> int | None:
        """Give which picture of the clip goes out; None: none."""
        units = self._camera.clip.units
        if faults.no_video:
            self._needs_key = True
            return None
        if faults.frozen:
            self._needs_key = True  # the pictures after it build upon others than the one that is repeated
            if self._shown is None:
                self._shown = next(at for at in range(index, -1, -1) if units[at].key)
            return self._shown
        if units[index].key:
            self._needs_key, self._shown = False, index
        return None if self._needs_key else index
