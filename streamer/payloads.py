"""Which events a sink wants, and what is sent of them (pure).

A template names the fields of a JSON object and what stands in each: ``{path}`` for a value of the event, which keeps its kind, or text
with such in it. (The other way, one text with ``{path}`` in it as the whole payload, would need escapes of its own for every receiver's
language, and one quote in a name would break it or, worse, mean something. A field with text in it does what most need of that.)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

_PART: Final = re.compile(r"\{\{|\}\}|\{(?P<path>[A-Za-z0-9_.]+)\}|(?P<wrong>[{}])")

_SHORTEST_MASKED: Final = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """Which revisions a sink wants."""

    states: frozenset[str]
    cameras: tuple[str, ...] = ()
    """Patterns with ``*`` and ``?``; empty: all."""
    min_score: float = 0.0
    """Of the plate; a revision without a score has 0."""
    with_plate: bool = False

    def wants(self, event: Mapping[str, Any]) -> bool:
        """Say whether a revision is wanted."""
        return (
            event["state"] in self.states
            and (not self.cameras or any(fnmatchcase(event["source"], pattern) for pattern in self.cameras))
            and (event["score"] or 0.0) >= self.min_score
            and (event["plate"] is not None or not self.with_plate)
        )


def paths_in(text: str) -> tuple[str, ...]:
    """Give the paths of a template's field, in order. Raises ValueError: a brace that is neither of a path nor doubled."""
    found = []
    for match in _PART.finditer(text):
        if match["wrong"]:
            raise ValueError("braces stand around a path of the event, as in {plate} or {best.time}; a brace itself is written twice")
        if match["path"]:
            found.append(match["path"])
    return tuple(found)


def unknown_path(template: Mapping[str, str], known: Sequence[str]) -> str | None:
    """Give the first path of a template whose first word is no field of an event; None if all are."""
    paths = (path for text in template.values() for path in paths_in(text))
    return next((path for path in paths if path.split(".")[0] not in known), None)


def value_at(event: Any, path: str) -> Any:
    """Give what stands at a path such as ``best.time`` or ``evidence.0.file``; None where there is nothing."""
    found = event
    for part in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, Sequence) and not isinstance(found, str) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def filled(template: Mapping[str, str], event: Mapping[str, Any]) -> dict[str, Any]:
    """Give the object that a template makes of an event."""
    return {field: _filled_field(text, event) for field, text in template.items()}


def payload(template: Mapping[str, str], event: Mapping[str, Any], line: str) -> str:
    """Give what is sent of an event: ``line``, as it was recorded, or what the template makes of it, as compact JSON."""
    if not template:
        return line
    text = json.dumps(filled(template, event), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()


def text_of(value: Any) -> str:
    """Give a value as it stands within text: nothing for null, JSON for lists and objects."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)


def without_plates(text: str, events: Sequence[Mapping[str, Any]]) -> str:
    """Mask what is read on the plates of events in a text, if it is of three characters or more."""
    found = {event.get(field) for event in events for field in ("plate", "raw")}
    plates = sorted((plate for plate in found if isinstance(plate, str) and len(plate) >= _SHORTEST_MASKED), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, plates)), "***", text) if plates else text


def _filled_field(text: str, event: Mapping[str, Any]) -> Any:
    whole = _PART.fullmatch(text)
    if whole is not None and whole["path"]:
        return value_at(event, whole["path"])
    return _PART.sub(lambda part: text_of(value_at(event, part["path"])) if part["path"] else part[0][0], text)
