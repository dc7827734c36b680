"""Synthetic plates: repeatable, labelled as they are drawn, in the forms of their countries, written as a data set."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from streamer.errors import UsageError
from streamer.plates import FormatBook
from streamer.plates.formats import all_formats
from train.cli import app
from train.manifest import read_manifest
from train.synth import PlateRenderer, SynthConfig, SyntheticCrop, load_synth_config
from train.synth.dataset import contact_sheet, write_crops, yolo_rows
from train.synth.fonts import FOLDER

CLASSES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.fixture(scope="module")
def crops() -> list[SyntheticCrop]:
    renderer = PlateRenderer(seed=7)
    return [renderer.sample(index) for index in range(120)]


def just(country: str, **settings: object) -> SynthConfig:
    """Settings that draw the plates of one country."""
    countries = {fmt.country[:2] for fmt in all_formats() if fmt.country}
    factors = {name: float(name == country) for name in countries}
    return SynthConfig.model_validate({"countries": factors, "random_texts": 0.0, **settings})


def test_the_same_seed_and_index_give_the_same_bytes_in_any_order_and_renderer() -> None:
    first, second = PlateRenderer(seed=3), PlateRenderer(seed=3)
    forwards = [first.sample(index) for index in range(12)]
    backwards = [second.sample(index) for index in reversed(range(12))][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        assert one.text == other.text
        assert one.image.tobytes() == other.image.tobytes()
        assert np.array_equal(one.char_boxes, other.char_boxes)
        assert np.array_equal(one.corners, other.corners)


def test_other_seeds_and_indices_give_other_plates() -> None:
    texts = [PlateRenderer(seed=seed).sample(index).text for seed in range(5) for index in range(8)]
    assert len(set(texts)) > 35


def test_texts_are_of_the_alphabet_or_a_star(crops: list[SyntheticCrop]) -> None:
    for crop in crops:
        assert re.fullmatch(r"[0-9A-Z*]{1,12}", crop.text)
        assert crop.text == "".join(crop.lines)
        assert len(crop.lines) in (1, 2)


def test_pictures_are_bgr_bytes_with_characters_down_to_eight_pixels(crops: list[SyntheticCrop]) -> None:
    heights = [float(np.median(crop.char_boxes[:, 3] - crop.char_boxes[:, 1])) for crop in crops]
    assert all(crop.image.dtype == np.uint8 and crop.image.shape[2] == 3 and crop.image.flags.c_contiguous for crop in crops)
    assert min(heights) < 10
    assert max(heights) > 40


def test_every_character_has_a_box_inside_the_picture(crops: list[SyntheticCrop]) -> None:
    for crop in crops:
        height, width = crop.image.shape[:2]
        assert crop.char_boxes.shape == (len(crop.text), 4)
        assert (crop.char_boxes >= 0).all()
        assert (crop.char_boxes <= (width, height, width, height)).all()
        assert (crop.char_boxes[:, 2:] > crop.char_boxes[:, :2]).all()


def test_corners_are_inside_or_cut_by_a_few_percent(crops: list[SyntheticCrop]) -> None:
    cut = 0
    for crop in crops:
        height, width = crop.image.shape[:2]
        beyond = np.maximum(-crop.corners, crop.corners - (width, height)) / (width, height)
        assert beyond.max() < 0.15
        cut += beyond.max() > 0.01
    assert 0 < cut < len(crops) / 2


def test_characters_lie_within_the_plates_corners(crops: list[SyntheticCrop]) -> None:
    for crop in crops:
        outline = crop.corners.astype(np.float32)
        for x1, y1, x2, y2 in crop.char_boxes:
            assert cv2.pointPolygonTest(outline, ((x1 + x2) / 2, (y1 + y2) / 2), False) > 0


def test_lines_are_read_from_top_to_bottom_and_left_to_right() -> None:
    renderer = PlateRenderer(just("IN", two_lines=1.0, slanted=0.0), seed=1)
    for index in range(30):
        crop = renderer.sample(index)
        assert len(crop.lines) == 2
        top, bottom = crop.line_boxes
        assert top[1] < bottom[1]
        assert (top[1] + top[3]) / 2 < bottom[1] + 0.1 * (bottom[3] - bottom[1])
        for boxes in np.split(crop.char_boxes, [len(crop.lines[0])]):
            assert (np.diff(boxes[:, 0]) > 0).all()


@pytest.mark.parametrize("country", ["GB", "NL", "BR", "VN", "CZ", "PT", "IN"])
def test_a_countrys_plates_have_its_format(country: str) -> None:
    book = FormatBook.load([country], only=True)
    renderer = PlateRenderer(just(country), seed=2)
    for index in range(15):
        crop = renderer.sample(index)
        assert crop.region == country
        best = book.rank(crop.text)[0]
        assert best.fits
        assert any(candidate.plate == crop.text for candidate in book.rank(crop.text))


def test_zero_and_o_one_and_i_both_come() -> None:
    renderer = PlateRenderer(seed=5)
    text = "".join(renderer.sample(index).text for index in range(80))
    assert all(text.count(c) > 0 for c in "0O1I")


def test_a_province_sign_is_a_star() -> None:
    renderer = PlateRenderer(just("CN"), seed=2)
    crops = [renderer.sample(index) for index in range(10)]
    assert all(re.fullmatch(r"\*[A-Z][A-Z0-9]{5,6}", crop.text) for crop in crops)
    assert all(len(yolo_rows(crop).splitlines()) == len(crop.text) - 1 for crop in crops)


def test_a_data_set_has_pictures_manifest_and_characters(tmp_path: Path) -> None:
    rows = write_crops(tmp_path / "out", 40, 9, SynthConfig(), "webp")
    assert read_manifest(tmp_path / "out" / "manifest.jsonl") == sorted(rows, key=lambda row: row.file)
    assert sum(row.split == "val" for row in rows) == 2
    assert len({row.group for row in rows}) == 40
    for row in rows:
        file = tmp_path / "out" / row.file
        assert hashlib.sha256(file.read_bytes()).hexdigest() == row.sha256
        assert cv2.imread(str(file)).shape[:2] == (row.height, row.width)
        labels = Path(str(file).replace("/images/", "/labels/")).with_suffix(".txt").read_text().split("\n")[:-1]
        text = row.plates[0].text
        assert text is not None
        assert [CLASSES[int(line.split()[0])] for line in labels] == [c for c in text if c != "*"]
        assert all(0 <= float(value) <= 1 for line in labels for value in line.split()[1:])
    data = yaml.safe_load((tmp_path / "out" / "characters.yaml").read_text())
    assert "".join(data["names"].values()) == CLASSES


def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    one = write_crops(tmp_path / "one", 60, 4, SynthConfig(character_height=(8, 12)))
    two = write_crops(tmp_path / "two", 60, 4, SynthConfig(character_height=(8, 12)), workers=2)
    assert one == two


def test_a_folder_that_holds_a_data_set_is_not_written_over(tmp_path: Path) -> None:
    write_crops(tmp_path, 1, 0, SynthConfig())
    with pytest.raises(UsageError, match=r"manifest\.jsonl"):
        write_crops(tmp_path, 1, 0, SynthConfig())


def test_the_command_writes_a_sheet(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    given = CliRunner().invoke(app, ["synth", "--sheet", str(tmp_path / "sheet.jpg"), "--count", "9"])
    assert given.exit_code == 0, given.output
    assert cv2.imread(str(tmp_path / "sheet.jpg")).shape == (2 * 118, 8 * 180, 3)
    assert contact_sheet([]).size == 0


def test_the_shipped_settings_are_the_defaults() -> None:
    assert load_synth_config(Path(__file__).parents[1] / "configs" / "train" / "synth.yaml") == SynthConfig()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("slanted: 2", "slanted"),
        ("colour: red", "colour"),
        ("a: [", "YAML"),
        ("- 1", "must be keys"),
        ("character_height: [30, 8]", "character_height"),
    ],
)
def test_wrong_settings_are_told_by_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "synth.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=told) as error:
        load_synth_config(file)
    assert str(file) in str(error.value)


def test_a_country_without_formats_is_told() -> None:
    with pytest.raises(UsageError, match="XX"):
        PlateRenderer(SynthConfig(countries={"XX": 1.0})).sample(0)


def test_every_font_has_a_row_and_a_licence() -> None:
    table = (FOLDER / "README.md").read_text("utf-8")
    fonts = [file for file in FOLDER.iterdir() if file.suffix in (".ttf", ".otf", ".woff")]
    named = {name for names in _tags().values() for name in names}
    assert {file.name for file in fonts} == named
    for file in fonts:
        row = next(line for line in table.splitlines() if f"`{file.name}`" in line)
        for licence in re.findall(r"\((licences/[^)]+)\)", row):
            assert (FOLDER / licence).is_file()
    assert sum(file.stat().st_size for file in fonts) < 5_000_000


def _tags() -> dict[str, list[str]]:
    import tomllib

    tags: dict[str, list[str]] = tomllib.loads((FOLDER / "fonts.toml").read_text("utf-8"))["tags"]
    return tags
