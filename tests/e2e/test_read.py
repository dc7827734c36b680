"""Photographs through ``plate-streamer read`` and the README's example."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.plates import fold

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"


@pytest.fixture(scope="module")
def truth() -> dict[str, list[str]]:
    with (DATA / "truth.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith("photos/")]
    return {row["file"]: [plate for plate in row["plates"].split("|") if "?" not in plate] for row in rows}


def test_most_photographs_are_read_right(truth: dict[str, list[str]]) -> None:
    command = [sys.executable, "-m", "streamer.cli", "read", "--json", *(str(DATA / name) for name in truth)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["file"] for row in rows] == [str(DATA / name) for name in truth]
    right = wanted = 0
    for row, plates in zip(rows, truth.values(), strict=True):
        found = [fold(plate["plate"]) for plate in row["plates"] if plate["plate"]]
        wanted += len(plates)
        right += sum(fold(plate) in found for plate in plates)
        for plate in row["plates"]:
            x1, y1, x2, y2 = plate["box"]
            assert x1 < x2
            assert y1 < y2
            assert plate["plate"] is None or len(plate["char_scores"]) == len(plate["plate"])
    assert right >= 0.75 * wanted, f"{right} of {wanted}"


def test_the_readmes_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^[A-Z0-9]{4,} 0\.\d+ Box", done.stdout, re.M)
