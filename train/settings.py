"""Settings of a training or of the synthetic plates from a YAML file, for any pydantic model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from streamer.errors import UsageError

Model = TypeVar("Model", bound=BaseModel)


def read_settings(path: Path | None, model: type[Model], example: str, /, **changes: Any) -> Model:
    """Read the settings; without a file, the defaults. ``changes`` (command line options) that are not None win.

    ``example``: a file that shows all keys. Raises UsageError naming the file and every wrong key.
    """
    try:
        given = (yaml.safe_load(path.read_text("utf-8")) or {}) if path else {}
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is no YAML ({error})") from error
    if not isinstance(given, dict):
        raise UsageError(f"{path}: must be keys with values, as {example} has them")
    try:
        return model.model_validate(given | {key: value for key, value in changes.items() if value is not None})
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, not {e['input']!r}" for e in error.errors())
        raise UsageError(f"{path or 'options'}: {told}") from error
