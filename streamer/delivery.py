"""Feeds sinks from the store: at least once, in order. The log by a plain function, every other sink by a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from logging import getLogger
from typing import TYPE_CHECKING, Final

from streamer.courier import SAVE_EVERY_S, Courier
from streamer.outgoing import SinkSnapshot
from streamer.ports import Sink

if TYPE_CHECKING:
    from streamer.store import Store

_log = getLogger(__name__)

BATCH = 200
"""Events a write."""
POLL_S: Final = 5.0
"""So often an idle sink looks for what it was not told of: another program may write to the same store."""
CLOSE_S: Final = 1.0
"""What ending takes beside the sink's own patience."""


def deliver_pending(store: Store, sink: Sink, name: str, batch: int = BATCH) -> int:
    """Hand a sink all events that it has not had yet.

    The cursor moves after each write, so events are repeated, never lost, if the program dies in between.

    Args:
        store: where the events are.
        sink: who takes them.
        name: names the sink's cursor in the store.
        batch: events a write at most.

    Returns:
        How many were delivered.

    Raises:
        SinkError: the sink did not take a batch; the next call tries it again.
        StoreError: the store cannot be read or written.
    """
    delivered = 0
    cursor = store.cursor(name)
    while events := store.read_after(cursor, batch):
        sink.write([event.line for event in events])
        cursor = events[-1].sequence
        store.move_cursor(name, cursor)
        delivered += len(events)
    return delivered


class SinkThread:
    """Brings one sink its events, whatever the others do. All methods from any thread."""

    def __init__(
        self,
        name: str,
        courier: Courier,
        *,
        patience_s: float,
        poll_s: float = POLL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take built parts.

        Args:
            name: of the sink.
            courier: does the work.
            patience_s: how long the sink may take when nobody answers, seconds.
            poll_s: how often an idle sink looks for more.
            clock: monotonic seconds.
        """
        self._name = name
        self._courier = courier
        self._patience_s = patience_s
        self._poll_s = poll_s
        self._clock = clock
        self._changed = threading.Condition()
        self._woken = False
        self._closing = False
        self._deadline = float("inf")
        self._thread = threading.Thread(target=self._run, name=f"sink {name}", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def wake(self, sequence: int) -> None:
        """Take that the store has events up to this one; never waits for the sink."""
        self._courier.tell(sequence)
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def stop(self, drain_s: float) -> bool:
        """Deliver what there is, for so many seconds at most, and end; False if the sink hangs. What is left comes after the next start.

        A sink that fails gets one attempt more. In every state, also before ``start``; idempotent.
        """
        with self._changed:
            if self._closing:
                return not self._thread.is_alive()
            self._closing, self._deadline = True, self._clock() + drain_s
            self._changed.notify_all()
        if self._thread.ident is None:
            self._courier.end()
            return True
        self._thread.join(drain_s + 2 * self._patience_s + CLOSE_S)
        left = self.snapshot()
        if left.lag_events:
            _log.warning("sink %s: %d events are left for the next start%s", self._name, left.lag_events, _why(left))
        return not left.alive

    def snapshot(self) -> SinkSnapshot:
        """Say how it goes."""
        return self._courier.snapshot(alive=self._thread.is_alive())

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        except BaseException:  # noqa: BLE001 (told, and seen in the snapshot: a fault of one sink must cost nobody else anything)
            _log.exception("sink %s: its thread has ended unexpectedly", self._name)
        finally:
            self._courier.end()

    def _turn(self) -> bool:
        """Deliver what there is, then wait; False at the end."""
        with self._changed:
            last = self._closing  # what was recorded before it was told to end is read once more
            self._woken = False
        wait_s = self._courier.run(self._no_time_left)
        with self._changed:
            if last:
                return False
            if wait_s is None:
                poll_s = min(self._poll_s, SAVE_EVERY_S) if self._courier.has_to_save else self._poll_s
                self._changed.wait_for(lambda: self._woken or self._closing, poll_s)
            else:
                self._changed.wait_for(lambda: self._closing, wait_s)
        return True

    def _no_time_left(self) -> bool:
        return self._closing and self._clock() >= self._deadline


class SinkThreads:
    """All sinks of a program."""

    def __init__(self, threads: Sequence[SinkThread]) -> None:
        self._threads = tuple(threads)

    def start(self) -> None:
        """Begin to deliver."""
        for thread in self._threads:
            thread.start()

    def wake(self, sequence: int) -> None:
        """Take that the store has events up to this one."""
        for thread in self._threads:
            thread.wake(sequence)

    def stop(self, drain_s: float) -> list[str]:
        """End all of them, at the same time; gives the names of threads that did not end."""
        ended: dict[str, bool] = {}

        def stop(thread: SinkThread) -> None:
            ended[thread.snapshot().name] = thread.stop(drain_s)

        helpers = [threading.Thread(target=stop, args=(thread,), name="stop sink", daemon=True) for thread in self._threads]
        for helper in helpers:
            helper.start()
        for helper in helpers:
            helper.join()
        return [f"sink {name}" for name, done in sorted(ended.items()) if not done]

    def snapshots(self) -> tuple[SinkSnapshot, ...]:
        """Say how each of them goes."""
        return tuple(thread.snapshot() for thread in self._threads)


def _why(left: SinkSnapshot) -> str:
    return f": {left.failure}" if left.failure is not None else ""
