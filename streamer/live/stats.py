"""What happened to one camera and its frames: counters that several threads write and anybody reads.

Every frame that a camera's session gave is accounted for: offered = analysed + dropped (by cause) + waiting.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from streamer.errors import SourceReason
from streamer.ports import StreamFacts

CameraState = Literal["starting", "connecting", "live", "backoff", "stopped"]
"""``connecting`` until the first picture is decoded; ``backoff``: it failed, the next attempt comes."""

DropCause = Literal["rate", "idle", "replaced", "stale", "damaged", "unconvertible", "failed", "stopped"]
"""Why a frame was not analysed: ``rate`` process_fps or a busy machine; ``idle`` nothing moved; ``replaced`` a newer one came before its
turn; ``stale`` too old at its turn; ``damaged`` so much that its size is another one; ``unconvertible`` the decoder's picture could not
be converted; ``failed`` a fault of the program in its analysis; ``stopped`` the program or the camera was stopped before its turn."""

Blind = Literal["dark", "covered", "defocused", "no_plates"]
"""Why a live camera is no use: too dark; one colour all over; out of focus; no plate was seen for long."""

_RATE_OVER_S = 5.0
"""Frame rates are measured over so many seconds."""


@dataclass(frozen=True, slots=True)
class CameraSnapshot:
    """One moment of a camera."""

    source_id: str
    state: CameraState
    reason: SourceReason | None
    """Of the last fault, while the camera is not live."""
    message: str
    """The last fault in words, without credentials; empty while live."""
    since_s: float
    """Seconds that the state has lasted."""
    session: int
    """Number of the last session; 0 before the first."""
    offered: int
    analysed: int
    dropped: dict[DropCause, int]
    suspect: int
    """Of those offered, how many may be damaged."""
    faults: dict[SourceReason, int]
    """Sessions and attempts that ended, by reason."""
    frame_age_s: float | None
    """Seconds since the last frame came; None if there never was one. The heartbeat of the reading thread."""
    fps: float
    """Frames a second that come."""
    analysed_fps: float
    rate_limit_fps: float | None
    """Rate that a busy machine allows now; None if there is no such limit."""
    events: int
    plates: int
    """Events with a plate."""
    plate_age_s: float | None
    """Seconds since a plate was seen last in any frame."""
    brightness: float | None
    """Mean of the grey picture, 0..1."""
    sharpness: float | None
    """See ``live.view``."""
    blind: Blind | None
    clock: str | None
    """Where times of exposure come from: ``rtcp`` or ``arrival``."""
    clock_offset_s: float | None
    facts: StreamFacts | None
    sessions: int = 0
    """Sessions that gave a picture."""

    @property
    def waiting(self) -> int:
        """Frames that were offered and whose fate is open."""
        return self.offered - self.analysed - sum(self.dropped.values())


class CameraStats:
    """The counters of one camera. All methods from any thread."""

    def __init__(self, source_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.source_id = source_id
        self._clock = clock
        self._lock = threading.Lock()
        self._state: CameraState = "starting"
        self._reason: SourceReason | None = None
        self._message = ""
        self._since = clock()
        self._session = 0
        self._sessions = 0
        self._offered = 0
        self._analysed = 0
        self._suspect = 0
        self._dropped: Counter[DropCause] = Counter()
        self._faults: Counter[SourceReason] = Counter()
        self._frame_at: float | None = None
        self._plate_at: float | None = None
        self._fps = _Rate(clock())
        self._analysed_fps = _Rate(clock())
        self._rate_limit: float | None = None
        self._events = 0
        self._plates = 0
        self._view: tuple[float | None, float | None, Blind | None] = (None, None, None)
        self._times: tuple[str | None, float | None] = (None, None)
        self._facts: StreamFacts | None = None

    def enter(self, state: CameraState, session: int | None = None) -> None:
        """Note a new state, and the session that it belongs to."""
        with self._lock:
            if state == "live" and (self._state != "live" or session not in (None, self._session)):
                self._sessions += 1
            if state != self._state:
                self._since = self._clock()
            self._state = state
            self._session = self._session if session is None else session
            if state == "live":
                self._reason, self._message = None, ""

    def fault(self, reason: SourceReason, message: str) -> None:
        """Note why a session or an attempt ended; ``message`` without credentials."""
        with self._lock:
            self._faults[reason] += 1
            self._reason, self._message = reason, message

    def offer(self, *, suspect: bool = False) -> None:
        """Note that a frame came."""
        with self._lock:
            self._offered += 1
            self._suspect += suspect
            self._frame_at = self._clock()
            self._fps.add(self._frame_at)

    def drop(self, cause: DropCause, frames: int = 1) -> None:
        """Note that frames will not be analysed."""
        if frames:
            with self._lock:
                self._dropped[cause] += frames

    def analyse(self, *, plates: int) -> None:
        """Note that a frame was analysed, and how many plates were in it."""
        with self._lock:
            now = self._clock()
            self._analysed += 1
            self._analysed_fps.add(now)
            if plates:
                self._plate_at = now

    def record(self, *, plate: bool) -> None:
        """Note an event."""
        with self._lock:
            self._events += 1
            self._plates += plate

    def limit(self, fps: float | None) -> None:
        """Note the rate that a busy machine allows."""
        with self._lock:
            self._rate_limit = fps

    def see(self, brightness: float | None, sharpness: float | None, blind: Blind | None) -> None:
        """Note how the picture looks."""
        with self._lock:
            self._view = (brightness, sharpness, blind)

    def tell_time(self, clock: str, offset_s: float | None) -> None:
        """Note where times of exposure come from."""
        with self._lock:
            self._times = (clock, offset_s)

    def describe(self, facts: StreamFacts) -> None:
        """Note what is known about the stream."""
        with self._lock:
            self._facts = facts

    def snapshot(self) -> CameraSnapshot:
        """Give all of it, as of one moment."""
        with self._lock:
            now = self._clock()
            brightness, sharpness, blind = self._view
            clock, offset_s = self._times
            return CameraSnapshot(
                source_id=self.source_id,
                state=self._state,
                reason=self._reason,
                message=self._message,
                since_s=now - self._since,
                session=self._session,
                offered=self._offered,
                analysed=self._analysed,
                dropped=dict(self._dropped),
                suspect=self._suspect,
                faults=dict(self._faults),
                frame_age_s=None if self._frame_at is None else now - self._frame_at,
                fps=self._fps.value(now),
                analysed_fps=self._analysed_fps.value(now),
                rate_limit_fps=self._rate_limit,
                events=self._events,
                plates=self._plates,
                plate_age_s=None if self._plate_at is None else now - self._plate_at,
                brightness=brightness,
                sharpness=sharpness,
                blind=blind,
                clock=clock,
                clock_offset_s=offset_s,
                facts=self._facts,
                sessions=self._sessions,
            )


class _Rate:
    """How often something happens, over the last full stretch of some seconds."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._count = 0
        self._last = 0.0

    def add(self, now: float) -> None:
        self.value(now)
        self._count += 1

    def value(self, now: float) -> float:
        """Give the rate a second."""
        elapsed = now - self._began
        if elapsed >= _RATE_OVER_S:
            self._last = self._count / elapsed
            self._began, self._count = now, 0
        return self._last
