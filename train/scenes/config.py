"""What a user may set about scenes: shares and ranges, in a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from train.settings import read_settings
from train.synth.config import Share, SynthConfig

Pixels = Annotated[float, Field(gt=0)]


class ScenesConfig(BaseModel):
    """Settings of the scenes. Shares are of all plates in the photographs, or of all scenes, as said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    replaced: Share = 0.85
    """Of the plates: covered, and a rendered one put in their place."""
    erased: Share = 0.07
    """Of the plates: covered, and nothing put in their place. What is neither stays as it is."""
    size: tuple[Pixels, Pixels] = (0.85, 1.35)
    """Area of a rendered plate over that of the one before it."""
    distant: Share = 0.35
    """Of the scenes: have one to three vehicles of other photographs, made small, put into them. Photographs without plates always have."""
    distant_width: tuple[Pixels, Pixels] = (12, 34)
    """Pixels of such a vehicle's plate, narrowest and widest; as many in the lower octave as in the upper."""
    signs: Share = 0.3
    """Of the scenes: have a sign with words or a telephone number, which is no plate."""
    night: Share = 0.2
    """Of the scenes by day: made dark, with plates that a lamp or infrared lights."""
    grey: Share = 0.06
    """Of the scenes: without colour."""
    synth: SynthConfig = SynthConfig(two_lines=0.6, slanted=0.3, slant_degrees=30.0, inverted=0.08)
    """Of the plates; what belongs to crops only (cut, loose, night, grey, character_height) does not count here."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.replaced + self.erased > 1:
            raise ValueError(f"replaced {self.replaced} and erased {self.erased} are more than all plates")
        for name, (low, high) in (("size", self.size), ("distant_width", self.distant_width)):
            if low > high:
                raise ValueError(f"{name}: [{low}, {high}] is no range: the smaller number first")
        return self


def load_scenes_config(path: Path | None) -> ScenesConfig:
    """Read a YAML file; None gives the defaults. Raises UsageError that names the file and the key."""
    return read_settings(path, ScenesConfig, "configs/train/scenes.yaml")
