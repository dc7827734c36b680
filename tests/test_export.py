"""Export: the same answers in every form, and own weights that install themselves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

from streamer import weights
from streamer.errors import UsageError
from streamer.types import Box, Detection
from train.export.agreement import Tolerance, compare_boxes, compare_texts
from train.export.card import card
from train.export.command import chosen_forms, run_export
from train.export.install import check_ready, install
from train.export.onnx_layers import layers_of
from train.export.pictures import read_samples
from train.export.reader_settings import write_reader_settings
from train.manifest import Picture, Plate, write_manifest

DATA = Path(__file__).parent / "data"


def detection(x: float, score: float = 0.9) -> Detection:
    return Detection(Box(x, 0.0, x + 100.0, 40.0), score)


def boxes(original: list[Detection], other: list[Detection], *, exact: bool) -> bool:
    return compare_boxes([original], [other], [0.5], 0.25, Tolerance(), exact=exact).same


def test_exact_forms_may_move_a_box_by_a_pixel_of_the_input() -> None:
    assert boxes([detection(0)], [detection(1.9)], exact=True)
    assert not boxes([detection(0)], [detection(2.1)], exact=True)
    assert boxes([detection(0)], [detection(2.1)], exact=False)


@pytest.mark.parametrize("exact", [True, False])
def test_a_clear_box_must_be_found_and_none_may_be_new(exact: bool) -> None:
    assert not boxes([detection(0)], [], exact=exact)
    assert not boxes([], [detection(0)], exact=exact)
    assert boxes([detection(0), detection(300, 0.26)], [detection(0), detection(500, 0.27)], exact=exact), "at the threshold chance decides"


def test_texts_are_compared_and_counted_where_the_truth_is_known() -> None:
    even, odd = np.array([[0.9, 0.1]], np.float32), np.array([[0.8, 0.2]], np.float32)
    found = compare_texts([("A1", even), ("B2", even)], [("A1", even), ("B7", odd)], ["A1", None], Tolerance(agreement=0.5), exact=False)
    assert found.same
    assert (found.figures["equal_texts"], found.figures["right"]) == (0.5, 1.0)
    assert found.figures["largest_probability"] == pytest.approx(0.1)
    assert not compare_texts([("A1", even)], [("A1", odd)], [None], Tolerance(), exact=True).same


def test_fewer_bits_must_not_cost_a_right_text() -> None:
    step = np.array([[0.9, 0.1]], np.float32)

    def same(before: str, after: str, truth: str | None) -> bool:
        return compare_texts([(before, step), ("C3", step)], [(after, step), ("C3", step)], [truth, "C3"], Tolerance(), exact=False).same

    assert same("8X", "BX", "A1"), "neither is right"
    assert same("A7", "A1", "A1"), "better"
    assert not same("A1", "A7", "A1")
    assert not compare_texts([("A1", step)], [("A7", step)], [None], Tolerance(), exact=False).same, "nobody knows"


def test_layers_come_with_the_biases_and_norms_behind_them() -> None:
    tensors = {"w": np.ones((4, 3, 1, 1)), "b": np.ones((1, 4, 1, 1)), "v": np.ones((4, 4, 1, 1)), "m": np.ones((4, 2)), "n": np.ones(2)}
    tensors |= {name: np.full(4, value) for name, value in (("scale", 1.0), ("shift", 2.0), ("mean", 3.0), ("variance", 4.0))}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["1"]),
        helper.make_node("Add", ["1", "b"], ["2"]),
        helper.make_node("Identity", ["2"], ["3"]),
        helper.make_node("Conv", ["3", "v"], ["4"]),
        helper.make_node("BatchNormalization", ["4", "scale", "shift", "mean", "variance"], ["5"], epsilon=1e-3),
        helper.make_node("MatMul", ["5", "m"], ["6"]),
        helper.make_node("Add", ["6", "n"], ["7"]),
        helper.make_node("Mul", ["7", "n"], ["8"]),
        helper.make_node("Add", ["8", "n"], ["y"]),
    ]
    values = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in tensors.items()]
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, None)] for name in "xy"]
    first, second, linear, norm = layers_of(helper.make_model(helper.make_graph(nodes, "g", *ends, values)))
    assert [layer.kind for layer in (first, second, linear, norm)] == ["conv", "conv", "linear", "norm"]
    assert first.bias is not None
    assert (first.bias.shape, first.batch_norm) == ((4,), None)
    assert second.batch_norm is not None
    assert second.batch_norm.epsilon == pytest.approx(1e-3)
    assert linear.bias is not None
    assert norm.bias is not None


def test_no_picture_is_for_calibration_and_comparison(tmp_path: Path) -> None:
    samples = read_samples(DATA / "photos", crops=False, comparison=4)
    assert (len(samples.calibration), len(samples.comparison)) == (11, 3)
    photo = "fa_00004.webp"
    shutil.copy(DATA / "photos" / photo, tmp_path)
    plate = Plate(box=(100, 100, 200, 150), text="AB123")
    rows = [Picture(photo, "", 1, 1, split=split, plates=(plate,)) for split in ("train", "val")]
    write_manifest(tmp_path / "m.jsonl", rows)
    samples = read_samples(tmp_path / "m.jsonl", crops=True)
    assert samples.comparison[0].image.shape == (54, 108, 3), "with a margin of 4 %"
    assert samples.comparison[0].text == "AB123"


@pytest.mark.parametrize(
    ("weight", "pictures", "message"),
    [
        ("absent.pt", DATA / "photos", "no such file"),
        ("plate.onnx", DATA / "photos", "neither a detector's"),
        ("plate.pt", None, "--calibrate"),
    ],
)
def test_what_cannot_be_exported_is_said(tmp_path: Path, weight: str, pictures: Path | None, message: str) -> None:
    for name in ("plate.onnx", "plate.pt"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError, match=message):
        run_export(
            tmp_path / weight,
            tmp_path / "out",
            ["onnx"],
            [pictures] if pictures else [],
            size=640,
            threads=1,
            tolerance=Tolerance(),
            console=Console(quiet=True),
        )
    with pytest.raises(UsageError, match="--formats caffe: unknown"):
        chosen_forms("onnx,caffe")


def test_the_card_says_what_the_table_said() -> None:
    form = {"form": "onnx", "state": "same", "why": "", "files": ["a.onnx"], "megabytes": 6.05, "figures": {"mean_overlap": 0.99876}}
    forms = [form | {"milliseconds": 12.34, "times_as_fast": 1.5}, form | {"files": [], "milliseconds": None, "times_as_fast": None}]
    told = card({"weights": "best.pt", "size": 640, "threads": 0, "pictures": 48, "tolerance": {"pixels": 1.0}, "forms": forms})
    assert "best.pt, compared with the original on 48 pictures (tolerance: pixels 1)" in told
    assert "| onnx | `a.onnx` | 6.0 | same | mean overlap 0.9988 | 12.3 | 1.50 |" in told
    assert "| onnx |  |  | same | mean overlap 0.9988 |  |  |" in told


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    folder = tmp_path / "candidate"
    folder.mkdir()
    for name in ("inference.onnx", "inference.json", "inference.pdiparams"):
        (folder / name).write_bytes(name.encode())
    write_reader_settings(folder, "01AB*")
    return folder


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    other = {"target": "other/x.pt", "sha256": "0", "size": 1}
    model = {"package": "demo", "formats": {"onnx": "starters/r"}}
    manifest = {"packages": {}, "files": [], "derived": [], "shipped": [other], "models": {"plate-reader": model}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_reader_becomes_what_ships(reader: Path, directory: Path) -> None:
    measured = {"reader": {"plates": 90, "folded": 97.5, "slices": {"night": {"plates": 20}}}}
    for _ in range(2):
        lines = install(reader, "plate-reader", measured, directory=directory)
    assert "  reader: plates 90, folded 97.5, slices (night (plates 20))" in lines
    assert weights.resolve("plate-reader", prefer="paddle", directory=directory) == directory / "plate-reader"
    manifest = json.loads((directory / "manifest.json").read_text())
    assert [entry["target"] for entry in manifest["shipped"]][:2] == ["other/x.pt", "plate-reader/inference.json"]
    assert len(manifest["shipped"]) == 5
    assert manifest["models"]["plate-reader"]["measured"] == measured
    assert "package" not in manifest["models"]["plate-reader"]


def test_a_calibrated_reader_ships_its_int8_form_until_one_without_takes_its_place(reader: Path, directory: Path) -> None:
    for name in ("inference-int8.xml", "inference-int8.bin"):
        (reader / name).write_bytes(name.encode())
    install(reader, "plate-reader", {}, directory=directory)
    assert weights.resolve("plate-reader", prefer="openvino-int8", directory=directory).parent == directory / "plate-reader"
    (reader / "inference-int8.xml").unlink()
    install(reader, "plate-reader", {}, directory=directory)
    assert not list((directory / "plate-reader").glob("*int8*"))
    assert "openvino-int8" not in json.loads((directory / "manifest.json").read_text())["models"]["plate-reader"]["formats"]


def test_an_incomplete_or_telltale_candidate_is_not_installed(reader: Path, directory: Path) -> None:
    (reader / "inference.json").write_text(f"made in {Path.cwd()}/somewhere")
    with pytest.raises(UsageError, match="a folder of this machine"):
        install(reader, "plate-reader", {}, directory=directory)
    (reader / "inference.json").unlink()
    with pytest.raises(UsageError, match=r"lacks inference.json.* plate-train export .*candidate --calibrate DATA"):
        install(reader, "plate-reader", {}, directory=directory)
    with pytest.raises(UsageError, match=r"a plate-layout is the \.onnx file of plate-train layout"):
        check_ready(reader, "plate-layout", directory=directory)
    assert not (directory / "plate-reader").exists()


@pytest.mark.slow
def test_the_shipped_reader_gives_the_same_in_every_exact_form(tmp_path: Path) -> None:
    source = weights.resolve("plate-reader", prefer="onnx")
    forms = ["onnx", "openvino", "paddle"]
    assert run_export(source, tmp_path, forms, [DATA / "crops"], size=640, threads=1, tolerance=Tolerance(), console=Console(quiet=True))
    assert [row["state"] for row in json.loads((tmp_path / "export.json").read_text())["forms"]] == ["original", "same", "same", "same"]
    assert onnx.load(str(tmp_path / "inference.onnx")).graph.node
