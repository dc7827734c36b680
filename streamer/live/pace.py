"""Which frames of a camera are worth analysing now: not more than asked for, not more than a busy machine can, few while nothing moves."""

from __future__ import annotations

from collections.abc import Callable

from streamer.live.stats import DropCause

EARLY = 0.25
"""A frame may come so early, in steps of the rate: cameras jitter, and a frame that is a millisecond early must not cost its turn."""


class Pace:
    """Chooses frames of one camera. One thread asks; ``limit`` may be set by another."""

    def __init__(self, max_fps: float, idle_interval_s: float) -> None:
        """``max_fps``: frames a second while something moves; ``idle_interval_s``: seconds from frame to frame while nothing does."""
        self._max_fps = max_fps
        self._idle_interval_s = idle_interval_s
        self._due: float | None = None
        self._last: float | None = None
        self.idle = False
        """Nothing moved when it was looked at last."""
        self.limit_fps: float | None = None
        """What a busy machine allows; None: no limit."""

    @property
    def wanted_fps(self) -> float:
        """Frames a second that would be analysed if the machine had nothing else to do."""
        return min(self._max_fps, 1.0 / self._idle_interval_s) if self.idle else self._max_fps

    def leave_out(self, now: float, moves: Callable[[], bool]) -> DropCause | None:
        """Say why the frame that came at ``now`` (seconds) is left out; None if it is to be analysed.

        ``moves`` says whether anything moves in it, and is asked only of frames whose turn it is.
        """
        step_s = 1.0 / min(self._max_fps, self.limit_fps or self._max_fps)
        if self._due is not None and now < self._due - EARLY * step_s:
            return "rate"
        self._due = now + step_s if self._due is None or now > self._due + step_s else self._due + step_s
        self.idle = not moves()
        # A step's worth of tolerance here, too: else an interval that is a multiple of the step would slip by one.
        if self.idle and self._last is not None and now - self._last < self._idle_interval_s - EARLY * step_s:
            return "idle"
        self._last = now
        return None
