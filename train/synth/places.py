"""What plates look like by country and which words stand on them beside the registration: plates.toml, read once."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """Give a table of plates.toml."""
    data: dict[str, dict[str, Any]] = tomllib.loads(resources.files("train.synth").joinpath("plates.toml").read_text("utf-8"))
    return data[name]


@cache
def places() -> tuple[tuple[str, str], ...]:
    """Give names and slogans of all states and other places."""
    rows = (*table("states").values(), *table("places")["names"])
    return tuple((name, slogan) for name, slogan in rows)


def captions(name: str) -> tuple[str, ...]:
    """Give a list of small texts."""
    return tuple(table("captions")[name])
