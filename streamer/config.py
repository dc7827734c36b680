"""What a user may write: frozen pydantic models. Unknown keys are mistakes, units stand in key names, all mistakes come at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from streamer.errors import ConfigError, ConfigProblem, UsageError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0)]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys forbidden."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class FileSource(Section):
    """Recorded video or pictures: a file, a folder, or a pattern such as ``videos/*.mp4``."""

    path: Path
    start: datetime | None = None
    """When the recording began. Without an offset it is taken in ``time_zone``."""
    start_pattern: str | None = None
    """Regular expression over the file name with the groups year, month, day, hour, minute, second (and optionally
    microsecond), or one group ``epoch``. Without it, the common forms are tried."""
    time_zone: str = "UTC"
    """IANA name, used for times that carry no offset."""
    every: int = Field(default=1, ge=1)
    """Analyse each Nth frame only."""
    picture_fps: float = Field(default=1.0, gt=0)
    """Rate at which the pictures of a folder of pictures are taken to follow each other."""


class DetectorConfig(Section):
    """Plate detection."""

    weights: str = "plate-detector"
    """A name from weights/manifest.json or a path: .pt (torch), .onnx (ONNX Runtime), .xml or a folder with one
    (OpenVINO), .engine (TensorRT)."""
    backend: Literal["auto", "torch", "openvino", "onnxruntime", "tensorrt"] = "auto"
    """``auto``: by the file's kind; for a name, the fastest that the machine has."""
    device: Device = "auto"
    input_size: int = Field(default=640, ge=32, multiple_of=32)
    """Longest side of the network's input, pixels."""
    confidence: Fraction = 0.25
    iou: Fraction = 0.5
    """Non-maximum suppression removes the weaker of two boxes that overlap by more than this."""
    half: bool = True
    """fp16 on CUDA. On a CPU with native bf16, OpenVINO uses bf16."""
    threads: int = Field(default=0, ge=0)
    """CPU threads; 0: one per core that this process may use."""


class ReaderConfig(Section):
    """Reading the text of a plate."""

    engine: Literal["auto", "openvino", "onnxruntime", "paddle_static", "tesseract"] = "auto"
    """``auto``: OpenVINO if installed, else ONNX Runtime."""
    weights: str = "plate-reader"
    """A name from weights/manifest.json, or a folder with inference.yml beside the model."""
    line_weights: str = "plate-lines"
    """Text detector that finds the lines of text in a crop; a name or a file."""
    lines: Literal["detect", "gap"] = "detect"
    """How the lines of a plate are found: by the text detector, or by the gap between two lines only (faster)."""
    threads: int = Field(default=0, ge=0)
    """CPU threads; 0: one per core that this process may use."""


class TrackerConfig(Section):
    """Boxes to tracks. All in seconds and box sizes, so that frame rate and resolution do not matter."""

    lost_after_s: Seconds = 1.5
    """A plate that is not seen for this long ends its track."""
    reach: float = Field(default=3.0, gt=0)
    """How far a plate may be from where it is expected, in plate widths."""
    min_score: Fraction = 0.25
    """Weaker detections only keep a track alive, they never start one."""


class PassagesConfig(Section):
    """Reads to decisions, tracks to one passage per vehicle."""

    countries: tuple[str, ...] = ()
    """Expected countries, most likely first (``DE``, ``US-TX``, ``EU``); empty: all alike."""
    only_countries: bool = False
    """Reject plates that fit no format of ``countries``."""
    read_interval_s: Seconds = 0.2
    """Of each track, the best crop of every such interval is read, until the vote is sure."""
    min_reads: int = Field(default=2, ge=1)
    """Looks that must agree before there is a plate."""
    sure_reads: int = Field(default=4, ge=1)
    """Reading stops when so many looks agree and no other text comes near."""
    min_plate_height_px: float = Field(default=8.0, ge=0)
    """Smaller plates are not read."""
    min_plate_chars: int = Field(default=3, ge=1)
    max_plate_chars: int = Field(default=12, ge=1)
    same_plate_window_s: Seconds = 10.0
    """The identical plate again within this time is the same passage."""
    similar_plate_window_s: Seconds = 4.0
    """A similar plate (one misread apart) again within this time is the same passage."""


class EventsConfig(Section):
    """The event log ``events.jsonl``."""

    directory: Path = Path("out")
    states: Literal["final", "all"] = "final"
    """``all``: previews and withdrawals too."""
    flush: Literal["event", "interval", "system"] = "event"
    """When lines are forced to disk: at every event, every ``flush_interval_s``, or when the system likes."""
    flush_interval_s: Seconds = 1.0
    rotate_mb: float = Field(default=64.0, gt=0)
    rotate_daily: bool = True
    """Start a new file at midnight UTC."""


class LogConfig(Section):
    """The program's own messages, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Config(Section):
    """A whole configuration file."""

    sources: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)], FileSource] = {}
    batch: int = Field(default=8, ge=1)
    """Frames per detector call at most."""
    detector: DetectorConfig = DetectorConfig()
    reader: ReaderConfig = ReaderConfig()
    tracker: TrackerConfig = TrackerConfig()
    passages: PassagesConfig = PassagesConfig()
    events: EventsConfig = EventsConfig()
    log: LogConfig = LogConfig()
