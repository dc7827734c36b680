"""evaluation.json: everything that was measured; evaluation.schema.json, beside this file, describes it."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from streamer.private import make_folder, write_whole
from train.evaluate.figures import Part, Rate, Slice
from train.evaluate.run import Side

NAME = "evaluation.json"


def report(sides: Sequence[Side], files: Sequence[Path], split: str | None, left_out: Counter[str]) -> dict[str, Any]:
    """Give the whole evaluation as JSON values."""
    return {
        "schema": 1,
        "program": version("plate-streamer"),
        "data": [{"file": path.as_posix(), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in files],
        "split": split,
        "left_out": dict(left_out),
        "sides": [_side(side) for side in sides],
        "differences": differences(sides[0].parts, sides[1].parts) if len(sides) == 2 else None,
    }


def write(document: Mapping[str, Any], out: Path) -> Path:
    """Write evaluation.json into a folder, readable by its owner only, because plates are personal data. Raises OSError."""
    make_folder(out)
    file = out / NAME
    write_whole(file, (json.dumps(_finite(document), indent=1, ensure_ascii=False) + "\n").encode())
    return file


def differences(before: Mapping[str, Part], after: Mapping[str, Part]) -> dict[str, Any]:
    """Give B - A of each figure that both have, by part and slice: rates in percentage points, values as they are.

    And the plates that B has right and A wrong (``gained``), and the other way round (``lost``).
    """
    found: dict[str, Any] = {}
    for name in before.keys() & after.keys():
        one, other = before[name], after[name]
        shared = [key for key in one.slices if key in other.slices]
        found[name] = {"slices": {key: _difference(one.slices[key], other.slices[key]) for key in shared}} | _changed(one, other)
    return found


def _difference(one: Slice, other: Slice) -> dict[str, float]:
    points = {key: 100 * (other.rates[key].share - rate.share) for key, rate in one.rates.items() if key in other.rates}
    return points | {key: other.values[key] - value for key, value in one.values.items() if key in other.values}


def _changed(one: Part, other: Part) -> dict[str, Any]:
    def right(part: Part) -> Counter[tuple[str, str]]:
        good = (item for item in part.items if item.get("right", item.get("found")))
        return Counter((item["file"], str(item.get("truth", item.get("box")))) for item in good)

    before, after = right(one), right(other)
    return {"gained": sorted(map(list, (after - before).elements())), "lost": sorted(map(list, (before - after).elements()))}


def _side(side: Side) -> dict[str, Any]:
    models = {name: {"name": info.name, "sha256": info.sha256, "backend": info.backend} for name, info in side.models.items()}
    settings = side.config.model_dump(mode="json", include={"detector", "reader", "tracker", "passages"})
    return {"label": side.label, "models": models, "settings": settings, "parts": {name: _part(p) for name, p in side.parts.items()}}


def _part(part: Part) -> dict[str, Any]:
    return {
        "slices": {
            name: {"rates": {key: _rate(rate) for key, rate in known.rates.items()}, "values": dict(known.values)}
            for name, known in part.slices.items()
        },
        "curves": part.curves,
        "items": part.items,
        "misses": [
            {"what": m.what, "source": m.source, "file": m.file, "truth": m.truth, "given": m.given, "score": m.score} for m in part.misses
        ],
    }


def _rate(rate: Rate) -> dict[str, Any]:
    low, high = rate.interval
    return {"hits": rate.hits, "total": rate.total, "share": rate.share, "low": low, "high": high}


def _finite(value: Any) -> Any:
    """JSON knows no nan: what is not a number becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
