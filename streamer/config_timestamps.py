"""The section `timestamps:` of a configuration: who outside says when the chain stood as it does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from streamer.config_section import Section

Oid = Annotated[str, Field(pattern=r"^[0-2](\.(0|[1-9][0-9]*))+$")]


class TimestampsConfig(Section):
    """Timestamps (RFC 3161) of the chain; off without `url`. Nothing leaves but the SHA-256 of the last entry's hash."""

    url: str | None = None
    """Of the timestamp authority, http or https."""
    ca_file: Path | None = None
    """Certificates (PEM) that its own is checked against; needed with `url`. Keep a copy: `verify --tsa-ca` asks for it."""
    every_s: float = Field(default=3600.0, ge=1)
    """How often, if anything was recorded since."""
    every_events: Annotated[int, Field(ge=1)] | None = None
    """Also after so many entries of the chain."""
    policy: Oid | None = None
    """Answers must be issued under it, as 1.2.3.4."""
    timeout_s: float = Field(default=10.0, gt=0, le=60)

    @field_validator("url")
    @classmethod
    def _is_web(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise PydanticCustomError("bad_pattern", "is no http or https address", {})
        return url

    @model_validator(mode="after")
    def _can_be_checked(self) -> TimestampsConfig:
        if self.url is not None and self.ca_file is None:
            raise PydanticCustomError("bad_pattern", "ca_file is needed: what cannot be checked is worth nothing", {})
        return self
