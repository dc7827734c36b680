"""Time stamps of a recording as they should have been: strictly increasing seconds (pure)."""

from __future__ import annotations

_TICK_S = 0.001
"""Distance given to pictures whose stamps repeat or step back a little: small enough not to push the next good stamp away."""
_STEP_BACK_S = 0.5
"""Stamps that step back further than this start a new count (files joined end to end); nearer ones are out of order."""
_JUMP_S = 3600.0
"""A step forward beyond this is a fault of the stamps: counters of 32 and 33 bits at 90 kHz wrap after 13 and 26 hours."""


class Timeline:
    """Places one stamp after the other; a good stamp stays as it is.

    ``step_s`` is the usual distance of two pictures, used where stamps are missing or their count starts anew.
    """

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._offset_s = 0.0
        self._last: float | None = None
        self.missing = 0
        """Pictures without a stamp."""
        self.repeated = 0
        """Pictures whose stamp was not later than the one before."""
        self.jumps = 0
        """How often the stamps started a new count."""

    def place(self, stamp_s: float | None) -> float:
        """Give the time of the next picture, seconds, later than all before; ``stamp_s`` is its stamp, None if it has none."""
        if self._last is None:
            self.missing += stamp_s is None
            t = stamp_s or 0.0
        else:
            t = self._after(self._last, stamp_s)
        self._last = t
        return t

    def _after(self, last: float, stamp_s: float | None) -> float:
        if stamp_s is None:
            self.missing += 1
            return last + self._step_s
        t = stamp_s + self._offset_s
        if t <= last - _STEP_BACK_S or t > last + _JUMP_S:
            self.jumps += 1
            self._offset_s = last + self._step_s - stamp_s
            return last + self._step_s
        if t <= last:
            self.repeated += 1
            return last + _TICK_S
        return t
