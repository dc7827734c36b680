from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from streamer.config import DetectorConfig, ReaderConfig
from streamer.detector import build_detector
from streamer.errors import UsageError, WeightsError
from streamer.reader import CharacterReader, build_reader
from streamer.reader.characternet import described
from streamer.reader.characters import Character, found, network_input, plate_of, rows_of
from streamer.types import Image, ModelInfo

NAMES = tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def plate(*lines: str, degrees: float = 0.0, heights: Sequence[float] | None = None, jitter: float = 0.0) -> list[Character]:
    """Lay out lines of characters below each other, turned around the origin, in an order that tells nothing."""
    placed = []
    turn = math.radians(degrees)
    random = np.random.default_rng(1)
    for number, line in enumerate(lines):
        height = heights[number] if heights else 20.0
        for column, text in enumerate(line):
            x = (column - len(line) / 2) * 0.75 * height + random.uniform(-jitter, jitter)
            y = number * 28.0 + random.uniform(-jitter, jitter)
            at = (x * math.cos(turn) - y * math.sin(turn) + 100, x * math.sin(turn) + y * math.cos(turn) + 60)
            placed.append(Character(text, 0.9, *at, 0.55 * height, height))
    return [placed[index] for index in random.permutation(len(placed))]


def texts(characters: Sequence[Character]) -> list[str]:
    return ["".join(character.text for character in row) for row in rows_of(characters)]


@pytest.mark.parametrize("degrees", [-25, -12, 0, 8, 25])
@pytest.mark.parametrize("lines", [["AB12CDE"], ["MH", "12AB3456"], ["KA01", "HH1234"], ["ABC", "123"], ["1"], ["12"]])
def test_rows_are_found_however_the_plate_is_turned(lines: list[str], degrees: float) -> None:
    assert texts(plate(*lines, degrees=degrees, jitter=1.0)) == lines


def test_a_row_of_small_characters_is_no_part_of_the_number() -> None:
    assert texts(plate("CALIFORNIA", "7ABC123", heights=[8, 20])) == ["7ABC123"]


def test_no_character_makes_no_plate() -> None:
    assert rows_of([]) == []
    assert plate_of([]) is None


lines = st.lists(st.text("".join(NAMES), min_size=2, max_size=8), min_size=1, max_size=2)


@given(lines, st.floats(-20, 20))
def test_every_character_comes_once(given_lines: list[str], degrees: float) -> None:
    characters = plate(*given_lines, degrees=degrees)
    rows = rows_of(characters)
    assert sorted(c.text for row in rows for c in row) == sorted("".join(given_lines))


def raw(*boxes: tuple[str, float, float, float, float, float], anchors: int = 60) -> Any:
    """Give a network's output with these boxes (character, score, x, y, width, height), the rest empty."""
    output = np.zeros((4 + len(NAMES), anchors), np.float32)
    for column, (text, score, *box) in enumerate(boxes):
        output[:4, column] = box
        output[4 + NAMES.index(text), column] = score
    return output


def test_a_place_has_one_character_whatever_its_class() -> None:
    output = raw(("O", 0.9, 20, 20, 10, 16), ("0", 0.8, 20.5, 20, 10, 16), ("H", 0.7, 40, 20, 12, 16), ("I", 0.5, 36, 20, 3, 15))
    assert [(c.text, round(c.score, 3)) for c in found(output, NAMES)] == [("O", 0.9), ("H", 0.7)]


def test_weak_characters_and_classes_that_are_none_are_left_out() -> None:
    names = ("", *NAMES[1:])
    assert [c.text for c in found(raw(("0", 0.9, 20, 20, 9, 16), ("A", 0.1, 40, 20, 9, 16), ("B", 0.6, 60, 20, 9, 16)), names)] == ["B"]


class FakeNet:
    """A network of known output, that keeps what it was given."""

    backend = "fake"

    def __init__(self, output: Any) -> None:
        self.output, self.seen = output, list[Image]()

    def run(self, pictures: Sequence[Image]) -> list[Any]:
        self.seen += pictures
        return [self.output for _ in pictures]


def reader(output: Any, **options: Any) -> tuple[CharacterReader, FakeNet]:
    net = FakeNet(output)
    return CharacterReader(net, NAMES, 160, ModelInfo("characters", "a" * 64, "fake"), **options), net


def test_both_lines_of_a_plate_are_read_in_place_with_a_score_each() -> None:
    top = [("K", 0.9, 60, 20, 12, 20), ("A", 0.8, 80, 20, 12, 20)]
    low = [("1", 0.7, 50, 50, 12, 20), ("2", 0.6, 70, 50, 12, 20), ("3", 0.5, 90, 51, 12, 20)]
    character_reader, _ = reader(raw(*low, *top))
    (read, nothing) = character_reader.read([np.zeros((40, 80, 3), np.uint8), np.zeros((0, 5, 3), np.uint8)])
    assert nothing is None
    assert read is not None
    assert (read.text, read.lines) == ("KA123", 2)
    assert read.char_scores == pytest.approx((0.9, 0.8, 0.7, 0.6, 0.5))


def test_the_network_gets_rgb_on_grey_as_large_as_it_was_trained() -> None:
    crop = np.full((20, 80, 3), (10, 20, 30), np.uint8)
    character_reader, net = reader(raw())
    assert character_reader.read([crop]) == [None]
    (given_picture,) = net.seen
    assert given_picture.shape == (64, 160, 3)
    assert tuple(given_picture[32, 80]) == (30, 20, 10)
    assert tuple(given_picture[0, 0]) == (114, 114, 114)
    assert network_input(crop, 160, fixed=True).shape == (160, 160, 3)


def test_something_else_than_a_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="BGR"):
        reader(raw())[0].read([np.zeros((20, 80), np.uint8)])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained YOLOv8n with 36 classes: it reads nothing, but every engine must read the same nothing."""
    from streamer.detector.export import quiet_ultralytics

    with quiet_ultralytics(tmp_path_factory.mktemp("settings")):
        import torch
        from ultralytics.models import YOLO
        from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "characters.pt"
    model = YOLO("yolov8n.yaml")
    model.model = DetectionModel("yolov8n.yaml", nc=len(NAMES), verbose=False)
    model.model.names = dict(enumerate(NAMES))
    model.ckpt = {"train_args": {"imgsz": 96, "task": "detect"}}
    model.save(path)
    return path


@pytest.mark.timeout(600)
def test_the_same_is_read_from_every_kind_of_file(checkpoint: Path, data: Path, tmp_path: Path) -> None:
    from streamer.stills import load_picture
    from train.export.agreement import Tolerance
    from train.export.command import run_export

    forms, settings = ["onnx", "openvino", "tensorrt"], {"size": 640, "threads": 2, "tolerance": Tolerance()}
    assert run_export(checkpoint, tmp_path, forms, [data / "crops"], console=Console(quiet=True), **settings)  # type: ignore[arg-type]
    rows = json.loads((tmp_path / "export.json").read_text())["forms"]
    assert [row["state"] for row in rows] == ["original", "same", "same", "skipped"]
    shutil.copy(checkpoint, tmp_path)
    crops = [load_picture(path) for path in sorted((data / "crops").glob("*.png"))]
    outputs = []
    for suffix, backend in ((".pt", "torch"), (".onnx", "openvino"), (".xml", "openvino")):
        built = build_reader(ReaderConfig(engine="characters", weights=str(tmp_path / f"characters{suffix}"), threads=2))
        assert isinstance(built, CharacterReader)
        assert (built.info.name, built.info.backend.split()[0]) == ("characters", backend)
        outputs.append(built.outputs(crops))
        assert len(built.read(crops)) == len(crops)
    for other in outputs[1:]:
        for one, two in zip(outputs[0], other, strict=True):
            assert one.shape[0] == 40
            np.testing.assert_allclose(one, two, rtol=2e-2, atol=2e-2)


def test_a_detector_of_characters_is_refused_as_one_of_plates_and_told_what_it_is(checkpoint: Path) -> None:
    with pytest.raises(WeightsError, match=r"knows 36 classes.*engine: characters, weights: .*characters\.pt"):
        build_detector(DetectorConfig(weights=str(checkpoint), backend="torch", input_size=96))


def test_the_usual_reader_is_no_character_detector() -> None:
    with pytest.raises(WeightsError, match=r"is a folder; reader.engine characters needs reader.weights"):
        build_reader(ReaderConfig(engine="characters"))


def test_a_plate_detector_is_no_character_detector() -> None:
    from streamer import weights

    plates = weights.resolve("plate-detector", prefer=("openvino", "onnx"))
    with pytest.raises(WeightsError, match=r"its classes \(plate\) are no characters"):
        build_reader(ReaderConfig(engine="characters", weights=str(plates)))


def test_classes_are_taken_in_the_order_of_their_numbers() -> None:
    said = described({1: "B", 0: "a", 2: "plate"}, [96, 160], Path("x"))
    assert (said.names, said.size) == (("A", "B", ""), 160)
