"""What all sections of the configuration share: their base and the types of their values."""

from __future__ import annotations

import re
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

SOURCE_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""What a source may be called: the name becomes part of file names."""

PATH_OR_NAME = "path-or-name"
"""JSON Schema ``format`` of a string that is a path if it looks like one, and else a name."""

START_GROUPS = ("year", "month", "day", "hour", "minute", "second")
"""Groups that ``start_pattern`` must have, unless it has the one group ``epoch``; ``microsecond`` may come on top."""


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise PydanticCustomError("unknown_name", "is not a time zone", {"valid": sorted(available_timezones())}) from None
    return name


def _start_pattern(pattern: str) -> str:
    try:
        groups = set(re.compile(pattern).groupindex)
    except re.error as error:
        raise PydanticCustomError("bad_pattern", "is not a regular expression: {why}", {"why": str(error)}) from None
    if "epoch" in groups:
        return pattern
    missing = [group for group in START_GROUPS if group not in groups]
    if missing:
        raise PydanticCustomError("bad_pattern", "lacks the group {why}, written (?P<name>...)", {"why": ", ".join(missing)})
    return pattern


Number = TypeVar("Number", int, float)


def in_order(value: Number, info: ValidationInfo, lower: str) -> Number:
    """Check ``value`` against the field ``lower``, which must stand before it and not exceed it."""
    least = info.data.get(lower)
    if least is not None and least > value:
        what = {"lower": lower, "least": least, "upper": info.field_name or "", "value": value}
        raise PydanticCustomError("out_of_order", "{lower} ({least}) must not exceed {upper} ({value})", what)
    return value


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.0)]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N")]
TimeZone = Annotated[str, AfterValidator(_known_time_zone)]
StartPattern = Annotated[str, AfterValidator(_start_pattern)]
PathOrName = Annotated[str, Field(min_length=1, json_schema_extra={"format": PATH_OR_NAME})]


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys forbidden."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)
