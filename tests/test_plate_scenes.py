"""Scenes: photographs with rendered plates, labelled as they are drawn, repeatable, as rows that prepare takes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from streamer.errors import UsageError
from train.cli import app
from train.manifest import Picture, Plate, read_manifest, write_manifest
from train.scenes import Scene, SceneMaker, ScenesConfig, load_scenes_config
from train.scenes.light import Light, light_of, noise_of, sharpness

CONFIGS = Path(__file__).parent.parent / "configs" / "train"
BOX = (140.0, 150.0, 240.0, 180.0)
PLAIN: dict[str, Any] = {"replaced": 1.0, "erased": 0.0, "distant": 0.0, "signs": 0.0, "night": 0.0, "grey": 0.0}


def photograph(folder: Path, name: str, *boxes: tuple[float, float, float, float], **fields: Any) -> Picture:
    """Write a picture of a grey wall, a little noisy, with magenta where the plates are, and give its row."""
    dice = np.random.default_rng(list(name.encode()))
    image = np.clip(dice.normal(120, 3, (300, 400, 3)), 0, 255).astype(np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[int(y1) : int(y2), int(x1) : int(x2)] = (255, 0, 255)
        image[int(y1) + 8 : int(y2) - 8, int(x1) + 10 : int(x2) - 10 : 6] = (20, 0, 20)
    assert cv2.imwrite(str(folder / name), image)
    digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    row: dict[str, Any] = {"plates": tuple(Plate(box=box) for box in boxes), "licence": "MIT", "split": "train"} | fields
    return Picture(name, digest, 400, 300, **row)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("photographs")


@pytest.fixture(scope="module")
def rows(folder: Path) -> list[Picture]:
    return [photograph(folder, f"{n}.png", BOX) for n in range(3)] + [photograph(folder, "empty.png", licence="Apache-2.0")]


def scenes(rows: list[Picture], folder: Path, count: int, seed: int = 0, **config: Any) -> list[Scene]:
    maker = SceneMaker(rows, folder, ScenesConfig(**PLAIN | config), seed)
    return [maker.scene(index) for index in range(count)]


def magenta(image: Any) -> int:
    """Count the pixels that only an old plate has."""
    blue, green, red = (image[..., channel].astype(int) for channel in range(3))
    return int(((blue > 200) & (red > 200) & (green < 60)).sum())


def test_the_same_seed_gives_the_same_scenes_and_another_one_others(rows: list[Picture], folder: Path) -> None:
    config = ScenesConfig()
    first, again, other = (SceneMaker(rows, folder, config, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(first.scene(i).image, again.scene(i).image) for i in (5, 0))
    assert any(first.scene(i).plates != other.scene(i).plates for i in range(3))


def test_every_plate_is_covered_fully_and_has_box_corners_and_text(rows: list[Picture], folder: Path) -> None:
    for scene in scenes(rows[:3], folder, 12):
        assert magenta(scene.image) == 0
        (plate,) = scene.plates
        assert plate.corners is not None
        assert plate.box is not None
        assert plate.text
        xs, ys = zip(*plate.corners, strict=True)
        assert plate.box == (min(xs), min(ys), max(xs), max(ys))
        assert plate.box[0] >= 0
        assert plate.box[2] <= 400
        assert plate.box[1] >= 0
        assert plate.box[3] <= 300


def test_a_plate_is_about_where_and_as_large_as_the_old_one(rows: list[Picture], folder: Path) -> None:
    for scene in scenes(rows[:3], folder, 12, size=(1.0, 1.0)):
        box = scene.plates[0].box
        assert box is not None
        assert abs((box[0] + box[2]) / 2 - 190) < 20
        assert abs((box[1] + box[3]) / 2 - 165) < 15
        assert 0.3 < (box[2] - box[0]) * (box[3] - box[1]) / 3000 < 1.5  # frames lie outside the plate's own corners


def test_plates_have_two_lines_as_often_as_asked_for(rows: list[Picture], folder: Path) -> None:
    def squat(scene: Scene) -> bool:
        box = scene.plates[0].box
        assert box is not None
        return box[2] - box[0] < 2 * (box[3] - box[1])

    counts = [
        sum(map(squat, scenes(rows[:3], folder, 9, synth={"two_lines": share, "countries": {"US": 0.0}, "slanted": 0.0})))
        for share in (0.0, 1.0)
    ]
    assert counts[1] > counts[0] + 2


def test_erased_plates_leave_nothing_and_kept_ones_stay_as_they_are(rows: list[Picture], folder: Path) -> None:
    for scene in scenes(rows[:3], folder, 3, replaced=0.0, erased=1.0):
        assert magenta(scene.image) == 0
        assert scene.plates == ()
    for scene in scenes(rows[:3], folder, 3, replaced=0.0, erased=0.0):
        assert scene.plates == scene.base.plates
        assert np.array_equal(scene.image, cv2.imread(str(folder / scene.base.file)))


def test_a_plate_has_the_light_of_its_place(folder: Path) -> None:
    bright = photograph(folder, "light.png", BOX)
    image = cv2.imread(str(folder / bright.file))
    assert image is not None
    cv2.imwrite(str(folder / "dark.png"), image // 5)
    dark = Picture("dark.png", "d" * 64, 400, 300, plates=bright.plates, split="train")

    def brightness(row: Picture) -> float:
        made = scenes([row], folder, 8)
        return float(np.mean([s.image[150:180, 170:210].mean() for s in made]))

    assert brightness(dark) < 0.5 * brightness(bright)


def test_far_vehicles_come_into_empty_pictures_small_and_boxed(rows: list[Picture], folder: Path) -> None:
    made = [scene for scene in scenes(rows, folder, 16) if scene.base.file == "empty.png"]
    plates = [plate for scene in made for plate in scene.plates]
    assert plates
    assert all(plate.box is not None and plate.box[2] - plate.box[0] < 60 for plate in plates)
    assert any(scene.licence == "Apache-2.0 AND MIT" for scene in made)


def test_what_is_made_of_pictures_without_a_licence_has_none(folder: Path) -> None:
    rows = [photograph(folder, "unknown.png", BOX, licence=""), photograph(folder, "none.png", licence="MIT")]
    made = scenes(rows, folder, 6)
    assert all(scene.licence == "" for scene in made if scene.plates)


def test_signs_and_night_and_grey_change_the_picture_not_the_labels(rows: list[Picture], folder: Path) -> None:
    plain = scenes(rows[:3], folder, 6, replaced=0.0)
    for extra in ({"signs": 1.0}, {"night": 1.0}, {"grey": 1.0}):
        changed = scenes(rows[:3], folder, 6, replaced=0.0, **extra)
        assert [scene.plates for scene in changed] == [scene.plates for scene in plain]
        assert any(not np.array_equal(a.image, b.image) for a, b in zip(changed, plain, strict=True))
    dark = scenes(rows[:3], folder, 6, night=1.0)
    assert np.mean([scene.image.mean() for scene in dark]) < 80


@settings(max_examples=15, deadline=None)
@given(low=st.floats(0, 100), high=st.floats(130, 255))
def test_light_brings_black_and_white_to_the_levels_of_the_place(low: float, high: float) -> None:
    black_and_white = np.array([[[27] * 3, [245] * 3]], np.uint8)
    lit = Light(low, high, (1.0, 1.0, 1.0)).on(black_and_white)
    assert lit[0, :, 0] == pytest.approx((low, high), abs=0.01)


def test_light_sharpness_and_noise_are_measured() -> None:
    board = np.kron(np.indices((12, 12)).sum(0) % 2, np.ones((5, 5))).astype(np.uint8) * 160 + 40
    image = cv2.cvtColor(board, cv2.COLOR_GRAY2BGR)
    light = light_of(image, (0, 0, 60, 60))
    assert (light.low, light.high) == pytest.approx((40, 200), abs=1)
    grey = board.astype(np.float32)
    assert sharpness(grey) == pytest.approx(1, abs=0.05)
    assert sharpness(cv2.GaussianBlur(grey, (0, 0), 2)) < 0.5
    assert sharpness(np.full((20, 20), 90, np.float32)) == 0
    flat = np.clip(np.random.default_rng(1).normal(128, 5, (80, 80, 1)).repeat(3, 2), 0, 255).astype(np.uint8)
    assert noise_of(flat, (20, 20, 60, 60)) == pytest.approx(5, rel=0.2)


def test_the_command_writes_rows_that_prepare_takes_with_the_photographs(rows: list[Picture], folder: Path, tmp_path: Path) -> None:
    val = photograph(folder, "val.png", BOX, split="val")
    write_manifest(folder / "photographs.jsonl", [*rows, val])
    out, data = tmp_path / "scenes", tmp_path / "data"
    arguments = ["scenes", str(folder / "photographs.jsonl"), "--out", str(out), "--count", "5", "--seed", "2", "--workers", "1"]
    done = CliRunner().invoke(app, [*arguments, "--sheet", str(tmp_path / "sheet.png")], catch_exceptions=False)
    assert done.exit_code == 0
    assert "5 scenes" in done.output
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None
    made = read_manifest(out / "manifest.jsonl")
    assert [row.split for row in made] == ["train"] * 5
    assert {row.group for row in made} <= {row.sha256 for row in rows}
    both = [str(folder / "photographs.jsonl"), str(out / "manifest.jsonl")]
    assert CliRunner().invoke(app, ["prepare", *both, "--out", str(data), "--input-size", "96"], catch_exceptions=False).exit_code == 0
    assert len(list((data / "images" / "train").iterdir())) == 4 + 5
    with pytest.raises(UsageError, match="already; name a new folder"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_corners_become_keypoints_where_they_are_known(rows: list[Picture], folder: Path, tmp_path: Path) -> None:
    plate = Plate((100.0, 75.0, 200.0, 150.0), ((100.0, 75.0), (200.0, 75.0), (200.0, 150.0), (-5.0, 150.0)), "A1")
    known = photograph(folder, "known.png", BOX, plates=(plate,))
    write_manifest(folder / "corners.jsonl", [known, *rows[:1], photograph(folder, "v.png", BOX, split="val")])
    arguments = ["prepare", str(folder / "corners.jsonl"), "--out", str(tmp_path / "data"), "--input-size", "416", "--corners"]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    assert yaml.safe_load((tmp_path / "data" / "data.yaml").read_text())["kpt_shape"] == [4, 3]
    (line,) = next((tmp_path / "data" / "labels" / "train").glob("known_*.txt")).read_text().splitlines()
    assert [float(value) for value in line.split()[5:]] == pytest.approx([0.25, 0.3125, 2, 0.5, 0.3125, 2, 0.5, 0.5, 2, 0, 0, 0])
    (unknown,) = next((tmp_path / "data" / "labels" / "train").glob("0_*.txt")).read_text().splitlines()
    assert [float(value) for value in unknown.split()[5:]] == [0.0] * 12


def test_shipped_configuration_is_what_its_comments_say() -> None:
    assert load_scenes_config(CONFIGS / "scenes.yaml") == ScenesConfig()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("replaced: 0.9\nerased: 0.2", "more than all plates"),
        ("distant_width: [30, 10]", "the smaller number first"),
        ("nights: 0.5", "nights"),
        ("synth: {two_lines: 3}", "synth.two_lines"),
    ],
)
def test_mistakes_in_a_configuration_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "scenes.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_scenes_config(file)


def test_nothing_to_make_scenes_of_is_said(folder: Path, tmp_path: Path) -> None:
    write_manifest(tmp_path / "crops.jsonl", [Picture("a.png", "0" * 64, 10, 10, kind="crop", split="train")])
    with pytest.raises(UsageError, match="no photograph"):
        CliRunner().invoke(app, ["scenes", str(tmp_path / "crops.jsonl"), "--out", str(tmp_path / "out")], catch_exceptions=False)
    with pytest.raises(UsageError, match="nothing to write"):
        CliRunner().invoke(app, ["scenes", str(tmp_path / "crops.jsonl")], catch_exceptions=False)
