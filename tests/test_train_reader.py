"""Fine-tuning of the recogniser: the published network cut down, trained, and back in the form that the program loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamer.config import ReaderConfig
from streamer.errors import UsageError
from streamer.reader import build_reader
from streamer.stills import load_picture
from streamer.weights import resolve
from train.manifest import Picture, Plate, write_manifest
from train.reader.batches import Lines, batches, classes_of
from train.reader.command import run_reader
from train.reader.config import ReaderTraining, read_reader_training
from train.reader.data import synthetic_lines
from train.reader.network import LATIN, OTHER, slice_onnx, to_onnx, trainable
from train.reader.real import RealPlates, load_real
from train.reader.training import Progress, spell, train_reader

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def published() -> Path:
    return resolve("starter-reader", prefer="onnx") / "inference.onnx"


def run(model: object, pictures: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: pictures})[0]


def onnx_of(path: Path) -> object:
    import onnx

    return onnx.load(str(path))


def test_weights_survive_the_way_to_torch_and_back(published: Path) -> None:
    import torch

    sliced = slice_onnx(published)
    net = trainable(sliced)
    pictures = np.random.default_rng(0).normal(size=(2, 3, 48, 224)).astype(np.float32)
    with torch.no_grad():
        for number, parameter in enumerate(net.parameters()):
            parameter.mul_(1 + 0.001 * (number % 7))  # as training would, each a little differently
        expected = net(torch.from_numpy(pictures)).numpy()
    assert expected.shape == (2, 28, 1 + len(LATIN + OTHER))
    np.testing.assert_allclose(run(to_onnx(sliced, net.state_dict()), pictures), expected, atol=1e-5)
    assert np.abs(run(sliced, pictures) - expected).max() > 1e-4, "the change must be visible"


def test_training_goes_on_from_a_reader_that_was_trained_here() -> None:
    own = resolve("plate-reader", prefer="onnx") / "inference.onnx"
    sliced = slice_onnx(own)
    pictures = np.random.default_rng(0).normal(size=(1, 3, 48, 224)).astype(np.float32)
    np.testing.assert_allclose(run(sliced, pictures), run(onnx_of(own), pictures), atol=1e-5)
    digits = run(slice_onnx(own, "0123456789" + OTHER), pictures)
    assert digits.shape == (1, 28, 12), "with fewer characters, too"


def test_a_letter_that_the_published_network_does_not_know_is_refused(published: Path) -> None:
    with pytest.raises(UsageError, match="cannot begin with characters that it does not know"):
        slice_onnx(published, LATIN + "\ue000")


def row(file: str, text: str | None = "AB12", box: Any = (10.0, 10.0, 60.0, 30.0), **changes: Any) -> Picture:
    """Give the row of a picture of 100 x 60 pixels with a plate in it."""
    fields = {"licence": "MIT", "split": "train", "plates": (Plate(box, None, text),)} | changes
    return Picture(file, changes.get("group", ""), 100, 60, **fields)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds a photograph (p.png), and a crop of two lines (two.png)."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 100, 3), np.uint8)
    assert cv2.imwrite(str(tmp_path / "p.png"), noise)
    noise[27:33] = 128
    assert cv2.imwrite(str(tmp_path / "two.png"), noise)
    return tmp_path


def test_every_real_plate_is_used_or_counted_by_its_reason(folder: Path) -> None:
    rows = [
        row("p.png"),
        row("p.png", licence=""),
        row("p.png", "CD34", split="val"),
        row("p.png", split="test"),
        row("p.png", "ÄB1"),
        row("p.png", None),
        row("p.png", plates=(Plate((0.0, 0.0, 9.0, 9.0), None, None, False),)),
        row("p.png", box=None),
        row("two.png", box=None, kind="crop"),
    ]
    write_manifest(folder / "m.jsonl", rows)
    found = load_real([folder / "m.jsonl"], LATIN)
    assert [crop.text for crop in found.train] == ["AB12", "AB12"]
    assert [crop.text for crop in found.val] == ["CD34"]
    assert found.unlicensed == 1
    x1, _, x2, _ = found.train[0].box
    assert x2 - x1 == 50, "the plate itself, with room around it"
    reasons = ("of the split test", "with a character outside the alphabet", "without a text", "that nobody could read", "without a box")
    assert found.left_out == dict.fromkeys((*reasons, "of two lines"), 1)
    licensed = load_real([folder / "m.jsonl"], LATIN, licensed=True)
    assert len(licensed.train) == 1
    assert licensed.left_out["of pictures without a licence"] == 1


def test_own_crops_without_split_or_licence_train_and_validate(folder: Path) -> None:
    write_manifest(folder / "m.jsonl", [row("p.png", licence="", split=None, group=f"car {n}") for n in range(10)])
    found = load_real([folder / "m.jsonl"], LATIN)
    assert len(found.train) + len(found.val) == 10
    assert found.train
    assert found.val
    with pytest.raises(UsageError, match=r"m\.jsonl: gives no plate to train the reader on; left out: 10 of pictures without a licence"):
        load_real([folder / "m.jsonl"], LATIN, licensed=True)


def test_a_manifest_that_gives_nothing_is_named_beside_a_good_one(folder: Path) -> None:
    write_manifest(folder / "good.jsonl", [row("p.png")])
    write_manifest(folder / "bad.jsonl", [row("p.png", None), row("p.png", None)])
    with pytest.raises(UsageError, match=r"bad\.jsonl: gives no plate .*left out: 2 without a text"):
        load_real([folder / "good.jsonl", folder / "bad.jsonl"], LATIN)
    write_manifest(folder / "held.jsonl", [row("p.png", split="val")])
    with pytest.raises(UsageError, match="none trains"):
        load_real([folder / "held.jsonl"], LATIN)


def test_a_training_is_not_written_over(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "checkpoint.pt").write_bytes(b"")
    with pytest.raises(UsageError, match=r"run: holds a training already; go on with it by --resume"):
        run_reader(ReaderTraining(), [folder / "m.jsonl"], folder / "run", resume=False, licensed=False)


def test_synthetic_lines_repeat_and_workers_share_them_out() -> None:
    def texts(first: int, step: int, count: int) -> list[str]:
        lines = synthetic_lines(None, 3, first, step)
        return [text for _, (_, text) in zip(range(count), lines, strict=False)]

    assert texts(0, 1, 8) == texts(0, 1, 8)
    assert texts(0, 2, 3) != texts(1, 2, 3)


@pytest.mark.timeout(60)
def test_another_process_draws_lines_when_opencv_has_threads_here() -> None:
    """A forked one hung for ever: it waits for threads that a copy has not got."""
    cv2.warpAffine(np.zeros((3000, 3000, 3), np.uint8), np.eye(2, 3), (3000, 3000))
    config = ReaderTraining(batch=3, workers=1, real_share=0.0)
    pictures, classes, lengths = next(batches(config, [], 0))
    assert pictures.shape == (3, 3, 48, 224)
    here = next(batches(config.model_copy(update={"workers": 0}), [], 0))
    assert all((a == b).all() for a, b in zip(here, (pictures, classes, lengths), strict=True)), "lines come again from the seed"


def test_a_run_can_be_resumed_and_gives_a_reader_that_the_program_loads(tmp_path: Path, published: Path) -> None:
    config = ReaderTraining(model=str(published), steps=1, batch=2, every=1, workers=0, threads=1, device="cpu", real_share=0.0)
    told: list[Progress] = []
    with pytest.raises(UsageError, match="nothing to resume"):
        train_reader(config, RealPlates(), tmp_path / "run", resume=True)
    train_reader(config, RealPlates(), tmp_path / "run", tell=told.append)
    folder = train_reader(config.model_copy(update={"steps": 2}), RealPlates(), tmp_path / "run", resume=True, tell=told.append)
    assert [progress.step for progress in told] == [1, 2]
    reader = build_reader(ReaderConfig(weights=str(folder), engine="onnxruntime", lines="gap"))
    (crop,) = reader.read([load_picture(DATA / "crops" / "fa_00059.png")])
    assert crop is not None
    assert crop.text


def test_what_the_alphabet_lacks_is_learned_as_another_character() -> None:
    """Synthetic plates are drawn in A-Z and 0-9, whatever the alphabet of the reader."""
    digits = ReaderTraining(letters="0123456789", real_share=0.0).alphabet
    lines = iter(Lines(ReaderTraining(letters="0123456789", real_share=0.0), [], 0))
    seen = [set(next(lines)[1]) for _ in range(4)]
    assert set().union(*seen) <= set(range(1, 12))
    assert spell(classes_of("1Ж2", digits), digits) == "1*2"


@pytest.mark.parametrize("letters", ["ABA", "AB*", "aB", "A B"])
def test_an_alphabet_with_a_mistake_is_refused(letters: str) -> None:
    with pytest.raises(ValueError, match="each character once"):
        ReaderTraining(letters=letters)


def test_repeated_classes_are_one_character_unless_a_blank_parts_them() -> None:
    assert spell([0, 1, 1, 0, 1, 2, 2], LATIN) == "001"


@pytest.mark.parametrize(("text", "message"), [("steps: 0", "steps"), ("speed: 3", "speed"), ("- a", "must be keys"), ("a: [", "YAML")])
def test_mistakes_in_the_configuration_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "reader.yaml").write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        read_reader_training(tmp_path / "reader.yaml")
    assert "reader.yaml" in str(caught.value)


def test_the_shipped_configuration_is_read() -> None:
    assert read_reader_training(Path("configs/train/reader.yaml")).model == "starter-reader"
