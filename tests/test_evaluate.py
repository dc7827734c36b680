"""What is counted as right, in which slice, with scripted results; the command itself on a few real pictures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest

from streamer.errors import UsageError
from streamer.pipeline import PlateResult
from streamer.types import Box, Detection, Passage, PlateRead, Stamp
from train.evaluate import boxes, clips, photographs, reads
from train.evaluate.curves import abstain, calibration, yield_at
from train.evaluate.data import Clip, Sample, Truth, comparable, load_clips, load_samples
from train.evaluate.figures import Rate
from train.evaluate.run import sides_of
from train.evaluate.slices import plate_slices
from train.evaluate.turned import LARGEST, WAYS, Matrix, look, turned
from train.manifest import Picture, Plate, write_manifest
from train.settle import settle

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "data"


def labels(folder: Path, header: str, *lines: str) -> Path:
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(folder / name), np.zeros((40, 100, 3), np.uint8))
    file = folder / "labels.csv"
    file.write_text("\n".join([header, *lines]))
    return file


def photo(*truths: Truth, boxed: str = "all", region: str = "GB", tags: Sequence[str] = ()) -> Sample:
    return Sample(Path("a.png"), "photo", truths, boxed, "owner/name", region, frozenset(tags))  # type: ignore[arg-type]


def result(text: str | None, box: Box | None = None) -> PlateResult:
    return PlateResult(text, text, 0.9, (), None, None, (), box or Box(0, 0, 9, 3), 0.9)


# --- data ---


def test_a_table_gives_texts_boxes_and_splits(tmp_path: Path) -> None:
    header = "file,plates,boxes,region,split"
    file = labels(tmp_path, header, "a.png,AB 10-CDE|?,1 2 31 12|5 5 9 9,GB,val", "b.png,,,,val", "c.png,X1,1 1 9 9,,train")
    first, second = load_samples([file], "val").samples
    assert [truth.text for truth in first.truths] == ["AB10CDE", None]
    assert first.truths[0].box == Box(1, 2, 31, 12)
    assert (first.boxed, first.region) == ("all", "GB")
    assert (second.boxed, second.truths) == ("all", ())  # the table says that there is no plate


def test_yolo_labels_beside_images_give_the_boxes(tmp_path: Path) -> None:
    for folder in ("images/val", "labels/val"):
        (tmp_path / folder).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "images/val/a.png"), np.zeros((40, 100, 3), np.uint8))
    (tmp_path / "labels/val/a.txt").write_text("0 0.5 0.5 0.2 0.5\n")
    (tmp_path / "m.csv").write_text("file,text\nimages/val/a.png,AB1\n")
    (sample,) = load_samples([tmp_path / "m.csv"]).samples
    assert sample.truths == (Truth(Box(40, 10, 60, 30), text="AB1"),)
    (tmp_path / "labels/val/a.txt").write_text("0 0.5 0.5 0.2 0.5\n0 0.5 40 0.2 0.5\n")
    with pytest.raises(UsageError, match=r"m\.csv:2: .*a\.txt:2: 40 is not between 0 and 1"):
        load_samples([tmp_path / "m.csv"])


def test_labels_with_keypoints_are_boxes_as_their_data_yaml_says(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    cv2.imwrite(str(tmp_path / "images/a.png"), np.zeros((100, 200, 3), np.uint8))
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.2 0.1 0.4 0.45 2 0.6 0.45 2 0.6 0.55 2 0.4 0.55 2\n")
    (tmp_path / "data.yaml").write_text("{names: [plate], kpt_shape: [4, 3]}")
    (tmp_path / "m.csv").write_text("file,text\nimages/a.png,AB1\n")
    (sample,) = load_samples([tmp_path / "m.csv"]).samples
    box = sample.truths[0].box
    assert box is not None
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx((80, 45, 120, 55))


def test_more_texts_than_boxes_are_not_brought_together(tmp_path: Path) -> None:
    file = labels(tmp_path, "file,text,boxes", "a.png,AB1|CD2,1 2 31 12")
    (sample,) = load_samples([file]).samples
    assert sample.boxed == "some"
    assert {(truth.box is None, truth.text) for truth in sample.truths} == {(False, None), (True, "AB1"), (True, "CD2")}


def test_other_scripts_are_left_out_and_counted(tmp_path: Path) -> None:
    data = load_samples([labels(tmp_path, "file,text", "a.png,皖A15104", "b.png,*A15104", "c.png,١٢٣")], kind="crop")
    assert [sample.truths[0].text for sample in data.samples] == [None, "*A15104", None]
    assert data.left_out == {"texts in another script": 2}
    assert comparable("hö-ab 12") == "HOAB12"


def test_a_missing_picture_or_column_is_named(tmp_path: Path) -> None:
    file = labels(tmp_path, "file,text", "a.png,AB1", "gone.png,AB1")
    with pytest.raises(UsageError, match=r"labels\.csv:3.*gone\.png"):
        load_samples([file])
    with pytest.raises(UsageError, match="needs the columns"):
        load_samples([labels(tmp_path, "file,name", "a.png,AB1")])


def test_a_manifest_gives_the_same_as_a_table(tmp_path: Path) -> None:
    table = labels(tmp_path, "file,text,boxes,region,source", "a.png,AB1,1 2 31 12,GB,x/y")
    plate = Plate((1, 2, 31, 12), None, "AB1")
    write_manifest(tmp_path / "m.jsonl", [Picture("a.png", "0" * 64, 100, 40, source="x/y", region="GB", split="val", plates=(plate,))])
    assert load_samples([tmp_path / "m.jsonl"], "val").samples == load_samples([table]).samples
    with pytest.raises(UsageError, match=r"no row has split train: rows have val \(1\); --split all"):
        load_samples([tmp_path / "m.jsonl"], "train")


def test_rows_say_what_cannot_be_seen(tmp_path: Path) -> None:
    table = labels(tmp_path, "file,text,boxes,tags", "a.png,AB1,1 2 31 12,two-line night")
    plate = Plate((1, 2, 31, 12), None, "AB1", tags=("two-line",))
    write_manifest(tmp_path / "m.jsonl", [Picture("a.png", "0" * 64, 100, 40, tags=("night",), plates=(plate,))])
    for file in (table, tmp_path / "m.jsonl"):
        (sample,) = load_samples([file]).samples
        assert {"two-line", "night"} <= set(plate_slices(sample, sample.truths[0], 200, 30, 10))


@pytest.mark.parametrize(
    ("tags", "wrong"), [("two-lined", "'two-lined' is not known; use two-line"), ("night day", "day and night exclude")]
)
def test_tags_that_mean_nothing_are_named(tags: str, wrong: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"labels\.csv:2: .*{wrong}"):
        load_samples([labels(tmp_path, "file,text,tags", f"a.png,AB1,{tags}")])
    write_manifest(tmp_path / "m.jsonl", [Picture("a.png", "0" * 64, 100, 40, tags=tuple(tags.split()))])
    with pytest.raises(UsageError, match=rf"m\.jsonl:1: .*{wrong}"):
        load_samples([tmp_path / "m.jsonl"])


def test_rows_without_a_split_get_the_one_that_training_keeps_to(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    rows = [Picture("a.png", str(n) * 64, 100, 40, plates=(Plate((1, 2, 31, 12), None, f"AB{n}"),)) for n in range(10)]
    write_manifest(tmp_path / "m.jsonl", rows)
    held = {plate.text for row in settle([rows]).rows if row.split == "val" for plate in row.plates}
    data = load_samples([tmp_path / "m.jsonl"], "val")
    assert held == {sample.truths[0].text for sample in data.samples} != set()
    assert data.left_out == {"rows of split train": 10 - len(held)}
    assert "10 rows came without a split" in data.remarks[0]
    whole = load_samples([tmp_path / "m.jsonl"])
    assert (len(whole.samples), whole.left_out) == (10, {})
    assert "--split val" in whole.remarks[0]


def test_a_table_says_its_splits_or_is_measured_whole(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no row has split val: rows have none \(1\); --split all .*column named split"):
        load_samples([labels(tmp_path, "file,text", "a.png,AB1")], "val")
    data = load_samples([labels(tmp_path, "file,text,split", "a.png,AB1,val", "a.png,AB2,")], "val")
    assert data.left_out == {"rows without a split": 1}


def test_a_folder_is_sent_to_collect(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"is a folder; .*plate-train collect {tmp_path} --out"):
        load_samples([tmp_path])


# --- slices ---


@pytest.mark.parametrize(
    ("truth", "tags", "size", "brightness", "expected"),
    [
        (Truth(text="A"), (), (100, 25), 90, {"day", "width 80-160"}),
        (Truth(text="A"), (), (39, 19), 90, {"day", "width < 40", "small"}),
        (Truth(text="A"), (), (160, 90), 69, {"night", "width > 160", "two-line"}),
        (Truth(text="A"), ("one-line",), (160, 90), 90, {"day", "width > 160"}),
        (Truth(text="A"), ("night", "slanted"), (100, 25), 90, {"night", "width 80-160", "slanted"}),
        (Truth(text="A", tags=frozenset({"two-line"})), ("day",), (100, 25), 9, {"day", "width 80-160", "two-line"}),
        (Truth(text="A", corners=((0, 0), (90, 20), (90, 45), (0, 25))), (), (100, 45), 90, {"day", "width 80-160", "slanted"}),
        (Truth(text="A", corners=((0, 0), (90, 5), (90, 30), (0, 25))), (), (100, 30), 90, {"day", "width 80-160"}),
    ],
)
def test_a_plate_is_in_its_slices(
    truth: Truth, tags: Sequence[str], size: tuple[float, float], brightness: float, expected: set[str]
) -> None:
    names = plate_slices(photo(truth, tags=tags), truth, brightness, *size)
    assert set(names) == expected | {"all", "region GB", "source owner/name"}


def test_plates_beyond_the_alphabet_stand_apart() -> None:
    truth = Truth(text="*A15104")
    assert plate_slices(photo(truth), truth, 90, 100, 25) == ["* all", "* region GB"]


# --- figures ---


@pytest.mark.parametrize(("hits", "total"), [(95, 100), (0, 7), (7, 7)])
def test_intervals_are_those_of_scipy(hits: int, total: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(hits, total).proportion_ci(0.95, method="wilson")
    assert Rate(hits, total).interval == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_nothing_has_no_interval() -> None:
    assert Rate(0, 0).interval == (0.0, 1.0)


def test_calibration_and_abstaining() -> None:
    answers = [(0.95, True), (0.93, False), (0.55, False), (None, False)]
    curve = calibration([(0.999, True)] * 8 + [(0.6, True), (0.4, False)] * 4 + [(None, False)])
    assert [(b["count"], b["score"], b["right"]) for b in curve["bins"]] == [(8, pytest.approx(0.5), 0.5), (8, pytest.approx(0.999), 1.0)]
    assert curve["expected_error"] == pytest.approx(0.0005)
    points = {round(100 * p["threshold"]): (p["yield"], p["error"]) for p in abstain(answers)}
    assert yield_at(abstain([(0.9991, False), (0.9993, True)]), 0.0) == 0.5  # scores crowd below 1
    assert points[0] == (0.75, pytest.approx(2 / 3))
    assert points[60] == (0.5, 0.5)
    assert points[94] == (0.25, 0.0)
    assert points[99] == (0.0, None)
    assert yield_at(abstain(answers), 0.01) == 0.25


# --- detector ---


def seen(sample: Sample, *found: tuple[Box, float]) -> boxes.Seen:
    return boxes.Seen(sample, [Detection(box, score) for box, score in found], 100.0)


def test_the_detector_is_measured() -> None:
    plate = Box(0, 0, 100, 20)
    loose = Box(0, 0, 100, 50)  # IoU 0.4
    part = boxes.measure(
        [
            seen(photo(Truth(plate)), (plate, 0.9), (Box(200, 0, 300, 20), 0.8)),
            seen(photo(Truth(plate)), (loose, 0.9), (plate, 0.1)),
            seen(photo(), (plate, 0.3), (plate, 0.1)),
        ],
        0.25,
    )
    rates = part.slices["all"].rates
    assert rates["recall_50"] == Rate(1, 2)
    assert rates["recall_30"] == Rate(2, 2)
    assert rates["precision_50"] == Rate(1, 4)
    assert rates["quiet"] == Rate(0, 1)
    assert part.slices["all"].values["false_per_empty"] == 1.0
    assert part.slices["all"].values["mean_iou"] == pytest.approx(0.7)
    assert part.slices["all"].values["map50"] > 0.5  # the weak box of the second plate counts here
    assert [(miss.what, miss.given) for miss in part.misses] == [
        ("false box", "a box"),
        ("missed plate", "IoU 0.40"),
        ("false box", "a box"),
    ]


def test_boxes_beside_plates_of_unknown_place_are_not_held_against_it() -> None:
    plate = Box(0, 0, 100, 20)
    sample = photo(Truth(plate), Truth(text="AB1"), boxed="some")
    part = boxes.measure([seen(sample, (plate, 0.9), (Box(200, 0, 300, 20), 0.8))], 0.25)
    assert part.slices["all"].rates["recall_50"] == Rate(1, 1)
    assert "precision_50" not in part.slices["all"].rates


def test_perfect_boxes_have_a_perfect_map() -> None:
    plate = Box(0, 0, 100, 20)
    values = boxes.measure([seen(photo(Truth(plate)), (plate, 0.9))], 0.25).slices["region GB"].values
    assert (values["map50"], values["map50_95"]) == (pytest.approx(1.0), pytest.approx(1.0))


# --- reader ---


def read(truth: str, text: str | None, score: float = 0.9) -> reads.Read:
    given = PlateRead(text, (score,) * len(text)) if text else None
    return reads.Read(Sample(Path("a.png"), "crop", (), "none"), Truth(text=truth), given, (100, 25), 90.0)


def test_the_reader_is_measured() -> None:
    part = reads.measure([read("AB10", "ABIO"), read("AB12", "AB12"), read("XY12", "XY1"), read("*Q99", "Q99"), read("ZZ", None)], 7.0)
    figures = part.slices["all"]
    assert (figures.rates["exact"], figures.rates["folded"], figures.rates["given"]) == (Rate(1, 4), Rate(2, 4), Rate(3, 4))
    assert figures.values["character_error"] == pytest.approx(5 / 14)
    assert figures.values["ms_per_crop"] == 7.0
    assert part.slices["* all"].rates["exact"] == Rate(1, 1)
    wrong = {(c["truth"], c["given"]): c["count"] for c in part.curves["confusions"] if c["truth"] != c["given"]}
    assert wrong == {("1", "I"): 1, ("0", "O"): 1, ("2", "-"): 1, ("Z", "-"): 2}
    assert [(miss.truth, miss.given) for miss in part.misses] == [("XY12", "XY1"), ("ZZ", "nothing")]


def test_made_up_characters_stand_against_nothing() -> None:
    assert reads.pairs("AB", "8AB") == [("-", "8"), ("A", "A"), ("B", "B")]


# --- end to end ---


def test_photographs_are_counted_exact_folded_and_best() -> None:
    there = Box(0, 0, 90, 20)
    part = photographs.measure(
        [
            photographs.Told(photo(Truth(text="AB10CDE"), boxed="none"), [result("ABIOCDE")], 90.0),
            photographs.Told(
                photo(Truth(there, text="XY1"), Truth(text="OB20"), region="FR"), [result("OB2O"), result("XYZ", there)], 90.0
            ),
            photographs.Told(photo(region=""), [result("B1")], 90.0),
        ]
    )
    whole, french = part.slices["all"].rates, part.slices["region FR"].rates
    assert (whole["exact"], whole["folded"], whole["best_folded"]) == (Rate(0, 3), Rate(2, 3), Rate(1, 1))
    assert (french["folded"], french["given"]) == (Rate(1, 2), Rate(2, 2))
    assert whole["silent"] == Rate(0, 1)
    assert [(miss.truth, miss.given, miss.box) for miss in part.misses] == [("XY1", "XYZ", there)]


def passage(plate: str | None, score: float) -> Passage:
    from datetime import UTC, datetime

    stamp = Stamp(0.0, datetime(2026, 1, 1, tzinfo=UTC), 0)
    return Passage(
        key="0-1", state="final", source_id="x", session=0, tracks=(1,), plate=plate, raw=plate, score=score if plate else None,
        char_scores=(), alternatives=(), country=None, format=None, reason=None if plate else "blurred", looks=1, reads=1, first=stamp,
        last=stamp, best=stamp, clock="option", box=Box(0, 0, 9, 3), box_score=0.9, frame_size=(9, 9), crop=np.zeros((3, 9, 3), np.uint8),
    )  # fmt: skip


def test_clips_are_counted_by_vehicle() -> None:
    clip = Clip(Path("gate.mp4"), ("AB10CDE", "FG34HJK", "LM56NOP"), "GB")
    events = [passage("ABIOCDE", 0.9), passage("FG84HJK", 0.6), passage("AB10CDE", 0.5), passage("WORDS", 0.4), passage(None, 0.0)]
    part = clips.measure([clips.Replayed(clip, events)])
    rates = part.slices["all"].rates
    assert (rates["given"], rates["folded"], rates["wrong"]) == (Rate(2, 3), Rate(1, 3), Rate(1, 2))
    assert rates["once"] == Rate(2, 3)
    assert part.curves["others"]["gate.mp4"] == ["AB10CDE", "WORDS"]
    assert yield_at(part.curves["abstain"], 0.0) == pytest.approx(1 / 3)


def test_clips_of_the_truth_are_found() -> None:
    found = load_clips(DATA / "truth.csv")
    assert [(clip.path.suffix, len(clip.plates)) for clip in found] == [(".mp4", 3), (".mp4", 1)]


# --- the command ---


def test_two_sides_come_from_options() -> None:
    one, other = sides_of(None, None, ["plate-detector", "new.pt"], ["mine"])
    assert (one.config.detector.weights, other.config.detector.weights) == ("plate-detector", "new.pt")
    assert one.config.reader.weights == other.config.reader.weights == "mine"
    with pytest.raises(UsageError, match="at most twice"):
        sides_of(None, None, ["a", "b", "c"], [])


def test_the_command_writes_tables_plots_sheets_and_json(tmp_path: Path) -> None:
    rows = (
        "file,plates,boxes,region,source,kind",
        f"{DATA}/photos/fa_00010.webp,SV09XHH|?,,GB,fa,photo",
        f"{DATA}/crops/fa_00071.png,RIZ465,,PK,fa,crop",
    )
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(rows))
    command = [
        sys.executable,
        "-c",
        "from train.cli import main; main()",
        "evaluate",
        str(file),
        "--missed",
        "--turned",
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "RIZ465, given RIZ464" in done.stdout
    document = json.loads((tmp_path / "out/evaluation.json").read_text())
    jsonschema.validate(document, json.loads((ROOT / "train/evaluate/evaluation.schema.json").read_text()))
    (side,) = document["sides"]
    assert side["parts"]["photographs"]["slices"]["all"]["rates"]["folded"]["hits"] == 1
    assert set(side["models"]) == {"detector", "reader"}
    turned = side["parts"]["turned"]["slices"]
    assert turned["slanted"]["rates"]["folded"]["total"] == turned["all"]["rates"]["folded"]["total"] == len(WAYS)
    assert f"misread: {len(WAYS)} turned plates" in done.stdout, "the label is wrong, so is every reading"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "evaluation.json", "reader-calibration.png", "reader-confusions.png", "photographs-calibration.png", "photographs-abstain.png",
        "misread-1.jpg",
    }  # fmt: skip


@pytest.mark.parametrize(("more", "message"), [((), "nothing to measure"), (("--turned",), "--turned: is for readers")])
def test_nothing_to_measure_is_said(tmp_path: Path, more: tuple[str, ...], message: str) -> None:
    file = labels(tmp_path, "file,text", "a.png,AB1")
    command = [sys.executable, "-c", "from train.cli import main; main()", "evaluate", str(file), "--only", "detector", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_a_turned_plate_is_whole_and_cut_as_tightly_as_a_detector_would(way: Matrix) -> None:
    picture = np.zeros((200, 400, 3), np.uint8)
    cv2.rectangle(picture, (150, 80), (249, 119), (255, 255, 255), -1)
    seen = look(picture, Box(150, 80, 250, 120), way)[..., 0] > 127
    assert abs(seen.sum() - 100 * 40) < 0.03 * 100 * 40, "all of it, no larger"
    assert not seen[0].any()
    assert not seen[:, 0].any()
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert rows[0] <= 0.05 * 1.2 * len(seen) + 1
    assert columns[0] <= 0.05 * 1.2 * seen.shape[1] + 1
    right_end_falls = np.cov(np.nonzero(seen))[0, 1] > 0
    name = next(name for name, matrix in WAYS.items() if matrix is way)
    assert name.startswith("leaning") or right_end_falls == ("+" in name), "clockwise"


def test_few_of_many_plates_are_turned_and_only_those_of_the_alphabet(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 100, 3), np.uint8))
    plates = [Sample(tmp_path / "a.png", "crop", (Truth(text=text),), "none") for text in ("AB1", "*B1", None)]
    crops = turned(plates)
    assert [crop.truth.text for crop in crops] == ["AB1"] * len(WAYS)
    assert len({crop.sample.path for crop in crops}) == len(WAYS)
    assert len(turned(plates * 400)) == 134 * len(WAYS)
    photograph = Sample(
        tmp_path / "a.png", "photo", (Truth(Box(10, 10, 50, 30), text="*AB1"), Truth(Box(60, 10, 90, 30), text="AB2")), "all"
    )
    assert {crop.truth.text for crop in turned([photograph])} == {"AB2"}
    assert {crop.truth.text for crop in turned([photograph, *plates, *plates])} == {"AB1"}
    cv2.imwrite(str(tmp_path / "large.png"), np.zeros((1000, 3000, 3), np.uint8))
    assert max(turned([Sample(tmp_path / "large.png", "crop", (Truth(text="AB1"),), "none")])[0].image.shape) == LARGEST
