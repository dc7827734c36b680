"""What flows through the program.

Frozen, slotted dataclasses only. Pictures are ``uint8`` arrays of shape (height, width, 3) in BGR order, shared by reference
and read-only; whatever outlives its frame is copied, because a view pins the whole frame in memory.

Three clocks, one use each: ``t`` (the source's own time, seconds) for tracks, votes and speeds; ``read_at`` (monotonic
seconds of this machine) for latencies and time-outs; ``wall`` (UTC) for people and events, never subtracted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""A picture: uint8, (height, width, 3), BGR."""

Clock = Literal["option", "metadata", "file_name", "file_time", "arrival", "rtcp"]
"""Where ``wall`` comes from, most of them for recordings: the user's start time, the container, the file's name, the
file's modification time; for live sources the time of arrival or the camera's own RTCP report."""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle in pixels of its frame; (x1, y1) is the top left corner, (x2, y2) lies just outside."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y2 - self.y1

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the middle, in pixels."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture. ``eq=False``: arrays cannot be compared with ``==``."""

    source_id: str
    """Key under ``sources:`` in the configuration, or the name that a replay gave to the file."""
    session: int
    """Grows by one at every connect (for a folder: at every file); trackers start afresh."""
    index: int
    """0, 1, 2 ... as decoded in this session; a gap means dropped or skipped on purpose."""
    t: float
    """Seconds of the source's own clock (presentation time stamp), strictly increasing in a session."""
    read_at: float
    """``time.monotonic()`` when decoded."""
    wall: datetime
    """UTC, aware."""
    clock: Clock
    """Where ``wall`` comes from."""
    image: Image
    """uint8 (height, width, 3) BGR, read-only; the size may change with the session."""
    suspect: bool = False
    """Live only: the picture may be damaged, so nothing of it is read or voted on."""
    clock_offset_s: float | None = None
    """Live only: seconds from exposure by the camera's clock to arrival by ours; None if the camera does not tell its clock."""
    age_s: float | None = None
    """Live only: seconds from arrival to the beginning of the analysis."""


@dataclass(frozen=True, slots=True, eq=False)
class RawFrame:
    """A frame of a live source whose picture is not converted yet: most frames are dropped before anybody looks at them.

    The fields mean what they mean in Frame.
    """

    source_id: str
    session: int
    index: int
    t: float
    read_at: float
    wall: datetime
    clock: Clock
    suspect: bool
    clock_offset_s: float | None
    convert: Callable[[], Image]
    """Gives the picture, upright, without what privacy masks hide; once, in any thread. Raises SourceError."""

    def developed(self, age_s: float) -> Frame:
        """Convert the picture. Raises SourceError if that fails."""
        image = self.convert()
        return Frame(
            self.source_id,
            self.session,
            self.index,
            self.t,
            self.read_at,
            self.wall,
            self.clock,
            image,
            suspect=self.suspect,
            clock_offset_s=self.clock_offset_s,
            age_s=age_s,
        )


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """Nothing more will come from the tracks of this session. Travels in the stream like a frame."""

    source_id: str
    session: int


@dataclass(frozen=True, slots=True)
class Detection:
    """A plate found in one frame."""

    box: Box
    score: float
    """0..1"""


@dataclass(frozen=True, slots=True)
class KnownPlate:
    """Where a plate is in a frame, or must be: seen by the detector, or missed by it and expected by the tracker."""

    box: Box
    off_px: float = 0.0
    """How far from there it may be; 0 if it was seen."""


@dataclass(frozen=True, slots=True)
class PlateRead:
    """The text of one crop."""

    text: str
    """A-Z and 0-9 only, lines of a two-line plate joined from top to bottom."""
    char_scores: tuple[float, ...]
    """One per character of ``text``, 0..1. Scores saturate near 1.0 even on wrong reads: not a probability."""
    lines: int = 1
    """How many lines of text the plate has."""
    unread: int = 0
    """How many characters outside the alphabet (a Chinese province sign) were seen: they are not in ``text``, nor is anything for them."""

    @property
    def score(self) -> float:
        """Mean of the character scores; 0.0 for an empty text."""
        return sum(self.char_scores) / len(self.char_scores) if self.char_scores else 0.0


@dataclass(frozen=True, slots=True)
class Stamp:
    """When something was seen: the frame's own three ways of telling."""

    t: float
    """Seconds of the source's clock in its session."""
    wall: datetime
    """UTC, aware."""
    index: int
    """Frame index in its session."""


PassageState = Literal["preview", "final", "withdrawn"]

NoPlateReason = Literal["too_small", "cut_off", "blurred", "rejected", "too_few_looks"]
"""Why a passage has no plate: characters too small to read; no crop sharp enough; what was read cannot be a plate or
the looks contradict each other; too few looks agree."""


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What a clip shows, and when."""

    codec: str
    """As FFmpeg names it, for example ``h264``."""
    begin_t: float
    """Of its first frame, seconds of the source's clock in the session."""
    begin_wall: datetime
    """UTC, aware."""
    end_t: float
    """Of its last frame."""
    end_wall: datetime
    duration_s: float
    frames: int
    first_frame: int | None
    """Of the clip's frames, from 0 on in the order of showing, the passage's first look; None if it is not in the clip."""
    best_frame: int | None
    """The look whose crop is the evidence."""
    last_frame: int | None
    complete: bool
    """It is as long as was asked for, before the first look and after the last."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPicture:
    """A picture around a plate, or a clip, as it will be stored."""

    kind: Literal["vehicle", "scene", "clip"]
    content: bytes
    suffix: str
    """Of its file: ``.jpg`` or ``.webp``; of a clip ``.mp4`` or ``.mkv``."""
    width: int
    """Pixels."""
    height: int
    clip: ClipFacts | None = None
    """Of a clip."""
    redacted: Mapping[str, int] | None = None
    """How many areas of each kind that was looked for are hidden in it, see ``redaction``; None: it is as it was seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """One vehicle passing one camera: what a track's looks and reads (or several tracks') amount to."""

    key: str
    """Names the passage in its source; the same for its preview, final and withdrawn states. Deterministic."""
    state: PassageState
    source_id: str
    session: int
    tracks: tuple[int, ...]
    """Track numbers of the session, in order of appearance."""
    plate: str | None
    """The decision after vote and country format; None if there is none."""
    raw: str | None
    """The single best read, as the reader gave it; None if nothing was read."""
    score: float | None
    """Agreement of the looks, 0..1: not a probability until it is calibrated."""
    char_scores: tuple[float, ...]
    """One per character of ``plate``, 0..1."""
    alternatives: tuple[tuple[str, float], ...]
    """Other readings with their scores, best first."""
    country: str | None
    """Guess: ISO 3166-1 alpha-2, or a US state as ``US-TX``; None where no format fits or several countries do."""
    format: str | None
    """Name of the country format that fitted."""
    reason: NoPlateReason | None
    """Set exactly when ``plate`` is None."""
    looks: int
    """Detections of the plate."""
    reads: int
    """Crops that gave a text."""
    first: Stamp
    last: Stamp
    best: Stamp
    """Of the frame whose crop is the evidence."""
    clock: Clock
    box: Box
    """In the evidence frame, pixels."""
    box_score: float
    frame_size: tuple[int, int]
    """(width, height) of the evidence frame, pixels."""
    crop: Image
    """The crop that was read for ``raw`` (or the best one seen, if none was): a copy, not a view. Of size 0: it may not be kept."""
    unread_chars: int = 0
    """Characters of the plate outside the alphabet: seen, but not in ``plate``; 0 without a plate. See ``vote.Decision``."""
    clock_offset_s: float | None = None
    """Of the evidence frame; see Frame."""
    age_s: float | None = None
    """Of the evidence frame; see Frame."""
    pictures: tuple[EncodedPicture, ...] = ()
    """Of the evidence frame, beside the crop, if they are wanted."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model did the work; goes into every event."""

    name: str
    sha256: str
    """Of the weight file, lower-case hex."""
    backend: str
    """For example ``openvino cpu f32``."""
