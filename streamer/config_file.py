"""Configuration files: YAML in, Config out, or every mistake at once with its file, line, key, value and the nearest valid key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from streamer.config import PATH_OR_NAME, Config
from streamer.config_messages import message, of_kind, resolve
from streamer.config_yaml import Document, Loc, Mark, YamlError, parse
from streamer.errors import ConfigError, ConfigProblem
from streamer.log import redact

OPTIONS: Final = "options"
"""Stands for the file name in problems with overrides."""

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_SECRET_KEY: Final = re.compile(r"passw|secret|token|credential|(api|private|access)_?key", re.IGNORECASE)
_SECRET_VALUE: Final = re.compile("AGE-SECRET-KEY-", re.IGNORECASE)
"""Somebody took the wrong half of a key pair."""
_WEIGHT_SUFFIXES: Final = frozenset({".pt", ".onnx", ".xml", ".engine"})
_SHOWN_CHARS: Final = 60


def load_config(path: Path | None = None, overrides: Mapping[str, object] = _NOTHING) -> Config:
    """Read a configuration.

    Args:
        path: YAML file; without one, all values are the defaults. Relative paths in it are relative to its folder.
        overrides: values by dotted key (``{"detector.confidence": 0.4}``) that stand above the file's; None means not given.
            Relative paths in them stay as they are.

    Raises:
        ConfigError: with all mistakes at once.
    """
    config, problems = _load(path, overrides)
    if config is None:
        raise ConfigError(problems)
    return config


def check(path: Path) -> list[ConfigProblem]:
    """Give every mistake in a configuration file, in the order of its lines; none if it can be used."""
    return _load(path, _NOTHING)[1]


def _load(path: Path | None, overrides: Mapping[str, object]) -> tuple[Config | None, list[ConfigProblem]]:
    """Give the configuration, or None and what is wrong."""
    file = str(path) if path is not None else OPTIONS
    try:
        document = Document(data={}) if path is None else parse(path.read_bytes())
    except OSError as error:
        return None, [ConfigProblem(file, None, "", None, f"cannot be read: {error.strerror or error}")]
    except YamlError as error:
        return None, [ConfigProblem(file, error.line, "", None, str(error), error.column)]
    problems = [_problem(file, loc, mark, text) for loc, mark, text in document.faults]
    schema = _schema()
    data = _prepared({} if document.data is None else document.data, schema, schema, path.parent if path is not None else Path())
    overridden: dict[Loc, object] = {tuple(key.split(".")): value for key, value in overrides.items() if value is not None}
    for loc, value in overridden.items():
        data = _with(data, loc, value)
    unusable = {loc for loc, mark, _ in document.faults if document.marks.get(loc) == mark}
    config: Config | None = None
    try:
        config = Config.model_validate_json(json.dumps(data, default=str), strict=True, context={"countries": _known_countries})
    except ValidationError as invalid:
        for details in invalid.errors(include_url=False):
            at, text = message(details, schema, lambda place: place in document.marks or place in overridden)
            if at in unusable:
                continue
            option = next((place for place in overridden if at[: len(place)] == place), None)
            if option is None:
                problems.append(_problem(file, at, document.marks.get(at), text, _line_above(at, document)))
            else:
                problems.append(ConfigProblem(OPTIONS, None, _dotted(at), _value(at, str(overridden[option])), text))
    problems.sort(key=lambda problem: (problem.line is None, problem.line or 0))
    return (None if problems else config), problems


@cache
def _schema() -> Mapping[str, Any]:
    return Config.model_json_schema()


def _problem(file: str, loc: Loc, mark: Mark | None, text: str, line_above: int | None = None) -> ConfigProblem:
    if mark is None:
        return ConfigProblem(file, line_above, _dotted(loc), None, text)
    return ConfigProblem(file, mark.line, _dotted(loc), _value(loc, mark.text), text)


def _line_above(loc: Loc, document: Document) -> int | None:
    """Give the line of the innermost section around ``loc`` that the file has."""
    around = (document.marks.get(loc[:length]) for length in range(len(loc) - 1, 0, -1))
    return next((mark.line for mark in around if mark is not None), None)


def _dotted(loc: Loc) -> str:
    return ".".join(str(part) for part in loc)


def _value(loc: Loc, text: str) -> str:
    """Shorten a value for a message, and mask what may be secret."""
    if any(_SECRET_KEY.search(str(part)) for part in loc) or _SECRET_VALUE.search(text):
        return "***"
    text = redact(text)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."


def _prepared(data: object, schema: Mapping[str, Any], root: Mapping[str, Any], folder: Path) -> object:
    """Give the data with paths made relative to the working folder, and sections whose keys are all commented out made empty."""
    schema = resolve(schema, root)
    if "discriminator" in schema and isinstance(data, dict):
        schema = of_kind(schema, data.get(schema["discriminator"]["propertyName"]), root)
    if schema.get("type") == "object":
        if data is None:
            return {}
        if not isinstance(data, dict):
            return data
        known = schema.get("properties", {})
        entries: Mapping[str, Any] = next(iter(schema.get("patternProperties", {}).values()), {})
        return {key: _prepared(value, known.get(key, entries), root, folder) for key, value in data.items()}
    form = schema.get("format")
    if isinstance(data, str) and data and (form == "path" or (form == PATH_OR_NAME and _looks_like_path(data))):
        return str(folder / Path(data).expanduser())
    return data


def _looks_like_path(text: str) -> bool:
    return "/" in text or Path(text).suffix in _WEIGHT_SUFFIXES


def _with(data: object, loc: Loc, value: object) -> object:
    """Give a copy of the data in which ``value`` stands at ``loc``."""
    if not loc:
        return value
    above = data if isinstance(data, dict) else {}
    return {**above, loc[0]: _with(above.get(loc[0]), loc[1:], value)}


def _known_countries() -> Sequence[str]:
    """Give the country codes that there are formats of. Reads the format files, so it is called only when a country is named."""
    from streamer.plates import known_countries

    return known_countries()
