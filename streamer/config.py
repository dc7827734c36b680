"""What a user may write: frozen pydantic models. Unknown keys are mistakes, units stand in key names, all mistakes come at once.

A field's ``description`` is what an error message calls its values; ``config_file`` reads files and words the messages.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from streamer.config_cameras import Camera
from streamer.config_evidence import ClipConfig, EvidenceConfig, check_clips
from streamer.config_privacy import PrivacyConfig, RetentionConfig
from streamer.config_section import (
    PATH_OR_NAME,
    SOURCE_ID,
    START_GROUPS,
    Device,
    Fraction,
    PathOrName,
    Seconds,
    Section,
    StartPattern,
    TimeZone,
    in_order,
)
from streamer.config_sinks import SinkConfig
from streamer.config_timestamps import TimestampsConfig

__all__ = [
    "LOG_NAME",
    "PATH_OR_NAME",
    "SOURCE_ID",
    "START_GROUPS",
    "Camera",
    "ClipConfig",
    "Config",
    "DetectorConfig",
    "EventsConfig",
    "EvidenceConfig",
    "FileSource",
    "HealthConfig",
    "LiveConfig",
    "LogConfig",
    "PassagesConfig",
    "PrivacyConfig",
    "ReaderConfig",
    "RetentionConfig",
    "Section",
    "SinkConfig",
    "TrackerConfig",
]


LOG_NAME = "jsonl"
"""The log's place in the store goes by this name."""


class FileSource(Section):
    """Recorded video or pictures: a file, a folder, or a pattern such as ``videos/*.mp4``."""

    path: Path
    start: datetime | None = None
    """When the recording began. Without an offset it is taken in ``time_zone``."""
    start_pattern: StartPattern | None = None
    """Regular expression over the file name with the groups year, month, day, hour, minute, second (and optionally
    microsecond), or one group ``epoch``. Without it, the common forms are tried."""
    time_zone: TimeZone = "UTC"
    """IANA name, used for times that carry no offset."""
    every: int = Field(default=1, ge=1)
    """Analyse each Nth frame only."""
    picture_fps: float = Field(default=1.0, gt=0)
    """Rate at which the pictures of a folder of pictures are taken to follow each other."""


class DetectorConfig(Section):
    """Plate detection."""

    weights: PathOrName = "plate-detector"
    """A name from weights/manifest.json or a path: .pt (torch), .onnx (ONNX Runtime), .xml or a folder with one
    (OpenVINO), .engine (TensorRT)."""
    backend: Literal["auto", "torch", "openvino", "onnxruntime", "tensorrt"] = "auto"
    """``auto``: by the file's kind; for a name, the fastest that the machine has."""
    device: Device = "auto"
    input_size: int = Field(default=480, ge=32, multiple_of=32)
    """Longest side of the network's input, pixels, for video, where a plate is seen often."""
    stills_input_size: int = Field(default=640, ge=32, multiple_of=32)
    """The same for single pictures, where there is one look."""
    input_shape: Literal["auto", "square", "fit"] = "auto"
    """``square``: finds a little more; ``fit``: only as high as the picture needs, 40 % less work for 16:9;
    ``auto``: fit for video, where a plate is seen often, square for single pictures."""
    confidence: Fraction = 0.25
    iou: Fraction = 0.5
    """Non-maximum suppression removes the weaker of two boxes that overlap by more than this."""
    half: bool = True
    """fp16 on CUDA. On a CPU with native bf16, OpenVINO uses bf16."""
    threads: int = Field(default=0, ge=0)
    """CPU threads; 0: one per core that this process may use."""
    parallel_pictures: int = Field(default=0, ge=0)
    """Pictures that OpenVINO works on at the same time, each with its share of the threads; 0: up to four, for throughput;
    1: lowest delay where one camera is all there is."""


class ReaderConfig(Section):
    """Reading the text of a plate."""

    engine: Literal["auto", "openvino", "onnxruntime", "paddle_static", "tesseract", "characters"] = "auto"
    """``auto``: OpenVINO if installed, else ONNX Runtime. ``characters``: a YOLOv8 detector of characters, in ``weights``."""
    weights: PathOrName = "plate-reader"
    """A name from weights/manifest.json, or a folder with inference.yml beside the model; for ``characters`` a .onnx, .xml or .pt."""
    line_weights: PathOrName = "starter-lines"
    """Text detector that finds the lines of text in a crop; a name or a file."""
    layout_weights: PathOrName = "plate-layout"
    """Small network that says where the lines of characters stand; a name or a file."""
    lines: Literal["learned", "detect", "gap"] = "learned"
    """How the lines of a plate are found: by that network, by the text detector (several times slower; needs
    ``plate-streamer weights fetch --starters``), or by the gap between two lines only."""
    half: bool = True
    """OpenVINO runs the recogniser in int8 where its folder has ``inference-int8.xml``; ``false``: in f32."""
    threads: int = Field(default=0, ge=0)
    """CPU threads; 0: one per core that this process may use."""


class TrackerConfig(Section):
    """Boxes to tracks. All in seconds and box sizes, so that frame rate and resolution do not matter."""

    lost_after_s: Seconds = 1.5
    """A plate that is not seen for this long ends its track."""
    reach: float = Field(default=3.0, gt=0)
    """How far a plate may be from where it is expected, in plate sizes (twice the square root of its area)."""
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
    min_plate_score: Fraction = 0.3
    """Plates whose looks agree less are rejected: at noise, two looks agree by chance. Of single pictures, reads with a lower score."""
    min_plate_height_px: float = Field(default=8.0, ge=0)
    """Smaller plates are not read."""
    min_plate_chars: int = Field(default=3, ge=1)
    max_plate_chars: int = Field(default=12, ge=1)
    same_plate_window_s: Seconds = 10.0
    """The identical plate again within this time is the same passage."""
    similar_plate_window_s: Seconds = 4.0
    """A similar plate (one misread apart) again within this time is the same passage."""

    @property
    def longest_window_s(self) -> float:
        """How long a vehicle that was seen may come back as the same passage, at most."""
        return max(self.same_plate_window_s, self.similar_plate_window_s)

    @field_validator("countries")
    @classmethod
    def _countries_exist(cls, codes: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """Check against the codes that ``countries()`` in the validation context gives: only who reads files knows which there are."""
        known = info.context["countries"]() if codes and info.context else ()
        for code in codes:
            if known and code not in known:
                raise PydanticCustomError(
                    "unknown_name", "is not a country that the program has formats of", {"valid": sorted(known), "name": code}
                )
        return codes

    @field_validator("sure_reads")
    @classmethod
    def _sure_readsin_order(cls, value: int, info: ValidationInfo) -> int:
        return in_order(value, info, "min_reads")

    @field_validator("max_plate_chars")
    @classmethod
    def _plate_charsin_order(cls, value: int, info: ValidationInfo) -> int:
        return in_order(value, info, "min_plate_chars")


class EventsConfig(Section):
    """The event log ``events.jsonl``."""

    directory: Path = Field(default=Path("out"), validate_default=False)
    states: Literal["final", "all"] = "final"
    """``all``: previews and withdrawals too."""
    flush: Literal["event", "interval", "system"] = "event"
    """When lines are forced to disk: at every event, every ``flush_interval_s``, or when the system likes."""
    flush_interval_s: Seconds = 1.0
    rotate_mb: float = Field(default=64.0, gt=0)
    rotate_daily: bool = True
    """Start a new file at midnight UTC."""
    compress: Literal["none", "gzip"] = "none"
    """Full files, but the newest."""
    keep_days: Annotated[float, Field(gt=0)] | None = None
    """Full files are deleted when their events are older; looked at whenever a file is full, and at the start. Without it, never."""


class LiveConfig(Section):
    """How ``plate-streamer run`` works."""

    window_s: Seconds = 0.02
    """How long a batch waits for frames of further cameras."""
    max_age_s: float = Field(default=1.0, gt=0)
    """Frames that are older when their turn comes are dropped, and counted as stale."""
    drain_s: float = Field(default=10.0, gt=0)
    """At the end: how long open passages, the record and the threads may take."""
    reload_poll_s: Seconds = 2.0
    """How often the configuration file is looked at for changes; 0: only at SIGHUP."""
    adaptive: bool = True
    """A busy machine lowers the rate of all cameras fairly, by their priority, rather than let frames wait and be dropped."""


class HealthConfig(Section):
    """Health and metrics over HTTP: /healthz, /readyz, /metrics, /status."""

    enabled: bool = True
    host: str = "127.0.0.1"
    """Anything but a loopback address needs a token."""
    port: int = Field(default=9464, ge=0, le=65535)
    """0: any that is free."""
    token_file: Path | None = None
    """Holds what clients must send as ``Authorization: Bearer ...``."""
    token_env: str | None = None
    """The same from this environment variable."""


class LogConfig(Section):
    """The program's own messages, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    repeat_s: Seconds = 60.0
    """The same message about the same camera is written once in so many seconds, with the count of those left out; 0: always."""


class Config(Section):
    """A whole configuration file."""

    sources: dict[Annotated[str, Field(pattern=SOURCE_ID)], FileSource] = Field(default={})
    """Recordings, for ``plate-streamer replay``."""
    cameras: dict[Annotated[str, Field(pattern=SOURCE_ID)], Camera] = Field(default={})
    """Live cameras, for ``plate-streamer run``."""
    batch: int = Field(default=8, ge=1)
    """Frames per detector call at most."""
    detector: DetectorConfig = DetectorConfig()
    reader: ReaderConfig = ReaderConfig()
    tracker: TrackerConfig = TrackerConfig()
    passages: PassagesConfig = PassagesConfig()
    events: EventsConfig = EventsConfig()
    evidence: EvidenceConfig = EvidenceConfig()
    sinks: dict[Annotated[str, Field(pattern=SOURCE_ID)], SinkConfig] = Field(default={})
    """Where events go beside the log."""
    privacy: PrivacyConfig = PrivacyConfig()
    timestamps: TimestampsConfig = TimestampsConfig()
    live: LiveConfig = LiveConfig()
    health: HealthConfig = HealthConfig()
    log: LogConfig = LogConfig()

    @field_validator("evidence")
    @classmethod
    def _regions_are_of_somebody(cls, evidence: EvidenceConfig, info: ValidationInfo) -> EvidenceConfig:
        """A region of a name with a typing mistake would hide nothing. A section alone (a privacy profile) may name anybody."""
        known = {**info.data.get("cameras", {}), **info.data.get("sources", {})}
        for name in evidence.redact.regions:
            if known and name not in known:
                what = {"valid": sorted(known), "name": name}
                raise PydanticCustomError("unknown_name", "in redact.regions is no camera or source of this configuration", what)
        return evidence

    @field_validator("evidence")
    @classmethod
    def _clips_fit(cls, evidence: EvidenceConfig, info: ValidationInfo) -> EvidenceConfig:
        check_clips(evidence, info.data.get("cameras", {}), info.data.get("sources", {}))
        return evidence

    @field_validator("sinks")
    @classmethod
    def _sinks_fit(cls, sinks: dict[str, SinkConfig], info: ValidationInfo) -> dict[str, SinkConfig]:
        events = info.data.get("events")
        for name, sink in sinks.items():
            if name == LOG_NAME:
                raise PydanticCustomError("bad_pattern", "{name} is the name of the event log, see events", {"name": name})
            if events is not None and events.states == "final" and {"preview", "withdrawn"} & set(sink.filter.states):
                what = {"name": name}
                raise PydanticCustomError("bad_pattern", "{name} wants previews or withdrawals: they need events.states: all", what)
        return sinks
