"""How photographs are scored, with scripted results; the command itself on one real photograph."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.errors import UsageError
from streamer.pipeline import PlateResult
from streamer.types import Box
from train.evaluate import evaluate, read_labels, rows

ROOT = Path(__file__).resolve().parents[1]


class ScriptedPipeline:
    def __init__(self, texts: Sequence[Sequence[str | None]]) -> None:
        self.texts = list(texts)

    def read_many(self, images: Sequence[object]) -> list[list[PlateResult]]:
        given, self.texts = self.texts[: len(images)], self.texts[len(images) :]
        return [[PlateResult(t, t, 0.9, (), None, None, (), Box(0, 0, 9, 3), 0.9) for t in texts] for texts in given]


def labels(folder: Path, *lines: str) -> Path:
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(folder / name), np.zeros((4, 4, 3), np.uint8))
    file = folder / "labels.csv"
    file.write_text("\n".join(["file,text,region,split", *lines]))
    return file


def test_plates_are_counted_exact_folded_and_best(tmp_path: Path) -> None:
    photos = read_labels(labels(tmp_path, "a.png,AB10CDE,GB,val", "b.png,XY1|OB20|?,FR,val", "c.png,,FR,train"))
    pipeline = ScriptedPipeline([["ABIOCDE"], ["OB2O", "WRONG", None]])
    table = {row[0]: row[1:] for row in rows(evaluate(pipeline, photos))}
    assert table == {
        "all": ("3", "0.0", "66.7", "100.0"),
        "GB": ("1", "0.0", "100.0", "100.0"),
        "FR": ("2", "0.0", "50.0", "-"),
    }


def test_a_split_is_chosen_and_a_missing_picture_is_named(tmp_path: Path) -> None:
    file = labels(tmp_path, "a.png,AB1,GB,val", "gone.png,AB1,GB,train")
    assert [photo.path.name for photo in read_labels(file, "val")] == ["a.png"]
    with pytest.raises(UsageError, match=r"labels\.csv:3.*gone\.png"):
        read_labels(file)


def test_the_command_prints_its_table(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(f"file,plates\n{ROOT / 'tests/data/photos/fa_00010.webp'},SV09XHH\n")
    command = [sys.executable, "-c", "from train.cli import main; main()", "evaluate", str(file), "--missed"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "100.0" in done.stdout
