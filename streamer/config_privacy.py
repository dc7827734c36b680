"""What a user may write about what is kept of people, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from streamer.config_section import Section

Days = Annotated[float, Field(gt=0)]


class RetentionConfig(Section):
    """How long things are kept, days from when a vehicle was seen (0.002: three minutes). Without a number, for ever."""

    events_without_plate_days: Days | None = None
    """Vehicles whose plate could not be read."""
    reads_days: Days | None = None
    """Vehicles with a plate that broke no rule: as long as there are no rules, all."""
    hits_days: Days | None = None
    """Vehicles that broke a rule. There are no rules yet, so nothing is a hit."""
    evidence_days: Days | None = None
    """Pictures, if they are to go before their event."""
    audit_days: Days | None = None
    """Who looked at what: from when that was."""


class PrivacyConfig(Section):
    """What is kept of people, and for how long."""

    mode: Literal["full", "pseudonymous", "hits_only"] = "full"
    """``full``: plates; ``pseudonymous``: keyed pseudonyms in their place; ``hits_only``: vehicles that broke no rule leave nothing but
    counters. There are no rules yet, so with ``hits_only`` nothing is recorded."""
    pseudonymous_pictures: bool = False
    """With ``pseudonymous``: keep pictures all the same. The plate can be read on them."""
    key_file: Path | None = None
    """Keys of the pseudonyms; made if it is not there. Without it, pseudonym-keys.json beside the record; better on another disk."""
    rotate_days: Days | None = None
    """Make a new key after so many days: vehicles can be known again for so long only."""
    keep_keys: int = Field(default=0, ge=0)
    """Keys that are kept after the one in use. A key that is not kept is destroyed, and nobody can find a plate by its pseudonym."""
    purge_every_s: float = Field(default=3600.0, gt=0)
    """How often a running program erases what is due."""
    retention: RetentionConfig = RetentionConfig()
