"""When a live frame was: the camera's time stamps while they are sane, arrival when they are not. Pure: it reads no clock.

Three clocks come in, none of which can be trusted alone. The camera's stamps are even, but jump, stand still or run at a wrong rate
(facts: a camera may stamp 25 frames a second and send 21). Arrival is always true, but bunched: after a stall of the network many frames
come at once, which is no fault of the stamps. So stamps are judged by their *delay*, arrival minus stamp, whose floor is the quiet
network: a frame may be late by any time, but earlier than the floor it can only be if its stamp jumped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

TICK_S: Final = 0.001
"""Two frames of a session are at least so far apart in ``t``: the clock of MP4 and a ninetieth of RTP's would both do."""
STEP_BACK_S: Final = 0.25
"""Stamps out of order by less are the jitter of a sloppy camera, by more a new count."""
EARLY_S: Final = 1.0
"""A frame that comes so much before the floor of the delay has a stamp that jumped."""
DRIFT: Final = 0.01
"""The floor may rise by this share of the time: quartz clocks err by a ten-thousandth, a slowly filling queue by more."""
RATE_WINDOW_S: Final = 10.0
RATE_OFF: Final = 0.1
"""Stamps that run this share too fast or too slow over two windows after one another are not used any more."""
STILL_S: Final = 2.0
"""Without a stamp that moves for so long, arrival is used."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When one frame was."""

    t: float
    """Seconds since the session's first frame, strictly increasing."""
    wall: datetime
    """UTC, aware; never earlier than the frame before in its session."""
    clock: Literal["rtcp", "arrival"]
    """Where ``wall`` comes from: the camera's own clock, or arrival here."""
    offset_s: float | None
    """Seconds from exposure by the camera's clock to arrival, as measured, believed or not; None if the camera does not tell its clock."""
    new_session: bool
    """The clocks jumped: what came before cannot be continued, and this frame is the first of a new session."""
    why: str
    """Why there is a new session, for people; empty otherwise."""


class LiveClock:
    """Times the frames of one connection; make a new one for each. Not thread-safe.

    ``max_clock_skew_s``: the camera's own clock is believed if it is no further from this machine's.
    """

    def __init__(self, max_clock_skew_s: float) -> None:
        self._max_skew_s = max_clock_skew_s
        self._last: Moment | None = None
        self._arrived_at = 0.0
        self._stamps = _Stamps()
        self._base_s: float | None = None
        """What makes ``t`` of a stamp (or of an arrival, once those are used); None: the next one decides."""
        self._fallback: str | None = None
        self.repaired = 0
        """Frames of usable stamps whose own was missing, repeated or out of order."""

    @property
    def fallback(self) -> str | None:
        """Why arrival is used instead of the stamps from some frame of this connection on, for people; None while stamps are used."""
        return self._fallback

    @property
    def frozen_s(self) -> float:
        """For how long the stamps have stood still, or been missing, while pictures came; 0.0 if they have never moved."""
        return self._stamps.still_s(self._arrived_at) if self._stamps.moved else 0.0

    @property
    def source(self) -> Literal["rtcp", "arrival"]:
        """Where the last frame's ``wall`` comes from."""
        return "arrival" if self._last is None else self._last.clock

    @property
    def offset_s(self) -> float | None:
        """The last frame's, see ``Moment``."""
        return None if self._last is None else self._last.offset_s

    def place(self, stamp_s: float | None, arrived_at: float, arrived: datetime, exposed: datetime | None) -> Moment:
        """Time the next frame; every frame gets its moment.

        Args:
            stamp_s: The camera's stamp as it came, seconds; None if it has none.
            arrived_at: Monotonic seconds when it came; not before the frame before.
            arrived: The same moment, UTC, aware.
            exposed: When it was taken by the camera's own clock, UTC, aware; None if the camera does not tell.
        """
        arrived_at = max(arrived_at, self._arrived_at) if self._last else arrived_at
        jump = self._judge(stamp_s, arrived_at)
        # What the camera's clock says is worked out of the stamp, so it stands still with it.
        wall, clock, offset_s = self._wall(arrived, None if self._stamps.repeated else exposed)
        if self._last is not None:
            back_s = (self._last.wall - wall).total_seconds()
            if back_s > self._max_skew_s:
                jump = jump or f"the wall clock went back by {back_s:.1f} s"
            elif not jump:
                wall = max(wall, self._last.wall)
        usable_s = None if self._stamps.repeated else stamp_s
        t = self._t(usable_s, arrived_at, first=bool(jump) or self._last is None)
        self._arrived_at = arrived_at
        self._last = Moment(t, wall, clock, offset_s, bool(jump), jump)
        return self._last

    def _judge(self, stamp_s: float | None, arrived_at: float) -> str:
        """Give what jumped, and leave the stamps for good once they are no use."""
        jump = self._stamps.judge(stamp_s, arrived_at)
        if self._fallback is not None:
            return ""  # nobody uses them any more
        self._fallback = self._stamps.unusable(arrived_at)
        if self._fallback is not None:
            self._base_s = None
            return ""
        return jump

    def _wall(self, arrived: datetime, exposed: datetime | None) -> tuple[datetime, Literal["rtcp", "arrival"], float | None]:
        if exposed is None:
            return arrived, "arrival", None
        offset_s = (arrived - exposed).total_seconds()
        return (exposed, "rtcp", offset_s) if abs(offset_s) <= self._max_skew_s else (arrived, "arrival", offset_s)

    def _t(self, stamp_s: float | None, arrived_at: float, *, first: bool) -> float:
        """Give the time in the session: by the clock in use, but always after the frame before."""
        value = stamp_s if self._fallback is None else arrived_at
        if first or self._last is None:
            if value is not None:
                self._base_s = value
            return 0.0
        next_s = self._last.t + max(TICK_S, arrived_at - self._arrived_at)
        if value is None:
            self.repaired += 1
            self._base_s = None
            return next_s
        if self._base_s is None:
            self._base_s = value - next_s
        t = value - self._base_s
        if t < self._last.t + TICK_S:
            self.repaired += self._fallback is None
            t = self._last.t + TICK_S
        return t


class _Stamps:
    """Judges a camera's stamps by when they come."""

    def __init__(self) -> None:
        self.moved = False
        """There were at least two different ones."""
        self.repeated = False
        """The last one is that of the frame before."""
        self._stamp_s: float | None = None
        self._arrived_at = 0.0
        self._moved_at: float | None = None
        self._floor_s = 0.0
        self._rate = _Rate()

    def judge(self, stamp_s: float | None, arrived_at: float) -> str:
        """Take the next frame's; give what jumped, empty if nothing did."""
        if self._moved_at is None:
            self._moved_at = arrived_at
        self.repeated = stamp_s is not None and stamp_s == self._stamp_s
        if stamp_s is None:
            return ""
        delay_s = arrived_at - stamp_s
        last_s, self._stamp_s = self._stamp_s, stamp_s
        since_s = arrived_at - self._arrived_at
        self._arrived_at = arrived_at
        if last_s is None:
            return self._restart(delay_s, arrived_at)
        if not self.repeated:
            self.moved = True
            self._moved_at = arrived_at
        if stamp_s < last_s - STEP_BACK_S or delay_s < self._floor_s - EARLY_S:
            self._restart(delay_s, arrived_at)
            return f"time stamps jumped by {stamp_s - last_s:+.1f} s in {since_s:.1f} s"
        self._floor_s = min(delay_s, self._floor_s + DRIFT * since_s)
        self._rate.add(delay_s, arrived_at)
        return ""

    def still_s(self, now: float) -> float:
        """Give for how long no stamp has moved."""
        return 0.0 if self._moved_at is None else now - self._moved_at

    def unusable(self, now: float) -> str | None:
        """Say why they cannot be used; None if they can."""
        if self.still_s(now) > STILL_S:
            return "time stamps stand still" if self._stamp_s is not None else "there are no time stamps"
        off = self._rate.off
        return None if off is None else f"time stamps run {abs(off):.0%} too {'slow' if off > 0 else 'fast'}"

    def _restart(self, delay_s: float, arrived_at: float) -> str:
        self._floor_s = delay_s
        self._moved_at = arrived_at
        self._rate = _Rate()
        return ""


class _Rate:
    """How fast the least delay of a window grows: by that, bursts and stalls do not look like a wrong rate."""

    def __init__(self) -> None:
        self.off: float | None = None
        """By which share the stamps are too slow (negative: fast), once that is certain."""
        self._began: float | None = None
        self._least_s = 0.0
        self._least_at = 0.0
        self._before: tuple[float, float] | None = None
        self._drift_before = 0.0

    def add(self, delay_s: float, arrived_at: float) -> None:
        """Take one frame's delay."""
        if self._began is None:
            self._began, self._least_s, self._least_at = arrived_at, delay_s, arrived_at
        elif arrived_at - self._began < RATE_WINDOW_S:
            if delay_s <= self._least_s:
                self._least_s, self._least_at = delay_s, arrived_at
        else:
            self._close()
            self._began, self._least_s, self._least_at = arrived_at, delay_s, arrived_at

    def _close(self) -> None:
        drift = 0.0
        if self._before is not None:
            least_s, least_at = self._before
            drift = (self._least_s - least_s) / max(self._least_at - least_at, RATE_WINDOW_S / 2)
        if min(abs(drift), abs(self._drift_before)) > RATE_OFF and (drift > 0) == (self._drift_before > 0):
            self.off = drift
        self._before = (self._least_s, self._least_at)
        self._drift_before = drift
