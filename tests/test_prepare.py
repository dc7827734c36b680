from __future__ import annotations

import csv
import hashlib
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import UsageError
from train.augment import Augment
from train.evaluate.data import load_samples
from train.manifest import Picture, Plate, Split, write_manifest
from train.prepare import CHARACTERS, Prepared, Settings, prepare
from train.split import assign, divide
from train.synth.config import SynthConfig
from train.synth.dataset import write_crops

GREY = 114


def picture(folder: Path, name: str, *boxes: Any, size: tuple[int, int] = (640, 320), **fields: Any) -> Picture:
    """Write a picture of noise whose boxes are white, and give its row."""
    image = np.random.default_rng(list(name.encode())).integers(0, 90, (size[1], size[0], 3), np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = 255
    assert cv2.imwrite(str(folder / name), image)
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    row: dict[str, Any] = {"plates": tuple(Plate(box=box) for box in boxes), "licence": "MIT"} | fields
    return Picture(name, digest, *size, **row)


def made(rows: list[Picture], folder: Path, **settings: Any) -> Prepared:
    return prepare([rows], folder, folder / "out", Settings(**{"input_size": 96, "min_height": 0.0} | settings))


def labels(folder: Path, split: str, stem: str) -> list[list[float]]:
    (file,) = (folder / "out" / "labels" / split).glob(f"{stem}_*.txt")
    return [[float(value) for value in line.split()] for line in file.read_text().splitlines()]


def image(folder: Path, split: str, stem: str) -> Any:
    (file,) = (folder / "out" / "images" / split).glob(f"{stem}_*.jpg")
    return cv2.imread(str(file))


def test_pictures_become_squares_on_grey_with_normalised_boxes(tmp_path: Path) -> None:
    rows = [picture(tmp_path, "a.png", (320, 160, 640, 240), split="train"), picture(tmp_path, "b.png", (0, 0, 64, 32), split="val")]
    done = made(rows, tmp_path)
    assert labels(tmp_path, "train", "a") == [[0, 0.75, 0.5625, 0.5, 0.125]]
    square = image(tmp_path, "train", "a")
    assert square.shape == (96, 96, 3)
    assert np.abs(square[:22].astype(int) - GREY).max() <= 3
    assert square[50:58, 52:92].mean() > 240
    assert yaml.safe_load(done.data.read_text()) == {"train": "images/train", "val": "images/val", "names": {0: "plate"}}


def test_boxes_are_clipped_and_a_picture_with_an_impossible_one_is_left_out(tmp_path: Path) -> None:
    """A picture without the box that was dropped would teach that its plate is background."""
    rows = [
        picture(tmp_path, "a.png", (-64, -32, 64, 32), split="train"),
        picture(tmp_path, "b.png", split="val"),
        *(
            picture(tmp_path, f"c{number}.png", (20, 20, 90, 50), plates=(Plate((20, 20, 90, 50)), Plate(box)), split="train")
            for number, box in enumerate([(700.0, 10.0, 800.0, 50.0), (90.0, 10.0, 80.0, 50.0), (math.nan, 10.0, 80.0, 50.0)])
        ),
    ]
    done = made(rows, tmp_path)
    ((_, x, y, width, height),) = labels(tmp_path, "train", "a")
    assert (x - width / 2, y - height / 2) == (pytest.approx(0, abs=1e-5), pytest.approx(0.25, abs=1e-5))
    assert done.clipped == 1
    assert done.pictures == {"train": 1, "val": 1}
    reason = "1 boxes have no area in the picture: its labels are wrong"
    assert [(Path(row.where).name, row.what, row.reason) for row in done.skipped] == [(f"c{n}.png", "picture", reason) for n in range(3)]
    assert labels(tmp_path, "val", "b") == []


def test_plates_too_small_to_learn_are_neither_plate_nor_background(tmp_path: Path) -> None:
    small, large = (100, 100, 200, 120), (300, 100, 500, 200)
    done = made([picture(tmp_path, "a.png", small, large, split="train"), picture(tmp_path, "b.png", split="val")], tmp_path, min_height=4)
    assert len(labels(tmp_path, "train", "a")) == 1
    patch = image(tmp_path, "train", "a")[39:42, 16:29]
    assert np.abs(patch.astype(int) - GREY).mean() < 12
    assert "painted grey" in done.skipped[0].reason
    with (tmp_path / "out" / "skipped.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 1


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path: Path) -> None:
    good = [picture(tmp_path, f"{name}.png", (10, 10, 90, 50), group=name) for name in "abc"]
    crop = picture(tmp_path, "d.png", kind="crop")
    boxless = picture(tmp_path, "e.png", plates=(Plate(text="AB12"),))
    unlicensed = picture(tmp_path, "f.png", licence="")
    gone = picture(tmp_path, "g.png", split="train")
    (tmp_path / "g.png").unlink()
    twin = Picture("other/a.png", good[0].sha256, 640, 320, licence="MIT")
    done = made([*good, crop, boxless, unlicensed, gone, twin], tmp_path, licensed=True)
    reasons = " ".join(row.reason for row in done.skipped)
    for expected in ("is a crop", "without a box", "no licence", "there is no such file", "same picture as a.png"):
        assert expected in reasons
    assert len(done.skipped) == 5
    assert sum(done.pictures.values()) == 3


def test_groups_stay_together_and_given_splits_stay(tmp_path: Path) -> None:
    rows = [picture(tmp_path, f"{number}{letter}.png", group=f"car-{number}") for number in range(4) for letter in "ab"]
    rows.append(picture(tmp_path, "x.png", split="test", group="car-9"))
    made(rows, tmp_path, val=0.5)
    places = {path.stem[:2]: path.parent.name for path in (tmp_path / "out" / "images").rglob("*.jpg")}
    assert places.pop("x_") == "test"
    assert all(places[f"{number}a"] == places[f"{number}b"] for number in range(4))
    assert set(places.values()) == {"train", "val"}


def test_one_group_cannot_be_split(tmp_path: Path) -> None:
    rows = [picture(tmp_path, f"{letter}.png", group="one") for letter in "abc"]
    with pytest.raises(UsageError, match=r"no picture to validate on .*two groups"):
        made(rows, tmp_path)


def test_what_prepare_trains_on_evaluate_does_not_measure(tmp_path: Path) -> None:
    """Though some rows are of no use for a detector, and others are left out for their licence."""
    rows = [picture(tmp_path, f"{n}.png", (10, 10, 90, 50), licence="MIT" if n % 2 else "") for n in range(10)]
    rows += [picture(tmp_path, f"{n}.png", plates=(Plate(text="AB12"),)) for n in range(10, 20)]
    write_manifest(tmp_path / "m.jsonl", rows)
    held = {sample.path.stem for sample in load_samples([tmp_path / "m.jsonl"], "val").samples}
    assert held
    done = made(rows, tmp_path, licensed=True)
    trained = {path.stem.split("_")[0] for path in (tmp_path / "out" / "images" / "train").iterdir()}
    assert trained.isdisjoint(held)
    assert done.pictures.total() == 5


def test_a_share_below_that_of_the_other_commands_is_warned_of(tmp_path: Path) -> None:
    rows = [picture(tmp_path, f"{n}.png", (10, 10, 90, 50)) for n in range(3)]
    assert "their figures would count" in " ".join(made(rows, tmp_path, val=0.1).remarks)


@pytest.mark.parametrize(("settings", "message"), [({"input_size": 100}, "multiple of 32"), ({"val": 1.5}, "between 0 and 1")])
def test_settings_that_make_no_sense(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        made([], tmp_path, **settings)


def test_a_data_set_is_not_written_over(tmp_path: Path) -> None:
    rows = [picture(tmp_path, "a.png", split="train"), picture(tmp_path, "b.png", split="val")]
    made(rows, tmp_path)
    with pytest.raises(UsageError, match="holds a data set already"):
        made(rows, tmp_path)


def test_augmented_copies_are_of_training_pictures_and_repeatable(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        rows = [picture(folder, "a.png", (250, 120, 400, 200), split="train"), picture(folder, "b.png", split="val")]
        done = made(rows, folder, copies=4, augment=Augment(degrees=10.0, perspective=0.0005, motion_blur=0.5, noise=0.5))
        assert done.copies == 4
    first, second = (sorted((folder / "out").rglob("*_aug*")) for folder in folders)
    assert len(first) == 8
    assert {path.parent.name for path in first} == {"train"}
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert len({path.read_bytes() for path in first if path.suffix == ".jpg"}) == 4
    for file in (path for path in first if path.suffix == ".txt"):
        for line in file.read_text().splitlines():
            values = [float(value) for value in line.split()[1:]]
            assert all(0 <= value <= 1 for value in values)


def test_characters_of_synthetic_crops_become_36_classes(tmp_path: Path) -> None:
    rows = write_crops(tmp_path, 20, 3, SynthConfig())
    done = prepare([rows], tmp_path, tmp_path / "out", Settings(input_size=96, characters=True, min_height=0.0))
    names = yaml.safe_load(done.data.read_text())["names"]
    assert "".join(names.values()) == CHARACTERS
    for row in rows:
        (file,) = (tmp_path / "out" / "labels").rglob(f"{Path(row.file).stem}_*.txt")
        text = "".join(CHARACTERS[int(line.split()[0])] for line in file.read_text().splitlines())
        assert text == str(row.plates[0].text).replace("*", "")


groups = st.lists(st.text("abcdef", max_size=4), min_size=2, max_size=30, unique=True)


@given(groups, st.floats(0.01, 0.99), st.integers(0, 5))
def test_a_share_of_the_groups_validates_and_both_sides_have_some(names: list[str], share: float, seed: int) -> None:
    split = divide(names, share, seed, need_val=True)
    assert set(split.values()) == {"train", "val"}
    assert split == divide(reversed(names), share, seed, need_val=True)


def test_more_groups_move_none_that_were_there() -> None:
    few, many = [f"car {n}" for n in range(200)], [f"car {n}" for n in range(1000)]
    before, after = (divide(names, 0.15, 0, need_val=True) for names in (few, many))
    assert {name: after[name] for name in few} == before
    assert 100 < sum(split == "val" for split in after.values()) < 200


@given(st.integers(2, 60), st.integers(1, 40), st.integers(0, 9))
def test_in_a_small_set_too_the_share_is_kept_and_a_new_group_moves_few(count: int, more: int, seed: int) -> None:
    """Of ten groups a hash sent half to validate; those of the lowest hashes are enough, before and after others are added."""
    few, many = (divide([f"car {n}" for n in range(number)], 0.15, seed, need_val=True) for number in (count, count + more))
    for split in (few, many):
        assert max(1, math.floor(0.1 * len(split))) <= sum(side == "val" for side in split.values()) <= math.ceil(0.2 * len(split))
    moved = {(few[name], many[name]) for name in few if few[name] != many[name]}
    assert len(moved) <= 1, "the border moves one way only"


def test_what_scenes_kept_back_is_kept_back_again() -> None:
    cars = [f"car {n}" for n in range(1000)]
    first, _ = assign([member(car) for car in cars], 0.15, 0)
    again = [member(car, "train") for car, split in zip(cars, first, strict=True) if split == "train"]
    splits, _ = assign([*(member(car) for car in cars), *again], 0.15, 0)
    assert splits[:1000] == first


def member(group: str, split: Split | None = None) -> Any:
    return SimpleNamespace(group=group, split=split)


def test_a_picture_without_split_follows_its_group() -> None:
    splits, remarks = assign([member("a", "val"), member("a"), member("b", "train"), member("b")], 0.5, 0)
    assert (splits, remarks) == (["val", "val", "train", "train"], [])


def test_where_all_are_given_for_training_some_groups_validate_and_it_is_said() -> None:
    splits, remarks = assign([member(name, "train") for name in "abcdefghij"], 0.2, 0)
    assert set(splits) == {"train", "val"}
    assert "taken for it" in remarks[0]


def test_a_group_that_comes_in_two_splits_is_named() -> None:
    _, remarks = assign([member("car", "train"), member("car", "val")], 0.2, 0)
    assert "car" in remarks[0]
