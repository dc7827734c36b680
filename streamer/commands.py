"""What the short commands do: results on standard output, messages on standard error, the exit code as the result."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from streamer.errors import SourceError, UsageError
from streamer.events import plate_label, to_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from streamer.config import Config
    from streamer.doctor import State
    from streamer.pipeline import Pipeline, PlateResult
    from streamer.types import Image

PICTURES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
"""Endings, in lower case, of what is read in a folder; a file that is named is read whatever its ending."""

PICTURES_PER_CALL: Final = 8
"""Loaded and read together."""

_SCORE_DIGITS: Final = 4
_PIXEL_DIGITS: Final = 1
_STYLES: Final[dict[State, str]] = {"ok": "green", "absent": "dim", "warn": "yellow", "missing": "bold red"}


def run_read(config: Config, images: Sequence[Path], *, as_json: bool) -> int:
    """Print the plates of pictures and of the pictures in folders.

    Returns:
        0, or 2 if a picture could not be read: it is named on standard error, the others are read all the same.

    Raises:
        UsageError: a folder has no pictures.
        WeightsError: the weights cannot be used.
        MissingPackageError: a package that the configuration asks for is not installed.
    """
    from streamer.app import build_pipeline

    files = list(_picture_files(images))
    pipeline = build_pipeline(config, stills=True)
    records: list[dict[str, Any]] = []
    failed = False
    for first in range(0, len(files), PICTURES_PER_CALL):
        for record in _read_pictures(pipeline, files[first : first + PICTURES_PER_CALL]):
            if "error" in record:
                failed = True
                _write(sys.stderr, [record["error"]])
            if as_json:
                _write(sys.stdout, [to_line(record)])
            else:
                records.append(record)
    if not as_json:
        _console().print(_plates_table(records))
    return 2 if failed else 0


def run_check(file: Path) -> int:
    """Print every mistake in a configuration file, one a line; 2 if there are any."""
    from streamer.config_file import check

    problems = check(file)
    _write(sys.stdout, [str(problem) for problem in problems] or [f"{file}: fine"])
    return 2 if problems else 0


def run_doctor() -> int:
    """Print what the machine has and lacks; 1 if the default way of working lacks something."""
    from rich.text import Text

    from streamer import doctor

    findings = doctor.examine()
    table = _table("area", "name", "state", "detail")
    for finding in findings:
        table.add_row(finding.area, finding.name, Text(finding.state, _STYLES[finding.state]), finding.detail)
    _console().print(table)
    return 0 if doctor.usable(findings) else 1


def run_diff(a: Path, b: Path) -> int:
    """Print how the vehicles of two event logs differ; 1 if one does. That other models or versions wrote them is told, and counts not.

    Raises UsageError if one is no event log.
    """
    from streamer.diff import compare, lines

    comparison = compare(a, b)
    _write(sys.stdout, lines(comparison))
    return 0 if comparison.same_vehicles and not comparison.changed else 1


def run_fetch(*, starters: bool) -> int:
    """Put the weights in place. Raises WeightsError saying what to do where that fails."""
    from streamer import weights

    weights.fetch(starters=starters, report=lambda line: _write(sys.stderr, [line]))
    return 0


def _picture_files(images: Iterable[Path]) -> Iterator[Path]:
    for image in images:
        if not image.is_dir():
            yield image
            continue
        inside = sorted(file for file in image.iterdir() if file.suffix.lower() in PICTURES)
        if not inside:
            raise UsageError(f"{image}: there are no pictures in this folder ({', '.join(sorted(PICTURES))})")
        yield from inside


def _read_pictures(pipeline: Pipeline, files: Sequence[Path]) -> list[dict[str, Any]]:
    """Give what is printed of each file, in their order; ``error`` stands only in those that cannot be read."""
    from streamer.stills import load_picture

    pictures: dict[int, Image] = {}
    errors: dict[int, str] = {}
    for number, file in enumerate(files):
        try:
            pictures[number] = load_picture(file)
        except SourceError as error:
            errors[number] = str(error)
    plates = dict(zip(pictures, pipeline.read_many(list(pictures.values())) if pictures else [], strict=True))
    records: list[dict[str, Any]] = []
    for number, file in enumerate(files):
        record = {"file": str(file), "plates": [_plate(plate) for plate in plates.get(number, ())]}
        records.append(record | ({"error": errors[number]} if number in errors else {}))
    return records


def _plate(result: PlateResult) -> dict[str, Any]:
    box = result.box
    return {
        "plate": result.plate,
        "raw": result.raw,
        "score": _score(result.score),
        "char_scores": [_score(score) for score in result.char_scores],
        "box": [round(float(edge), _PIXEL_DIGITS) for edge in (box.x1, box.y1, box.x2, box.y2)],
        "box_score": _score(result.box_score),
        "country": result.country,
        "format": result.format,
        "unread_chars": result.unread_chars,
        "alternatives": [{"plate": text, "score": _score(score)} for text, score in result.alternatives],
    }


def _score(value: float) -> float:
    return round(float(value), _SCORE_DIGITS)


def _plates_table(records: Sequence[dict[str, Any]]) -> Table:
    table = _table("file", "plate", "score", "country", "read", "box")
    for record in records:
        file = _printable(record["file"])
        if not record["plates"]:
            table.add_row(file, "cannot be read" if "error" in record else "no plate", "", "", "", "")
        for plate in record["plates"]:
            found = plate["plate"] is not None
            label = plate_label(plate["plate"], plate["unread_chars"]) if found else "-"
            edges = " ".join(f"{edge:.0f}" for edge in plate["box"])
            table.add_row(file, label, f"{plate['score']:.2f}" if found else "", plate["country"] or "", plate["raw"] or "-", edges)
    return table


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "plate")
    return table


def _console() -> Console:
    """Give a console that shows text as it is: file names may look like markup."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False)


def _printable(text: str) -> str:
    r"""Replace what UTF-8 cannot hold by ``\udcXX``: names of files may be any bytes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _write(stream: TextIO, lines: Iterable[str]) -> None:
    stream.writelines(_printable(line) + "\n" for line in lines)
    stream.flush()
