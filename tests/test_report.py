"""Review and report, as people call them, on a record that a program made."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from streamer.config import EventsConfig
from streamer.events import Event, Making, utc_text
from streamer.evidence import EvidenceFolder
from streamer.recorder import Recorder
from streamer.signing import signer_in
from streamer.sinks.jsonl import JsonlSink
from streamer.store import Store
from streamer.store import tables as t
from streamer.store.erasure import Erasures
from streamer.types import ModelInfo
from tests.conftest import Run
from tests.test_verify import faults

MODEL = ModelInfo("m", "a" * 64, "cpu")
START = datetime(2026, 5, 1, 8, tzinfo=UTC)


@pytest.fixture
def record(tmp_path: Path, make_passage: Callable[..., Any]) -> Iterator[tuple[Path, list[Event]]]:
    """A record of two cameras and two days: at each, eight plates and three passages without; gives its folder and its events."""
    sink = JsonlSink(tmp_path, EventsConfig())
    with Store(tmp_path / "events.sqlite", signer_in(tmp_path)) as store:
        recorder = Recorder(store, EvidenceFolder(tmp_path), sink, Making(MODEL, MODEL, "0"), states="all", clock=lambda: START)
        passages = []
        for camera in ("gate", "yard"):
            for day in range(2):
                for number in range(11):
                    fields: dict[str, Any] = {"plate": f"KA{number}", "score": 0.5 + number / 20, "char_scores": (0.9,) * 3}
                    if number >= 8:
                        fields = {"plate": None, "score": None, "reason": "blurred" if number == 8 else "too_small", "country": None}
                        fields |= {"char_scores": (), "format": None}
                    start = START + timedelta(days=day, minutes=number)
                    passages.append(make_passage(start=start, key=f"{day}-{number}", source_id=camera, **fields))
        passages.append(make_passage(key="open", state="preview", source_id="gate"))
        events = recorder.record(passages)
        yield tmp_path, [event for event in events if event["state"] == "final"]
    sink.close()


def fill(file: Path, truth_of: Callable[[str], str]) -> None:
    """Type the truth into a table, by event."""
    with file.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    with file.open("w", encoding="utf-8", newline="") as handle:
        table = csv.DictWriter(handle, list(rows[0]), delimiter=";")
        table.writeheader()
        table.writerows(row | {"truth": truth_of(row["event_id"])} for row in rows)


def review_all(run: Run, folder: Path, truth_of: Callable[[str], str], *more: str) -> str:
    """Draw everything, and say what each event is."""
    sheet = folder / "sheet.csv"
    assert run("review", folder, "--size", "44", "--seed", "1", "--export", sheet).code == 0
    fill(sheet, truth_of)
    code, _, told = run("review", folder, "--import", sheet, "--by", "Ann", *more)
    assert code == 0
    return told


def erase(folder: Path, event: Event) -> None:
    with Store(folder / "events.sqlite", signer_in(folder), alone=False) as store:
        Erasures(store).erase([event["event_id"]], "asked for", utc_text(START))


def bytes_in(folder: Path) -> bytes:
    """Give what stands in the database, without what SQLite has not overwritten yet."""
    with sqlite3.connect(folder / "events.sqlite") as connection:
        text = "\n".join(connection.iterdump())
    connection.close()
    return text.encode()


def document(run: Run, folder: Path, *more: str | Path) -> dict[str, Any]:
    code, out, _ = run("report", folder, "--json", *more)
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


def truths(events: Sequence[Event]) -> Callable[[str], str]:
    """Of the plates at each camera and day one is wrong, one only an O and a 0 off; one cannot be read by people; one miss can."""
    by_id = {event["event_id"]: event for event in events}

    def truth_of(event_id: str) -> str:
        event = by_id[event_id]
        number = int(event["passage"].split("-")[1])
        return {0: "KAO", 1: "KB1", 2: "-", 8: "KA8", 9: "x no_vehicle"}.get(number, event["plate"] or "-")

    return truth_of


def test_rates_are_those_that_a_hand_count_gives(record, run: Run, tmp_path: Path) -> None:
    folder, events = record
    told = review_all(run, folder, truths(events))
    assert "44 reviewed" in told
    found = document(run, folder)
    everything, *others = found["figures"]
    assert [(one["camera"], one["day"]) for one in others] == [
        (camera, day) for camera in ("gate", "yard") for day in (None, "2026-05-01", "2026-05-02")
    ]
    for one in (everything, *others):
        rates = {name: rate and round(rate["value"], 6) for name, rate in one["rates"].items()}
        # Of 11: 8 plates (one nobody can read, one wrong, one with O for 0), 3 misses (one readable, one no vehicle).
        assert rates == {
            "capture": None,
            "yield": round(7 / 8, 6),
            "error": round(2 / 7, 6),
            "error_alike": round(1 / 7, 6),
            "read_rate": round(5 / 8, 6),
            "excluded": round(1 / 11, 6),
            "unreadable": round(2 / 11, 6),
            "unconfirmed": round(1 / 8, 6),
            "missed_readable": round(1 / 3, 6),
        }
        assert one["spoken_for"] == one["events"]
    assert (everything["events"], everything["given"], everything["reviewed"], everything["exclusions"]) == (44, 32, 44, {"no_vehicle": 4})
    assert [(one["reason"], one["events"], one["readable"]["value"]) for one in found["missed"]] == [
        ("too_small", 8, 0.0),
        ("blurred", 4, 1.0),
    ]
    assert {"camera": "yard", "day": "2026-05-02", "reason": "too_small", "events": 2} in found["misses"]
    curve = found["curve"]
    assert (curve[0]["threshold"], curve[0]["share"], curve[0]["error"]["value"]) == (0, pytest.approx(7 / 8), pytest.approx(2 / 7))
    # The wrong ones have the lowest scores: withheld, no error is left.
    assert (found["best"]["threshold"], found["best"]["share"]) == (0.65, pytest.approx(5 / 8))
    assert set(everything["rates"]) == set(found["definitions"])
    assert faults(folder) == []


def test_a_sample_stands_for_all(record, run: Run) -> None:
    folder, events = record
    sheet = folder / "sheet.csv"
    code, _, told = run("review", folder, "--size", "14", "--seed", "7", "--export", sheet, "--camera", "g*")
    assert code == 0
    assert "drawn with the seed 7: 14 events" in told
    assert "gate 2026-05-01 without a plate: 2 of 3" in told
    assert "yard" not in told
    fill(sheet, truths(events))
    assert run("review", folder, "--import", sheet).code == 0
    found = document(run, folder, "--camera", "gate", "--since", "2026-05-01", "--until", "2026-05-03")
    everything = found["figures"][0]
    assert (everything["events"], everything["queued"], everything["reviewed"]) == (22, 14, 14)
    for rate in everything["rates"].values():
        assert rate is None or 0 <= rate["low"] <= rate["value"] <= rate["high"] <= 1
    assert not any("nobody reviewed any" in note for note in found["notes"])
    assert "22 events are of cameras and days of which nobody reviewed any such event" in document(run, folder)["notes"]
    # The rest is drawn later, and never an event twice.
    assert ": 8 events" in run("review", folder, "--size", "30", "--camera", "gate", "--export", folder / "rest.csv").err
    ids = [row["event_id"] for name in ("sheet.csv", "rest.csv") for row in _rows(folder / name)]
    assert len(ids) == len(set(ids)) == 22


def _rows(file: Path) -> list[dict[str, str]]:
    text = file.read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in text.splitlines()[0] else ","))


def test_one_by_one_the_plate_is_hidden_until_the_truth_is_typed(record, run: Run) -> None:
    folder, events = record
    assert run("review", folder, "--size", "44", "--seed", "1", "--export", folder / "sheet.csv").code == 0
    first, second, third = (
        next(event for event in events if event["event_id"] == row["event_id"]) for row in _rows(folder / "sheet.csv")[:3]
    )
    code, _, told = run("review", folder, typed=["?", "x nonsense", "KX99", "", third["plate"] or "-"])
    assert code == 0
    before, after = told.split("the program says:", 1)
    assert (first["plate"] or "no plate") in after.splitlines()[0]
    assert str(first["evidence"][0]["file"]) in before
    assert first["plate"] is None or first["plate"] not in before
    assert "nonsense: what is excluded needs one of these reasons" in before
    assert "2 reviewed, 42 left" in told
    code, _, told = run("review", folder, "--show", typed=["-", "q", "KX98"])
    assert f"the program says: {second['plate'] or 'no plate'}" in told.split("truth:")[0]
    assert "1 reviewed, 41 left" in told
    assert faults(folder) == []


def test_a_truth_that_differs_can_be_a_correction(record, run: Run) -> None:
    folder, events = record
    told = review_all(run, folder, truths(events), "--correct")
    assert "16 corrected" in told, "of 11: the wrong one, O for 0, the one that nobody can read, the readable miss"
    with Store(folder / "events.sqlite", read_only=True) as store:
        last = {event["event_id"]: json.loads(store.revisions(event["event_id"])[-1].line) for event in events}
    wrong = [event for event in events if event["passage"] == "0-1"]
    assert [last[event["event_id"]]["correction"]["plate"] for event in wrong] == ["KB1", "KB1"]
    assert last[wrong[0]["event_id"]]["correction"]["by"] == "Ann"
    # What was corrected after its review is reported as the program decided it.
    assert document(run, folder)["figures"][0]["rates"]["error"]["value"] == pytest.approx(2 / 7)
    assert run("correct", wrong[0]["event_id"], "KB2", "--folder", folder).code == 0
    assert document(run, folder)["figures"][0]["rates"]["error"]["value"] == pytest.approx(2 / 7)
    assert faults(folder) == []


def test_asked_one_by_one_a_correction_needs_a_yes(record, run: Run) -> None:
    folder, _ = record
    code, _, told = run("review", folder, "--size", "44", "--seed", "1", "--correct", typed=["KX1", "n", "KX2", "y"])
    assert code == 0
    assert told.count("record it as a correction") == 2
    with Store(folder / "events.sqlite", read_only=True) as store, store.transaction("read") as connection:
        found = connection.execute(sa.select(t.events.c.text).where(t.events.c.state == "corrected")).scalars().all()
    assert found == ["KX2"]


def test_a_later_review_holds_and_the_earlier_one_stays_in_the_chain(record, run: Run) -> None:
    folder, events = record
    review_all(run, folder, lambda event_id: "-")
    sheet = folder / "again.csv"
    sheet.write_text(f"event_id,truth\n{events[3]['event_id']},ka3\n")
    assert "1 reviewed; right: 1" in run("review", folder, "--import", sheet).err
    everything = document(run, folder)["figures"][0]
    assert everything["reviewed"] == 44
    assert everything["rates"]["error"]["value"] == 0
    with Store(folder / "events.sqlite", read_only=True) as store:
        said = [json.loads(entry.payload or "") for entry, _ in store.entries(store.head()[0]) if entry.kind == "review"]
    assert [one["truth"] for one in said if one["event_id"] == events[3]["event_id"]] == [None, "KA3"]
    assert faults(folder) == []


def test_wrong_rows_are_named_and_nothing_is_recorded(record, run: Run) -> None:
    folder, events = record
    assert run("review", folder, "--size", "44", "--export", folder / "sheet.csv").code == 0
    sheet = folder / "typed.csv"
    sheet.write_text(f"event_id,truth\n{events[0]['event_id']},KA0\nnobody,KA1\n{events[1]['event_id']},x\n")
    code, _, told = run("review", folder, "--import", sheet)
    assert code == 2
    assert f"{sheet}: line 3: nobody" in told
    assert f"{sheet}: line 4: " in told
    assert document(run, folder)["figures"][0]["reviewed"] == 0
    sheet.write_bytes(b"event_id,truth\n\xff\xfe,KA1\n")
    assert run("review", folder, "--import", sheet).code == 2
    assert run("review", folder, "--import", sheet, "--export", folder / "x.csv").code == 2
    assert run("review", folder, "--export", folder / "sheet.csv").code == 2


def test_an_erased_event_leaves_its_outcome_and_nothing_else(record, run: Run) -> None:
    folder, events = record
    assert run("review", folder, "--size", "44", "--export", folder / "sheet.csv").code == 0
    reviewed, waiting = events[0], events[12]
    assert reviewed["passage"] == "0-0"
    sheet = folder / "typed.csv"
    sheet.write_text(f"event_id,truth\n{reviewed['event_id']},CANARY7\n")
    assert run("review", folder, "--import", sheet).code == 0
    sheet.unlink()
    before = document(run, folder)
    assert b"CANARY7" in bytes_in(folder)
    for event in (reviewed, waiting):
        erase(folder, event)
    assert faults(folder) == []
    assert b"CANARY7" not in bytes_in(folder)
    with Store(folder / "events.sqlite", read_only=True) as store, store.transaction("read") as connection:
        left = connection.execute(sa.select(t.queue.c.event_id)).scalars().all()
    assert left.count(None) == 2
    assert not {reviewed["event_id"], waiting["event_id"]} & set(left)
    after = document(run, folder)
    assert after["figures"][0]["rates"]["error"] == before["figures"][0]["rates"]["error"]
    assert after["figures"][0]["events"] == 44
    assert any("1 events of the sample were erased" in note for note in after["notes"])
    code, _, told = run("review", folder, "--export", folder / "left.csv")
    assert code == 0
    assert "42 events" in told
    sheet.write_text(f"event_id,truth\n{waiting['event_id']},KA1\n")
    code, _, told = run("review", folder, "--import", sheet)
    assert (code, "was erased" in told) == (2, True)


def test_without_reviews_the_misses_are_told_and_why_there_are_no_rates(record, run: Run) -> None:
    folder, events = record
    code, out, _ = run("report", folder, "--misses")
    assert code == 0
    assert "nobody has reviewed any of these events" in out
    assert out.count(" too_small ") >= 8
    listed = document(run, folder, "--misses")["listed_misses"]
    assert {one["event"] for one in listed} == {event["event_id"] for event in events if event["plate"] is None}
    assert [one["time"] for one in listed] == sorted(one["time"] for one in listed)
    assert "KAI2BC" not in json.dumps(listed), "what was read of them is not told"


def test_an_empty_record_says_so(tmp_path: Path, run: Run) -> None:
    assert run("report", tmp_path).code == 2
    assert run("review", tmp_path).code == 2
    Store(tmp_path / "events.sqlite").close()
    code, _, told = run("report", tmp_path)
    assert (code, "there are no passages" in told) == (1, True)
    code, _, told = run("review", tmp_path)
    assert (code, "nothing to review" in told) == (1, True)


def test_capture_needs_somebody_elses_count(record, run: Run) -> None:
    folder, events = record
    review_all(run, folder, truths(events))
    counts = folder / "counts.csv"
    counts.write_text("camera,day,vehicles\ngate,2026-05-01,20\ngate,2026-05-02,9\nroof,2026-05-01,3\n")
    found = document(run, folder, "--counts", counts)
    figures = {(one["camera"], one["day"]): one for one in found["figures"]}
    first = figures["gate", "2026-05-01"]
    # 11 events, one of them no vehicle.
    assert (first["vehicles"], first["rates"]["capture"]["value"], first["surplus"]) == (20, pytest.approx(10 / 20), 0)
    assert first["rates"]["capture"]["low"] < 0.5 < first["rates"]["capture"]["high"]
    second = figures["gate", "2026-05-02"]
    assert (second["rates"]["capture"]["value"], second["surplus"]) == (1, 1)
    assert figures["yard", None]["rates"]["capture"] is None
    assert any("roof 2026-05-01: 3 vehicles were counted" in note for note in found["notes"])
    counts.write_text("camera,day,vehicles\ngate,1.5.2026,20\n,2026-05-01,1\ngate,2026-05-02,-9\ngate,2026-05-03,1\ngate,2026-05-03,1\n")
    code, _, told = run("report", folder, "--counts", counts)
    assert code == 2
    assert re.findall(r"line (\d+):", told) == ["2", "3", "4", "6"]


def test_page_and_pictures(record, run: Run) -> None:
    folder, events = record
    review_all(run, folder, truths(events))
    page, pictures = folder / "report.html", folder / "pictures"
    code, out, _ = run("report", folder, "--html", page, "--png", pictures, "--misses")
    assert code == 0
    assert "read rate: 62.5 %" in out
    text = page.read_text()
    inside = [base64.b64decode(data) for data in re.findall(r"data:image/png;base64,([^\"]+)", text)]
    assert inside == [(pictures / f"{name}.png").read_bytes() for name in ("yield-error", "reliability", "misses")]
    assert all(content.startswith(b"\x89PNG") for content in inside)
    assert "What the words mean" in text
    assert "http" not in text.replace("html", "")
    assert events[8]["event_id"] in text
    assert page.stat().st_mode & 0o077 == 0
    assert run("report", folder, "--since", "2026-05-02", "--until", "2026-05-02T12:00").code == 2


def test_pictures_need_a_package(record, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = record
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    code, _, told = run("report", folder, "--png", folder / "pictures")
    assert code == 2
    assert "plate-streamer[plots]" in told
    assert run("report", folder).code == 0


def test_the_sample_stands_in_the_chain(record, run: Run) -> None:
    folder, events = record
    assert run("review", folder, "--size", "20", "--seed", "s", "--export", folder / "a.csv", "--by", "Ann").code == 0
    with Store(folder / "events.sqlite", read_only=True) as store:
        (sample,) = [json.loads(entry.payload or "") for entry, _ in store.entries(store.head()[0]) if entry.kind == "sample"]
    assert (sample["seed"], sample["by"], sum(row[4] for row in sample["strata"])) == ("s", "Ann", 20)
    assert not any(event["event_id"] in json.dumps(sample) for event in events)
    assert faults(folder) == []


def test_pseudonyms_cannot_be_reviewed(tmp_path: Path, run: Run, make_event: Callable[..., Event]) -> None:
    text = "hmac:k1:" + 32 * "0"
    with Store(tmp_path / "events.sqlite", signer_in(tmp_path)) as store:
        store.append([lambda place: make_event(place, plate=text, raw=None, char_scores=())])
    code, _, told = run("review", tmp_path)
    assert code == 2
    assert "pseudonyms" in told
    assert run("report", tmp_path).code == 0
