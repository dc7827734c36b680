"""The section `evidence:` of a configuration: which pictures of an event are kept, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamer.config_section import Section


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
