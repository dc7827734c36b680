"""What capture threads and the one inference thread share: the only place where frames are dropped, and counted."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from streamer.types import Frame, RawFrame, SessionEnd

F = TypeVar("F", Frame, RawFrame)
"""Recorded sources offer frames, live ones frames that are not converted yet."""


@dataclass(slots=True)
class _Box(Generic[F]):
    """What one source has offered and nobody has taken yet, oldest first."""

    live: bool
    items: deque[F | SessionEnd] = field(default_factory=deque)
    frames: int = 0
    """Frames among the items; of a live source at most one."""
    done: bool = False
    connected: bool = False
    """Its last item was a frame, so that another is to be expected."""

    def expects_more(self, depth: int) -> bool:
        """Say whether the next frame may come soon and would not take the place of one that waits."""
        if self.done:
            return False
        return self.connected and not self.frames if self.live else self.frames < depth

    def drop_waiting_frame(self) -> bool:
        """Forget the frame of a live source that waits, if one does; ends of sessions stay, in order."""
        if not self.frames:
            return False
        self.items = deque(item for item in self.items if isinstance(item, SessionEnd))
        self.frames = 0
        return True

    def pop_frame_and_ends(self) -> list[F | SessionEnd]:
        """Take the oldest frame, with the ends of sessions before it and right behind it."""
        taken: list[F | SessionEnd] = []
        has_frame = False
        while self.items and not (has_frame and not isinstance(self.items[0], SessionEnd)):
            item = self.items.popleft()
            has_frame = has_frame or not isinstance(item, SessionEnd)
            taken.append(item)
        self.frames -= has_frame
        return taken


class Mailbox(Generic[F]):
    """Hands frames of many sources to one consumer.

    Of a **live** source only the newest frame waits; a newer one replaces it, and ``dropped`` counts. A **file** source
    waits in ``put`` until one of its ``depth`` places is free, so nothing of it is lost. A SessionEnd is never dropped,
    never waits for room, and stays behind the frames of its session. One condition wakes everybody: nobody polls. Live sources
    may come and go.
    """

    def __init__(
        self,
        *,
        live: Iterable[str] = (),
        files: Iterable[str] = (),
        depth: int = 8,
        clock: Callable[[], float] = time.monotonic,
        on_replaced: Callable[[str], None] = lambda source_id: None,
    ) -> None:
        """``on_replaced`` is told, in the putting thread, of each frame of a live source that a newer one replaced."""
        self._boxes: dict[str, _Box[F]] = {source_id: _Box(live=True) for source_id in live}
        self._boxes |= {source_id: _Box(live=False) for source_id in files}
        self._on_replaced = on_replaced
        self._depth = depth
        self._clock = clock
        self._closed = False
        self._changed = threading.Condition()
        self.dropped: Counter[str] = Counter()
        """Frames of each live source that a newer one replaced."""

    def add(self, source_id: str) -> None:
        """Let a live source in. Raises ValueError if it is there already."""
        with self._changed:
            if source_id in self._boxes:
                raise ValueError(f"{source_id} is in the mailbox already")
            self._boxes[source_id] = _Box(live=True)

    def remove(self, source_id: str) -> list[SessionEnd]:
        """Forget a source; gives the ends of its sessions that nobody has taken. What it offers from now on nobody takes."""
        with self._changed:
            box = self._boxes.pop(source_id, None)
            self._changed.notify_all()
            return [] if box is None else [item for item in box.items if isinstance(item, SessionEnd)]

    def put(self, item: F | SessionEnd) -> bool:
        """Offer a frame or the end of a session; False means that nobody will take it any more, so stop reading."""
        is_frame = not isinstance(item, SessionEnd)
        with self._changed:
            box = self._boxes.get(item.source_id)
            if box is None:
                return False
            if is_frame:
                if not box.live:
                    self._changed.wait_for(lambda: self._closed or box.frames < self._depth)
                elif box.drop_waiting_frame():
                    self.dropped[item.source_id] += 1
                    self._on_replaced(item.source_id)
            if self._closed:
                return False
            box.items.append(item)
            box.connected = is_frame
            box.frames += is_frame
            self._changed.notify_all()
            return True

    def done(self, source_id: str) -> None:
        """Say that nothing more will come from this source; what it left is still served."""
        with self._changed:
            self._boxes[source_id].done = True
            self._changed.notify_all()

    def close(self) -> None:
        """Stop now: forget what waits and wake every thread. Any thread, any number of times."""
        with self._changed:
            self._closed = True
            for box in self._boxes.values():
                box.items.clear()
                box.frames = 0
            self._changed.notify_all()

    def take(self, limit: int, window_s: float, wait_s: float | None = None) -> list[F | SessionEnd]:
        """Wait for something, then up to ``window_s`` for more; empty means that there will never be anything again.

        With ``wait_s``, it waits for something at most that long, even where all sources have ended, and empty means that nothing came.

        At most ``limit`` frames: one per live source, consecutive ones per file source, in turn, so that a small limit starves
        nobody. Items of one source come in order. Only sources that can still add something are waited for: not those
        that ended, not live ones between two sessions.
        """
        with self._changed:
            if wait_s is None:
                self._changed.wait_for(self._has_something_or_ended)
            elif not self._changed.wait_for(self._has_something_or_closed, wait_s):
                return []
            deadline = self._clock() + window_s
            while self._frames() < limit and any(box.expects_more(self._depth) for box in self._boxes.values()) and not self._closed:
                left = deadline - self._clock()
                if left <= 0 or not self._changed.wait(left):
                    break
            taken = self._pick(limit)
            self._changed.notify_all()
            return taken

    def _has_something_or_closed(self) -> bool:
        return self._closed or any(box.items for box in self._boxes.values())

    def _has_something_or_ended(self) -> bool:
        return self._has_something_or_closed() or all(box.done for box in self._boxes.values())

    def _frames(self) -> int:
        return sum(box.frames for box in self._boxes.values())

    def _pick(self, limit: int) -> list[F | SessionEnd]:
        taken: list[F | SessionEnd] = []
        left = limit
        served = True
        while served:
            served = False
            for source_id, box in list(self._boxes.items()):
                if not box.items or (left == 0 and box.frames):
                    continue
                items = box.pop_frame_and_ends()
                taken += items
                left -= sum(not isinstance(item, SessionEnd) for item in items)
                served = True
                self._boxes[source_id] = self._boxes.pop(source_id)  # to the end of the queue: next time others come first
        return taken
