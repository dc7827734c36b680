"""Country formats: data files in ``countries/``, one per country, read into :class:`Format`.

A file has these keys (all but ``letters``, ``lists``, ``groups`` and ``regions`` are needed)::

    country  = "DE"            ISO 3166-1 alpha-2; "" for the forms that belong to no country
    name     = "Germany"
    groups   = ["EU", "EEA"]   names under which a user may ask for the country
    vehicles = 55.0            registered vehicles in millions, roughly: how often its plates are to be expected
    source   = "..."           where the rules were taken from
    letters  = "ABC..."        what ``A`` means in the patterns of this file (default A-Z)
    [lists]                    closed lists for the patterns, see pattern.py
    [regions]                  states with their own plates: code = vehicles in millions
    [[format]]                 one or more:
    name = "current"           unique in the country (and region)
    pattern = "..."            see pattern.py; or a list of patterns
    share = 0.9                of the country's (or region's) plates, roughly
    since = 2001               first year
    examples = ["..."]         each must fit the pattern
    regions = ["TX"]           where the file has regions
    letters, max_length, source, vanity    optional; ``vanity``: chosen texts, which fit everything and therefore prove nothing
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from streamer.plates.pattern import LETTERS, Variant, expand, parse_list

MAX_LENGTH = 12
"""Longest text that any format has."""

_FILE_KEYS = {"country", "name", "groups", "vehicles", "source", "letters", "lists", "regions", "format"}
_FORMAT_KEYS = {"name", "pattern", "share", "since", "examples", "regions", "letters", "max_length", "source", "vanity"}


@dataclass(frozen=True, slots=True)
class Format:
    """One form of the plates of a country or of a state of it."""

    country: str
    """ISO 3166-1 alpha-2, with a state as ``US-TX``; empty for the forms that belong to no country."""
    name: str
    """Unique over all countries, for example ``GB current``."""
    groups: tuple[str, ...]
    """Other names under which a user may ask for it, for example ``EU``, ``US``."""
    variants: tuple[Variant, ...]
    """The fixed length forms of its pattern."""
    vehicles: float
    """Millions of vehicles that carry it, roughly: the prior."""
    since: int
    source: str
    examples: tuple[str, ...]
    vanity: bool
    """Chosen texts: it fits everything, so that fitting it proves nothing."""


@cache
def all_formats() -> tuple[Format, ...]:
    """Read every country file of the package, in the order of their names. Raises ValueError that names the file and the mistake."""
    files = sorted(
        (f for f in resources.files("streamer.plates").joinpath("countries").iterdir() if f.name.endswith(".toml")), key=lambda f: f.name
    )
    return tuple(fmt for file in files for fmt in parse(file.name, file.read_text(encoding="utf-8")))


def known_countries() -> tuple[str, ...]:
    """Give every name that a user may ask for: countries, states and groups, sorted."""
    return tuple(sorted({name for fmt in all_formats() for name in (fmt.country, *fmt.groups) if name}))


def parse(file: str, text: str) -> tuple[Format, ...]:
    """Read one country file. Raises ValueError that names the file and the mistake."""
    try:
        data = tomllib.loads(text)
        _check(data, _FILE_KEYS, _FILE_KEYS - {"letters", "lists", "regions", "groups"})
        lists = {name: parse_list(entries) for name, entries in data.get("lists", {}).items()}
        return tuple(fmt for entry in data["format"] for fmt in _formats(data, entry, lists))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _check(data: Mapping[str, Any], known: set[str], needed: set[str]) -> None:
    if unknown := sorted(set(data) - known):
        raise ValueError(f"unknown keys {unknown}; known are {sorted(known)}")
    if missing := sorted(needed - set(data)):
        raise ValueError(f"keys {missing} are missing")


def _formats(data: Mapping[str, Any], entry: Mapping[str, Any], lists: Mapping[str, tuple[str, ...]]) -> Iterator[Format]:
    """One format, once per region that it names."""
    _check(entry, _FORMAT_KEYS, {"name", "pattern", "share", "since", "examples"})
    letters = entry.get("letters", data.get("letters", LETTERS))
    patterns = [entry["pattern"]] if isinstance(entry["pattern"], str) else entry["pattern"]
    forms = (expand(pattern, letters, lists, entry.get("max_length", MAX_LENGTH)) for pattern in patterns)
    variants = tuple(dict.fromkeys(itertools.chain.from_iterable(forms)))
    regions: Mapping[str, float] = data.get("regions", {})
    country, groups = data["country"], tuple(data.get("groups", ()))
    places = [(f"{country}-{code}", (country, *groups), regions[code]) for code in entry.get("regions", ())]
    for place, names, vehicles in places or [(country, groups, data["vehicles"])]:
        yield Format(
            country=place,
            name=f"{place} {entry['name']}".strip(),
            groups=names,
            variants=variants,
            vehicles=vehicles * entry["share"],
            since=entry["since"],
            source=entry.get("source", data["source"]),
            examples=tuple(entry["examples"]),
            vanity=entry.get("vanity", False),
        )
