"""What is drawn for review, what people may type, and the table for spreadsheets."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import UsageError
from streamer.review import EXCLUSIONS, LEAST, Candidate, Stratum, Truth, allocate, draw, outcome_of, parse_truth
from streamer.reviewsheet import parse_sheet, sheet_of

STRATA = st.builds(Stratum, st.sampled_from(["gate", "yard"]), st.sampled_from(["2026-05-01", "2026-05-02"]), st.booleans())
SIZES = st.dictionaries(STRATA, st.integers(1, 400), min_size=1)


@given(SIZES, st.integers(0, 2000), st.data())
def test_what_is_asked_for_is_shared_out(sizes: dict[Stratum, int], total: int, data: st.DataObject) -> None:
    queued = {stratum: data.draw(st.integers(0, size)) for stratum, size in sizes.items()}
    left = {stratum: size - queued[stratum] for stratum, size in sizes.items()}
    one_each = sum(min(left[stratum], max(0, 1 - queued[stratum])) for stratum in sizes)
    if total < one_each:
        with pytest.raises(UsageError, match=f"--size {one_each} or more"):
            allocate(sizes, queued, total)
        return
    wanted = allocate(sizes, queued, total)
    assert sum(wanted.values()) == min(total, sum(left.values()))
    assert all(0 <= wanted[stratum] <= left[stratum] for stratum in sizes)
    if total >= LEAST * len(sizes):
        assert all(wanted[stratum] + queued[stratum] >= min(LEAST, sizes[stratum]) for stratum in sizes)
    assert allocate(dict(reversed(sizes.items())), queued, total) == wanted


def test_shares_are_proportional() -> None:
    busy, quiet = Stratum("gate", "2026-05-01", True), Stratum("gate", "2026-05-01", False)
    assert allocate({busy: 902, quiet: 102}, {}, 104) == {busy: 92, quiet: 12}


@given(st.integers(0, 200), st.integers(0, 60), st.text(max_size=8), st.randoms())
def test_a_draw_depends_on_seed_and_ids_alone(number: int, wanted: int, seed: str, dice: random.Random) -> None:
    stratum, other = Stratum("gate", "2026-05-01", True), Stratum("gate", "2026-05-01", False)
    candidates = [Candidate(f"id{n}", stratum if n % 3 else other, None, None) for n in range(number)]
    drawn = draw(candidates, {stratum: wanted}, seed)
    assert len(drawn) == min(wanted, sum(one.stratum == stratum for one in candidates))
    assert all(one.stratum == stratum for one in drawn)
    mixed = list(candidates)
    dice.shuffle(mixed)
    assert draw(mixed, {stratum: wanted}, seed) == drawn
    # What is drawn later with the same seed goes on where it ended.
    assert draw(candidates, {stratum: wanted + 5}, seed)[: len(drawn)] == drawn


def test_every_event_is_drawn_about_equally_often() -> None:
    stratum = Stratum("gate", "2026-05-01", True)
    candidates = [Candidate(f"id{n}", stratum, None, None) for n in range(20)]
    drawn = Counter(one.event_id for seed in range(1000) for one in draw(candidates, {stratum: 5}, str(seed)))
    assert all(190 <= drawn[one.event_id] <= 310 for one in candidates), "250 each, give or take four standard deviations"


@pytest.mark.parametrize(
    ("typed", "reason", "truth"),
    [
        ("ka 12-bc", "", Truth("text", "KA12BC")),
        (" - ", "", Truth("none")),
        ("x foreign", "", Truth("excluded", reason="foreign")),
        ("X", "No Vehicle", Truth("excluded", reason="no_vehicle")),
        ("12E4", "", Truth("text", "12E4")),
        ("XA1", "", Truth("text", "XA1")),
    ],
)
def test_what_people_may_type(typed: str, reason: str, truth: Truth) -> None:
    assert parse_truth(typed, reason) == truth


@pytest.mark.parametrize(
    ("typed", "reason", "complaint"),
    [
        ("???", "", "type the plate"),
        ("", "", "type the plate"),
        ("x", "", "one of these reasons: no_vehicle"),
        ("x because", "", "because"),
        ("KA1", "foreign", "what is excluded only"),
        ("1.20E+05", "", "spreadsheet"),
        ("12E+04", "", "spreadsheet"),
    ],
)
def test_what_people_may_not_type(typed: str, reason: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_truth(typed, reason)


def test_the_program_and_the_truth() -> None:
    text = Truth("text", "B0I")
    assert [outcome_of(plate, text) for plate in ("B0I", "BO1", "8OI", None)] == ["right", "alike", "wrong", "missed"]
    for truth in (Truth("none"), Truth("excluded", reason="covered")):
        assert [outcome_of(plate, truth) for plate in ("B0I", None)] == ["unconfirmed", "no_plate"]


TRUTHS = st.sampled_from(["KA12BC", "-", "", *(f"x {name}" for name in EXCLUSIONS)])


@given(st.lists(TRUTHS, max_size=12), st.sampled_from([",", ";", "\t"]), st.sampled_from(["\r\n", "\n"]))
def test_a_table_comes_back_as_it_was_filled_in(typed: list[str], delimiter: str, line_end: str) -> None:
    names = ["gate, north", '=cmd("x")', "new\nline", "-1"]
    events = [
        {
            "event_id": f"id{number}",
            "source": names[number % 4],
            "best": {"time": "2026-05-01T08:00:00.000000Z"},
            "evidence": [{"kind": "crop", "file": "crops/a.png"}],
            "plate": "SECRET1",
        }
        for number in range(len(typed))
    ]
    text = sheet_of(events, Path("out"), show=False)
    assert "SECRET1" not in text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["event_id"] for row in rows] == [event["event_id"] for event in events]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    out = io.StringIO(newline="")
    table = csv.DictWriter(
        out, ["reason", "note", "truth", "event_id"], delimiter=delimiter, lineterminator=line_end, extrasaction="ignore"
    )
    table.writeheader()
    table.writerows(row | {"truth": said} for row, said in zip(rows, typed, strict=True))
    truths, problems = parse_sheet("\ufeff" + out.getvalue(), frozenset(row["event_id"] for row in rows))
    assert problems == []
    assert truths == {f"id{number}": parse_truth(said) for number, said in enumerate(typed) if said}


def test_wrong_rows_are_named_by_line() -> None:
    text = "event_id,truth,reason\na,KA1\nb,???\nzz,KA1\na,KA2\nc,x\nd,,foreign\ne,,\n"
    truths, problems = parse_sheet(text, frozenset("abcde"))
    assert truths == {"a": Truth("text", "KA1")}
    for line, complaint in ((3, "type the plate"), (4, "not in the queue"), (5, "earlier line"), (6, "reasons"), (7, "excluded only")):
        assert any(one.startswith(f"line {line}: ") and complaint in one for one in problems), (line, problems)
    assert len(problems) == 5


def test_a_table_without_its_columns_is_refused() -> None:
    for text in ("", "event_id;plate\n1;2\n"):
        with pytest.raises(UsageError, match="truth"):
            parse_sheet(text, frozenset())
