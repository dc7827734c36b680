"""One rule says what trains and what validates, whichever command asks."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.errors import UsageError
from train.manifest import Kind, Picture, Plate, Split
from train.settle import chosen_split, settle


def rows(prefix: str, count: int, kind: Kind = "photo", split: Split | None = None, **fields: Any) -> list[Picture]:
    return [Picture(f"{prefix}{n}.png", f"{prefix}{n}", 9, 9, kind, split=split, **fields) for n in range(count)]


def splits(pictures: Any) -> list[Split | None]:
    return [picture.split for picture in pictures]


def test_what_one_manifest_becomes_does_not_hang_on_others_beside_it() -> None:
    few, many = rows("few", 3), rows("many", 40)
    alone, together = settle([few]), settle([many, few])
    assert together.manifests[1] == alone.manifests[0]
    assert {"train", "val"} == {*splits(alone.rows)}
    assert alone.drawn.total() == 3


def test_each_sort_has_something_to_validate_on() -> None:
    sorts = [rows("photo", 4), rows("crop", 60, "crop"), rows("boxless", 60, plates=(Plate(text="AB12"),))]
    done = settle([[row for some in sorts for row in some]])
    for place in (done.rows[:4], done.rows[4:64], done.rows[64:]):
        assert {"train", "val"} == {*splits(place)}


def test_a_crop_follows_the_photograph_of_its_vehicle() -> None:
    photos = [row for n in range(8) for row in rows(f"p{n}-", 1, group=f"car {n}")]
    crops = [row for n in range(8) for row in rows(f"c{n}-", 1, "crop", group=f"car {n}")]
    done = settle([[*photos, *crops]])
    assert splits(done.rows[:8]) == splits(done.rows[8:])


def test_scenes_are_given_for_training_and_stay_there() -> None:
    photos = rows("photo", 30)
    alone = settle([photos])
    scenes = [Picture(f"s{n}", f"s{n}", 9, 9, group=row.sha256, split="train") for n, row in enumerate(alone.rows) if row.split == "train"]
    done = settle([photos, scenes])
    assert splits(done.manifests[0]) == splits(alone.rows)
    assert {*splits(done.manifests[1])} == {"train"}
    assert done.remarks == ()


def test_given_splits_stay_unless_nothing_validates() -> None:
    given = [*rows("a", 5, split="train"), *rows("b", 2, split="test")]
    assert settle([[*given, *rows("c", 1, split="val")]]).rows[:7] == tuple(given)
    done = settle([given])
    assert "val" in splits(done.rows)
    assert splits(done.rows[5:]) == ["test", "test"]
    assert "taken for it" in done.remarks[0]
    crops = rows("crop", 9, "crop", split="train")
    assert "val" in splits(settle([crops]).rows)
    assert settle([crops, rows("c", 2, split="val")]).manifests[0] == tuple(crops)


def test_a_group_that_two_manifests_put_into_different_splits_is_told() -> None:
    done = settle([rows("a", 1, split="train", group="car"), rows("b", 1, split="val", group="car")])
    assert "such as car" in done.remarks[0]


def test_a_word_that_is_no_split() -> None:
    assert (chosen_split("all"), chosen_split("val")) == (None, "val")
    with pytest.raises(UsageError, match="--split valid: must be train, val, test or all"):
        chosen_split("valid")
