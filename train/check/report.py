"""The report: a folder with report.html, its pictures, sheets for quick looks, and findings.json."""

from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

from streamer.errors import UsageError
from train.check.examine import Examined
from train.check.figures import Numbers, count, draw
from train.check.finding import LEVELS, Entry, Finding, Level
from train.check.tiles import save, sheet, tile

_SHOWN = {"error": 36, "warning": 24, "note": 12}
_FILES_SHOWN = 4
_SAMPLE = 36
_WORKERS = 4
_MARK = "made-by-plate-train-check"


@dataclass(frozen=True, slots=True)
class Item:
    """A finding in the report."""

    finding: Finding
    pictures: tuple[str, ...]
    """Its tiles, relative to the report."""


@dataclass(frozen=True, slots=True)
class Section:
    """All findings of one kind."""

    level: str
    kind: str
    count: int
    shown: tuple[Item, ...]


def write_report(examined: Examined, manifests: Sequence[str], folder: Path) -> None:
    """Write the report into ``folder``; an older report there is replaced. Raises UsageError if something else is there."""
    _prepare(folder)
    numbers = count(examined.entries)
    draw(numbers, folder / "figures.png")
    entries = {entry.picture.file: entry for entry in examined.entries}
    grouped = groupby(examined.findings, key=lambda found: (found.level, found.kind))
    sections = [_section(level, kind, list(found), entries, folder) for (level, kind), found in grouped]
    samples = dict(_samples(examined.entries, folder))
    _write_json(examined, manifests, sections, numbers, folder / "findings.json")
    _write_html(examined, manifests, sections, numbers, samples, folder / "report.html")


def _prepare(folder: Path) -> None:
    if folder.exists():
        if not (folder / _MARK).exists() and any(folder.iterdir()):
            raise UsageError(f"{folder}: holds other things than a report; choose another folder with --out")
        for part in ("pictures", "sheets"):
            shutil.rmtree(folder / part, ignore_errors=True)
    for part in ("pictures", "sheets"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()


def _section(level: Level, kind: str, found: Sequence[Finding], entries: dict[str, Entry], folder: Path) -> Section:
    shown = found[: _SHOWN[level]]
    wanted = [(finding, file) for finding in shown for file in finding.files[:_FILES_SHOWN]]
    with ThreadPoolExecutor(_WORKERS) as pool:
        tiles = list(pool.map(lambda pair: tile(entries[pair[1]], pair[0].plate), wanted))
    name = re.sub(r"\W+", "-", f"{LEVELS.index(level)}-{kind}")
    pictures: dict[int, list[str]] = defaultdict(list)
    for number, ((finding, _), picture) in enumerate(zip(wanted, tiles, strict=True)):
        pictures[id(finding)].append(f"pictures/{name}-{number:03}.jpg")
        save(picture, folder / "pictures" / f"{name}-{number:03}.jpg")
    if tiles:
        save(sheet(tiles, [f"{Path(file).name} {finding.message}" for finding, file in wanted]), folder / "sheets" / f"{name}.jpg")
    return Section(level, kind, len(found), tuple(Item(finding, tuple(pictures[id(finding)])) for finding in shown))


def _samples(entries: Sequence[Entry], folder: Path) -> Iterator[tuple[str, str]]:
    """Draw a sheet for each kind and split: pictures at even distances through the data, the same ones every time."""
    parts: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        parts[entry.picture.kind, entry.picture.split or "no split"].append(entry)
    for (kind, split), many in sorted(parts.items()):
        chosen = [many[place * len(many) // _SAMPLE] for place in range(_SAMPLE)] if len(many) > _SAMPLE else many
        with ThreadPoolExecutor(_WORKERS) as pool:
            tiles = list(pool.map(tile, chosen))
        texts = ["|".join(plate.text or "-" for plate in entry.picture.plates) or "no plate" for entry in chosen]
        file = f"sheets/sample-{kind}-{split.replace(' ', '-')}.jpg"
        captions = [f"{Path(entry.picture.file).name} {text}" for entry, text in zip(chosen, texts, strict=True)]
        save(sheet(tiles, captions), folder / file)
        yield f"{kind}, {split} ({len(many)})", file


def _write_json(examined: Examined, manifests: Sequence[str], sections: Sequence[Section], numbers: Numbers, path: Path) -> None:
    data = {
        "manifests": list(manifests),
        "pictures": len(examined.entries),
        "readable": examined.readable,
        "counts": [{"level": section.level, "kind": section.kind, "count": section.count} for section in sections],
        "totals": numbers.totals,
        "tables": numbers.tables,
        "text_lengths": numbers.lengths,
        "characters": numbers.characters,
        "plates_in_a_photograph": numbers.per_picture,
        "findings": [asdict(finding) for finding in examined.findings],
    }
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _write_html(
    examined: Examined, manifests: Sequence[str], sections: Sequence[Section], numbers: Numbers, samples: dict[str, str], path: Path
) -> None:
    from jinja2 import Environment

    template = resources.files("train.check").joinpath("report.html.jinja").read_text("utf-8")
    splits = sorted({entry.picture.split or "none" for entry in examined.entries})
    values: dict[str, Any] = {
        "manifests": manifests, "entries": len(examined.entries), "readable": examined.readable,
        "sections": sections, "numbers": numbers, "splits": splits, "samples": samples,
    }  # fmt: skip
    # Texts and file names come from strangers' data: everything is escaped.
    path.write_text(Environment(autoescape=True).from_string(template).render(values), "utf-8")
