"""The section `evidence:` of a configuration: which pictures of an event are kept, and how."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from streamer.config_cameras import Camera, Polygon
from streamer.config_section import SOURCE_ID, Seconds, Section

PublicKey = Annotated[
    str, Field(pattern=r"^age1[02-9ac-hj-np-z]{58}$", description="a public key of age, age1...; `plate-streamer seal-key` makes a pair")
]


class RedactConfig(Section):
    """What is painted over in the pictures of a vehicle and a scene, before anything is encoded. Of plates nothing can be found again."""

    other_plates: bool = True
    """Plates of other vehicles than the event's: all that were found in the frame, or are expected there."""
    windows: bool = False
    """Where windscreens and rear windows of vehicles with a known plate must be, the event's own, too; much of the vehicle goes with it."""
    regions: dict[Annotated[str, Field(pattern=SOURCE_ID)], tuple[Polygon, ...]] = Field(default={})
    """By camera or source: polygons in shares of the whole upright picture, as in ``privacy_masks``. There plates are still read."""


class ClipConfig(Section):
    """A short video around each passage, as the camera sent it: nothing is painted over in it, also not other vehicles and their plates."""

    enabled: bool = False
    before_s: Seconds = 2.0
    """Before the first look; it begins at the key frame before that."""
    after_s: Seconds = 2.0
    """After the last look."""
    longest_s: float = Field(default=15.0, gt=0)
    """All in all; of passages that take longer, the end is shown."""
    memory_mb: float = Field(default=32.0, gt=0)
    """Of each camera, for the packets of its last seconds; with more, the oldest are given up."""
    without: tuple[Annotated[str, Field(pattern=SOURCE_ID)], ...] = ()
    """Cameras and sources of which there are no clips."""

    @field_validator("longest_s")
    @classmethod
    def _room_for_both(cls, value: float, info: ValidationInfo) -> float:
        before_s, after_s = info.data.get("before_s", 0.0), info.data.get("after_s", 0.0)
        if before_s + after_s >= value:
            raise PydanticCustomError("bad_pattern", "must be more than before_s and after_s together", {})
        return value


class EvidenceConfig(Section):
    """The pictures of an event. The crop that was read is always kept; the others show more than a plate, so they must be asked for."""

    vehicle: bool = False
    """What is around the plate, as large as a car."""
    scene: bool = False
    """The whole picture, as far as ``region`` and ``privacy_masks`` show it."""
    format: Literal["jpeg", "webp"] = "jpeg"
    quality: int = Field(default=85, ge=1, le=100)
    scene_max_px: int = Field(default=1920, ge=64)
    """Longer side of a scene at most; larger ones are shrunk."""
    keep_free_mb: float = Field(default=500.0, ge=0)
    """With less free on the disk, clips are left out of events, with less than three quarters of it scenes, too, with less than half of it
    vehicles, with less than a quarter crops; the rest is for events alone. 0: nothing is left out, and events wait until there is room."""
    redact: RedactConfig = RedactConfig()
    seal_to: tuple[PublicKey, ...] = ()
    """Everything is encrypted to these public keys of age before it is written: only who has the private half of one can look."""
    seal_to_file: Path | None = None
    """Further ones, one a line."""
    clip: ClipConfig = ClipConfig()
    """After ``redact``, which it is checked against."""

    @field_validator("clip")
    @classmethod
    def _nothing_is_undone(cls, value: ClipConfig, info: ValidationInfo) -> ClipConfig:
        redact = info.data.get("redact")
        if not value.enabled or redact is None:
            return value
        hidden = [key for key in ("other_plates", "windows") if getattr(redact, key)]
        if hidden:
            what = "shows what evidence.redact hides in pictures: set redact.{keys} to false, or leave clips out"
            raise PydanticCustomError("bad_pattern", what, {"keys": " and redact.".join(hidden)})
        regions = sorted(set(redact.regions) - set(value.without))
        if regions:
            what = "shows the regions that evidence.redact hides: name {names} in clip.without, or leave clips out"
            raise PydanticCustomError("bad_pattern", what, {"names": ", ".join(regions)})
        return value


def check_clips(evidence: EvidenceConfig, cameras: Mapping[str, Camera], sources: Collection[str]) -> None:
    """Check the section against the cameras, and the names of recorded sources. Raises PydanticCustomError."""
    clip = evidence.clip
    if not clip.enabled:
        return
    known = {*cameras, *sources}
    for name in clip.without:
        if known and name not in known:
            raise PydanticCustomError("unknown_name", "is no camera and no source (clip.without)", {"valid": sorted(known), "name": name})
    masked = sorted(name for name, camera in cameras.items() if (camera.privacy_masks or camera.region) and name not in clip.without)
    if masked:
        what = "asks for clips, which show what privacy_masks and region hide: name {names} in evidence.clip.without, or leave clips out"
        raise PydanticCustomError("bad_pattern", what, {"names": ", ".join(masked)})
