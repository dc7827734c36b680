"""Plates that the data do not box: shown to a person, marked, added."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from streamer.errors import UsageError
from train.cli import app
from train.manifest import Picture, Plate, read_manifest, write_manifest
from train.unboxed import Suggestion, add, read_suggestions, write_suggestions

sides = st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(101, 300), st.integers(101, 300))
kept = st.sampled_from([True, False, None])


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(sides, kept), max_size=6))
def test_a_table_comes_back_as_it_was_written(
    rows: list[tuple[tuple[int, int, int, int], bool | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("tables") / "table.csv"
    table = [Suggestion(n, f"{n}.jpg", "ab" * 32, tuple(map(float, box)), 0.5, keep) for n, (box, keep) in enumerate(rows, 1)]  # type: ignore[arg-type]
    write_suggestions(file, table)
    assert read_suggestions(file) == table


def test_only_what_a_person_kept_comes_in_and_only_once() -> None:
    row = Picture("a.jpg", "aa", 400, 300, plates=(Plate(box=(10, 10, 60, 30)),))
    kept, dropped, open_, strange = (
        Suggestion(n, "b.jpg", sha, box, 0.5, keep)
        for n, (sha, box, keep) in enumerate(
            (
                ("aa", (100, 100, 150, 120), True),
                ("aa", (200, 100, 250, 120), False),
                ("aa", (300, 9, 350, 29), None),
                ("bb", (1, 1, 9, 9), True),
            )
        )
    )
    (new,), count, files = add([row], [kept, dropped, open_, strange])
    assert new.plates == (*row.plates, Plate(box=(100, 100, 150, 120)))
    assert (count, files) == (1, ["b.jpg"])
    assert add([new], [kept])[:2] == ([new], 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,box\na,1 2 3 4", "table.csv: has no column number, sha256, score, keep"),
        ("number,file,sha256,box,score,keep\n1,a,b,1 2 3 4,0.5,maybe", "table.csv:2: keep is 'maybe'"),
        ("number,file,sha256,box,score,keep\n1,a,b,1 2 3,0.5,y", "table.csv:2: is no row"),
    ],
)
def test_mistakes_in_a_table_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        read_suggestions(tmp_path / "table.csv")


def test_from_a_photograph_whose_plate_is_not_boxed_to_one_whose_plate_is(data: Path, tmp_path: Path) -> None:
    with (data / "truth.csv").open(encoding="utf-8") as stream:
        truth = next(
            row for row in csv.DictReader(stream) if row["file"].startswith("photos/") and row["boxes"] and "|" not in row["boxes"]
        )
    picture = data / truth["file"]
    digest = hashlib.sha256(picture.read_bytes()).hexdigest()
    manifest, out = tmp_path / "plates.jsonl", tmp_path / "look"
    write_manifest(manifest, [Picture(str(picture), digest, 1, 1)])
    arguments = ["unboxed", str(manifest), "--out", str(out)]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    assert (out / "unboxed-1.jpg").is_file()
    with pytest.raises(UsageError, match="perhaps marked"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    table = out / "unboxed.csv"
    table.write_text("\n".join(line + "y" if n else line for n, line in enumerate(table.read_text().splitlines())))
    assert CliRunner().invoke(app, ["unboxed", str(manifest), "--add", str(table)], catch_exceptions=False).exit_code == 0
    boxes = [plate.box for plate in read_manifest(manifest)[0].plates]
    wanted = [float(side) for side in truth["boxes"].split()]
    assert any(box is not None and all(abs(a - b) < 12 for a, b in zip(box, wanted, strict=True)) for box in boxes)
    again = tmp_path / "again"
    assert "0 boxes" in CliRunner().invoke(app, ["unboxed", str(manifest), "--out", str(again)], catch_exceptions=False).output


def test_one_of_the_two_ways_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--out DIR to look"):
        CliRunner().invoke(app, ["unboxed", str(tmp_path / "plates.jsonl")], catch_exceptions=False)
