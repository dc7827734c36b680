"""What a user may write about any sink: where it begins, what it gets, what becomes of what it does not take, how it is let in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from streamer.config_section import Fraction, Section, in_order
from streamer.payloads import paths_in

State = Literal["preview", "final", "withdrawn", "corrected"]

_FIELD = r"^[^\x00-\x1f{}]{1,100}$"


def wrong(what: str, why: str = "") -> PydanticCustomError:
    """Give the error of a value: ``what`` in words, then ``why`` as it is."""
    return PydanticCustomError("bad_pattern", what + "{why}", {"why": why})


def _template_field(text: str) -> str:
    try:
        paths_in(text)
    except ValueError as error:
        raise wrong("", str(error)) from None
    return text


def _http_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, has_user = parts.hostname, parts.username is not None
    except ValueError:
        raise wrong("must be an address such as https://host/path") from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", url):
        raise wrong("must be an address such as https://host/path")
    if has_user:
        raise wrong("must not hold a user or password: use the key token_file")
    return url


HttpUrl = Annotated[str, AfterValidator(_http_url), Field(description="an address such as https://host/path")]
Template = dict[Annotated[str, Field(pattern=_FIELD)], Annotated[str, AfterValidator(_template_field)]]
Port = Annotated[int, Field(ge=1, le=65535)]


class FilterConfig(Section):
    """Which events a sink gets: those that fulfil all of it."""

    states: tuple[State, ...] = ("final", "corrected")
    """Previews and withdrawals are there only with ``events.states: all``."""
    cameras: tuple[str, ...] = ()
    """Names with ``*`` and ``?``; empty: all."""
    min_score: Fraction = 0.0
    """Least score of the plate."""
    with_plate: bool = False
    """Leave out vehicles whose plate could not be read."""


class RetryConfig(Section):
    """What happens to what a sink does not take."""

    backoff_min_s: float = Field(default=0.5, gt=0)
    backoff_max_s: float = Field(default=60.0, gt=0)
    """Waits between attempts double from the one to the other."""
    give_up_after_s: Annotated[float, Field(gt=0)] | None = None
    """An event that has waited so long for a sink that fails becomes a dead letter; without it the sink is waited for, in order."""
    on_refusal: Literal["dead_letter", "block"] = "dead_letter"
    """What becomes of an event that the sink will not take: it is put aside, or it holds up those behind it."""
    refused_attempts: int = Field(default=3, ge=1)
    """So often it is refused before it is put aside."""

    @field_validator("backoff_max_s")
    @classmethod
    def _in_order(cls, value: float, info: ValidationInfo) -> float:
        return in_order(value, info, "backoff_min_s")


class SinkSection(Section):
    """What every sink has."""

    start: Literal["now", "beginning"] = "now"
    """Where a sink of a new name begins: with what comes from now on, or with all that the store has."""
    filter: FilterConfig = FilterConfig()
    template: Template = Field(default={})
    """What is sent instead of the event: field name -> text with ``{path}`` of the event in it; a lone ``{path}`` keeps its kind."""
    retry: RetryConfig = RetryConfig()

    secrets: ClassVar[tuple[str, ...]] = ()
    """Keys that may be given as they are, by NAME_file or by NAME_env."""

    @field_validator("*", mode="after")
    @classmethod
    def _one_secret(cls, value: Any, info: ValidationInfo) -> Any:
        name = (info.field_name or "").removesuffix("_env")
        if name == info.field_name or name not in cls.secrets:
            return value
        given = [key for key in (name, f"{name}_file") if info.data.get(key) is not None] + [f"{name}_env"] * (value is not None)
        if len(given) > 1:
            raise wrong("only one may be given of ", ", ".join(given))
        return value


class AccountSection(SinkSection):
    """A sink that a server takes events for from those that it knows."""

    ca_file: Path | None = None
    user: str | None = None
    password: SecretStr | None = None
    """Better: ``password_file`` or ``password_env``."""
    password_file: Path | None = None
    password_env: str | None = None
    timeout_s: float = Field(default=5.0, gt=0)

    secrets: ClassVar[tuple[str, ...]] = ("password",)
