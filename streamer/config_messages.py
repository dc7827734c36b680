"""What is wrong with a configuration, in plain words: pydantic's errors and the JSON Schema of the sections to one sentence each (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

from streamer.config_yaml import Loc

Schema = Mapping[str, Any]
"""A JSON Schema as pydantic writes it."""

SOURCE_NAMES = "a source's name begins with a letter or digit and has at most 64 letters, digits, '.', '_' and '-'"
_NAMED_AT = 3
"""Where those names stand: in a section of the whole, as its keys."""


def message(error: ErrorDetails, root: Schema, given: Callable[[Loc], bool]) -> tuple[Loc, str]:
    """Give where the mistake stands and what is wrong.

    Args:
        error: one error of pydantic about the whole configuration.
        root: JSON Schema of the whole configuration.
        given: says whether the user wrote anything at a place; a mistake between two keys is shown at one that was written.
    """
    if error["type"] in ("union_tag_not_found", "union_tag_invalid"):
        section = schema_at(error["loc"], root)
        kind_key = str(section["discriminator"]["propertyName"])
        return (*_as_written(error["loc"], root), kind_key), _wrong_kind(section, error.get("ctx", {}).get("tag"))
    place, text = _message(error, root, lambda loc: given(_as_written(loc, root)))
    return _as_written(place, root), text


def _message(error: ErrorDetails, root: Schema, given: Callable[[Loc], bool]) -> tuple[Loc, str]:
    """Like ``message``, but with pydantic's places: where a section is of one of several kinds, the kind follows the section."""
    loc: Loc = error["loc"]
    kind, context = error["type"], error.get("ctx", {})
    if loc and loc[-1] == "[key]":
        return loc[:-1], SOURCE_NAMES if len(loc) == _NAMED_AT else "is no name that can stand here"
    if kind == "extra_forbidden":
        return loc, f"unknown key; {_nearest_key(loc, root)}"
    if kind == "missing":
        return loc, f"is missing; it must be {describe(schema_at(loc, root), root)}"
    if kind == "out_of_order":
        other: Loc = (*loc[:-1], context["lower"])
        return (loc if given(loc) or not given(other) else other), error["msg"]
    if kind == "unknown_name":
        name = context.get("name", error["input"])
        return loc, f"{name!r} {error['msg']}{_meant(str(name), context['valid'])}"
    if kind == "bad_pattern":
        return loc, error["msg"]
    schema = schema_at(loc, root)
    if not schema:
        return loc, error["msg"]
    hint = _meant(str(error["input"]), schema.get("enum", ()))
    if schema.get("type") == "boolean" and str(error["input"]).lower() in ("yes", "no", "on", "off"):
        hint = " (yes, no, on and off are text in YAML 1.2)"
    return loc, f"must be {describe(schema, root)}{hint}"


def resolve(schema: Schema, root: Schema) -> Schema:
    """Follow ``$ref``, and take the one kind that a value may have beside null."""
    while True:
        if "$ref" in schema:
            schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
        elif "anyOf" in schema:
            schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
        else:
            return schema


def of_kind(schema: Schema, kind: object, root: Schema) -> Schema:
    """Give the schema of one kind of a section that is of one of several; empty if there is no such kind."""
    found = schema["discriminator"]["mapping"].get(kind) if isinstance(kind, str) else None
    return {} if found is None else resolve({"$ref": found}, root)


def _wrong_kind(schema: Schema, kind: object) -> str:
    kinds = sorted(schema["discriminator"]["mapping"])
    return f"must be one of {', '.join(kinds)}" + ("" if kind is None else _meant(str(kind), kinds))


def _as_written(loc: Loc, root: Schema) -> Loc:
    """Leave out of a place of pydantic's what the user did not write: the kinds of sections."""
    return tuple(part for number, part in enumerate(loc) if "discriminator" not in schema_at(loc[:number], root))


def schema_at(loc: Loc, root: Schema) -> Schema:
    """Give the schema of the value at ``loc``, a place of pydantic's; empty if there is no such key."""
    schema = resolve(root, root)
    for part in loc:
        if "discriminator" in schema:
            schema = of_kind(schema, part, root)
            continue
        below = schema.get("items") if isinstance(part, int) else schema.get("properties", {}).get(part)
        below = below or next(iter(schema.get("patternProperties", {}).values()), None)
        if below is None:
            return {}
        schema = resolve(below, root)
    return schema


def describe(schema: Schema, root: Schema) -> str:
    """Say what a value may be: ``a number from 0 to 1``."""
    schema = resolve(schema, root)
    if "enum" in schema:
        return "one of " + ", ".join(str(one) for one in schema["enum"])
    kind = "object" if "discriminator" in schema else schema.get("type")
    if kind in ("integer", "number"):
        return _describe_number(schema)
    if kind == "string":
        fallback = {"path": "a path", "path-or-name": "a name or a path", "date-time": "a time such as 2026-05-01T08:00:00+02:00"}
        return str(schema.get("description") or fallback.get(schema.get("format", ""), "text"))
    if kind == "array":
        return f"a list, [...], each of it {describe(schema['items'], root)}"
    return {"boolean": "true or false", "object": "a section, with keys of its own"}.get(str(kind), "something else")


def _describe_number(schema: Schema) -> str:
    what = "a whole number" if schema["type"] == "integer" else "a number"
    low, above, high = schema.get("minimum"), schema.get("exclusiveMinimum"), schema.get("maximum")
    if low is not None and high is not None:
        what += f" from {low:g} to {high:g}"
    elif low is not None:
        what += f" of at least {low:g}"
    elif above is not None:
        what += f" above {above:g}"
    return what + (f", a multiple of {schema['multipleOf']:g}" if "multipleOf" in schema else "")


def _nearest_key(loc: Loc, root: Schema) -> str:
    """Say which key may have been meant: the same word in another section, or one like it in the same."""
    key, here = str(loc[-1]), list(schema_at(loc[:-1], root).get("properties", {}))
    near = difflib.get_close_matches(key, here, n=1)
    other = [f"{section}.{name}" for section, name in _section_keys(root) if name == key]
    if other or near:
        return f"did you mean '{(other or near)[0]}'?"
    return f"valid here: {', '.join(here)}"


def _section_keys(root: Schema) -> Iterable[tuple[str, str]]:
    for section, schema in resolve(root, root).get("properties", {}).items():
        for name in resolve(schema, root).get("properties", {}):
            yield section, name


def _meant(text: str, valid: Iterable[str]) -> str:
    near = difflib.get_close_matches(text, [str(one) for one in valid], n=1)
    return f"; did you mean '{near[0]}'?" if near else ""
