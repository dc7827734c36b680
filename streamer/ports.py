"""What can be replaced: structural types for the parts that the pipeline and the app are built from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

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


class PassageListener(Protocol):
    """Is told of every passage as it is decided."""

    def __call__(self, passage: Passage) -> None:
        """Take the passage; must not keep the thread for long."""
