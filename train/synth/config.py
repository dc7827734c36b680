"""What a user may set about synthetic plates: shares and ranges, in a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from train.settings import read_settings

Share = Annotated[float, Field(ge=0, le=1)]


class SynthConfig(BaseModel):
    """Settings of the generator. Shares are of all crops unless said otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    random_texts: Share = 0.25
    """Texts that follow no country's format: chosen ones, and formats that are not known."""
    countries: dict[str, Annotated[float, Field(ge=0)]] = {
        "US": 4.0,
        "BR": 3.0,
        "IN": 4.0,
        "NL": 3.0,
        "DE": 2.0,
        "GB": 2.0,
        "FR": 1.5,
        "IT": 1.5,
        "CN": 1.5,
        "CA": 2.0,
        "MX": 2.0,
    }
    """How often a country is drawn, as a factor on its usual weight: ``US: 2.0`` doubles it, 0 leaves it out."""
    two_lines: Share = 0.3
    """Of the plates whose country has two-line plates."""
    inverted: Share = 0.06
    """Light characters on a dark ground where the country does not ask for it."""
    slanted: Share = 0.2
    """Crops turned or sheared by up to ``slant_degrees``."""
    slant_degrees: Annotated[float, Field(ge=0, le=45)] = 25.0
    grey: Share = 0.15
    """Grey pictures: infrared and old cameras."""
    night: Share = 0.12
    cut: Share = 0.15
    """Crops that cut into the plate's rim, never into a character."""
    loose: Share = 0.2
    """Crops with margins of up to 30 %."""
    frames: Share = 0.35
    character_height: tuple[int, int] = (8, 48)
    """Pixels of a character in the crop, smallest and largest; small ones are drawn more often."""
    squat: tuple[float, float] = (0.75, 1.25)
    """Range of the factor on a plate's width over its height."""

    @field_validator("character_height", "squat")
    @classmethod
    def _in_order(cls, span: tuple[float, float]) -> tuple[float, float]:
        if not 0 < span[0] <= span[1]:
            raise ValueError(f"{list(span)} is no range: two numbers above 0, the smaller one first")
        return span


def load_synth_config(path: Path | None) -> SynthConfig:
    """Read a YAML file; None gives the defaults. Raises UsageError that names the file and the key."""
    return read_settings(path, SynthConfig, "configs/train/synth.yaml")
