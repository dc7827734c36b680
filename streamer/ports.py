"""What can be replaced: structural types for the parts that the pipeline and the app are built from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from streamer.types import Clock, Detection, Image, ModelInfo, Passage, PlateRead


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What a source hands out: a decoded picture that is converted to BGR only if somebody takes it."""

    t: float
    """Seconds of the source's own clock, strictly increasing until the session changes."""
    wall: datetime
    """UTC, aware."""
    clock: Clock
    convert: Callable[[], Image]
    """Gives uint8 (height, width, 3) BGR, upright (rotation metadata applied); may be called once, in the reading thread."""


Luma = npt.NDArray[np.uint8]
"""A small grey picture: uint8, (height, width), read-only."""


@dataclass(frozen=True, slots=True, eq=False)
class LivePicture:
    """What a live source hands out: a decoded picture, with all that is known about when it was taken."""

    stamp_s: float | None
    """The camera's presentation time stamp in seconds, as it came: it may be missing, stand still or jump."""
    arrived_at: float
    """``time.monotonic()`` when its last packet had been read."""
    arrived: datetime
    """UTC, aware, of the same moment."""
    exposed: datetime | None
    """UTC, aware: when it was taken by the camera's own clock (RTCP sender reports), as it came; None if the camera does not say."""
    suspect: bool
    """Damaged, or built upon damage: from a loss or an error of the decoder to the next key frame."""
    size: tuple[int, int]
    """(width, height), pixels, as the camera sends it."""
    luma: Callable[[], Luma]
    """Gives a small grey view (about 160 pixels wide) without converting the picture; in the reading thread."""
    convert: Callable[[], Image]
    """Gives uint8 (height, width, 3) BGR as the camera sends it. Once, in any thread. Raises SourceError."""
    number: int | None = None
    """Of its packet, counted in the connection; None where there are no packets."""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What a live source found out about its stream, for people and metrics; None where it is not known."""

    address: str
    """Without credentials."""
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    """As announced; cameras err."""
    decoder: str | None = None
    """``software``, or the hardware that decodes."""
    bytes_read: int = 0
    packets: int = 0
    packets_skipped: int = 0
    """Not decoded on purpose, see ``LiveSource.decode_key_frames_only``."""
    key_frame_interval_s: float | None = None
    """Between the last two key frames."""
    clock_reports: int = 0
    """Sender reports that told the camera's clock."""


class LiveSource(Protocol):
    """One connection to a camera: a session at a time.

    Only the reading thread may call ``open``, ``read`` and ``close``; closing from another thread crashes libav. After ``close`` it may
    be opened again. ``open`` and ``read`` return within the time-outs of their configuration, whatever the camera does.
    """

    @property
    def facts(self) -> StreamFacts:
        """What is known about the stream so far. Any thread."""

    def open(self) -> None:
        """Connect. Raises SourceError with a typed reason."""

    def read(self) -> LivePicture | None:
        """Give the next picture; None at the end of the stream, a fault too. Raises SourceError with a typed reason."""

    def decode_key_frames_only(self, wanted: bool) -> None:
        """Decode key frames only, or all again (from the next key frame on). In the reading thread."""

    def interrupt(self) -> None:
        """Make a blocked ``open`` or ``read`` return as soon as it can; the next ones raise SourceError. Any thread, any state."""

    def close(self) -> None:
        """Release everything. Idempotent."""


class Source(Protocol):
    """One unbroken connection to a camera or one recorded file: a session.

    Only the reading thread may call ``open``, ``read`` and ``close``.
    """

    def open(self) -> None:
        """Connect. Raises SourceError with a typed reason."""

    def read(self) -> Picture | None:
        """Give the next picture, or None at the end. Raises SourceError; what was read before stays valid."""

    def interrupt(self) -> None:
        """Make a blocked ``open`` or ``read`` return soon. Any thread, any state."""

    def close(self) -> None:
        """Release everything. Idempotent."""


class RecordedSource(Source, Protocol):
    """A source that has an end: a file, or a folder of pictures. The figures are complete after the last ``read``."""

    @property
    def name(self) -> str:
        """Path, for people."""

    @property
    def damaged(self) -> int:
        """Packets or pictures that could not be read."""

    @property
    def missing_s(self) -> float:
        """Seconds by which less came than the recording promised; 0.0 where nothing is missing or nothing was promised."""

    @property
    def duration_s(self) -> float | None:
        """What the recording promises; known after ``open``."""


class Detector(Protocol):
    """Finds plates."""

    @property
    def info(self) -> ModelInfo:
        """Which model this is."""

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Give the plates of each picture (uint8, (h, w, 3), BGR, sizes may differ), best score first, boxes in its pixels."""


class TextReader(Protocol):
    """Reads plates."""

    @property
    def info(self) -> ModelInfo:
        """Which model this is."""

    def read(self, crops: Sequence[Image]) -> list[PlateRead | None]:
        """Read each crop (uint8, (h, w, 3), BGR); None where there is no text."""


class Sink(Protocol):
    """Where events go."""

    def write(self, lines: Sequence[str]) -> None:
        """Take events, one JSON object each, in order. Raises SinkError if it did not take them all."""

    def close(self) -> None:
        """Flush and release. Idempotent."""


class Meter(Protocol):
    """Is told how long the steps of the work take."""

    def stage(self, name: str, seconds: float) -> None:
        """Take how long one step took for one batch: ``convert``, ``analyse``, ``detect``, ``read``, ``record``."""

    def batch(self, frames: int) -> None:
        """Take how many frames one batch had."""

    def frame_age(self, source_id: str, seconds: float) -> None:
        """Take how old a frame was when its analysis began."""

    def event_latency(self, source_id: str, state: str, seconds: float) -> None:
        """Take how long it took from a vehicle's last frame to its event (``preview`` or ``final``) in the record.

        Final events wait on purpose: the same vehicle may come back within the windows of ``passages``.
        """


class PassageListener(Protocol):
    """Is told of every passage as it is decided."""

    def __call__(self, passage: Passage) -> None:
        """Take the passage; must not keep the thread for long."""
