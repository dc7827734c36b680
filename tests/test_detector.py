"""Detector: the same boxes on every backend, in any batch, in pixels of the frame."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer import weights
from streamer.config import DetectorConfig
from streamer.detector import PlateDetector, build_detector
from streamer.detector.boxes import detections
from streamer.detector.letterbox import Placement, letterbox
from streamer.errors import MissingPackageError, UsageError, WeightsError
from streamer.types import Box, Detection, Image

DATA = Path(__file__).parent / "data"
ROOT = DATA.parents[1]
CPU_BACKENDS = ["openvino", "onnxruntime"]
PHOTOS = ["photos/fa_00004.webp", "photos/oi_00078.webp", "photos/ro_00072.webp", "photos/oi_00087.webp"]
"""Of different shapes, one plate each: small ones, one at night, one that fills the picture."""


@cache
def photo(name: str) -> Image:
    return cv2.imread(str(DATA / name)).astype(np.uint8)


@cache
def truth(name: str) -> Box:
    with (DATA / "truth.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["file"] == name)
    return Box(*map(float, row["boxes"].split("|")[0].split()))


@cache
def detector(backend: str = "openvino", **changes: object) -> PlateDetector:
    return build_detector(DetectorConfig.model_validate({"backend": backend, "half": False, **changes}))


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    inner = max(0.0, min(a.x2, b.x2) - max(a.x1, b.x1)) * max(0.0, min(a.y2, b.y2) - max(a.y1, b.y1))
    return inner / (a.width * a.height + b.width * b.height - inner)


def rows(found: list[Detection]) -> list[list[float]]:
    return [[d.box.x1, d.box.y1, d.box.x2, d.box.y2, d.score] for d in found]


@pytest.mark.parametrize("shape", ["square", "fit"])
@pytest.mark.parametrize("name", PHOTOS)
def test_the_plate_is_found_where_it_is(name: str, shape: str) -> None:
    found = detector(input_shape=shape).detect([photo(name)])[0]
    assert overlap(found[0].box, truth(name)) > 0.3
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_a_picture_gives_the_same_to_the_last_bit_in_any_company(backend: str) -> None:
    pictures = [photo(name) for name in PHOTOS]
    alone = [detector(backend).detect([picture])[0] for picture in pictures]
    assert detector(backend).detect(pictures) == alone
    assert detector(backend).detect(pictures[::-1] + pictures[1:3]) == alone[::-1] + alone[1:3]


def test_no_pictures_give_no_results() -> None:
    assert [detector(backend).detect([]) for backend in CPU_BACKENDS] == [[], []]


@pytest.mark.parametrize("shape", ["square", "fit"])
def test_openvino_and_onnx_runtime_agree_within_a_pixel(shape: str) -> None:
    pictures = [photo(name) for name in PHOTOS]
    for one, other in zip(*(detector(b, input_shape=shape).detect(pictures) for b in CPU_BACKENDS), strict=True):
        np.testing.assert_allclose(rows(one), rows(other), atol=1.0)
        np.testing.assert_allclose([d.score for d in one], [d.score for d in other], atol=1e-3)


TORCH = """
import json, sys, cv2
from streamer.config import DetectorConfig
from streamer.detector import build_detector
detector = build_detector(DetectorConfig(backend="torch", device="cpu"))
found = detector.detect([cv2.imread(path) for path in sys.argv[1:]])
print(json.dumps([detector.info.backend, [[[d.box.x1, d.box.y1, d.box.x2, d.box.y2, d.score] for d in f] for f in found]]))
"""


def test_torch_agrees_within_a_pixel_and_prints_nothing() -> None:
    """In a process of its own: torch does not always get on with other libraries of this test run."""
    command = [sys.executable, "-c", TORCH, *(str(DATA / name) for name in PHOTOS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    backend, found = json.loads(done.stdout)
    assert backend == "torch cpu f32"
    for one, other in zip(found, detector().detect([photo(name) for name in PHOTOS]), strict=True):
        np.testing.assert_allclose(one, rows(other), atol=1.0)


def test_pictures_of_ever_new_shapes_do_not_pile_up() -> None:
    """A stream of noise decodes to pictures of any size: each new graph would keep threads and tens of megabytes."""
    fit, process = detector(input_shape="fit", input_size=320), psutil.Process()
    pictures = [np.zeros((height, 640, 3), np.uint8) for height in range(64, 641, 64)]
    for picture in pictures[:4]:
        fit.detect([picture])
    before = process.num_threads()
    for picture in [*pictures, *pictures]:
        fit.detect([picture])
    assert process.num_threads() <= before


@pytest.mark.parametrize("backend", ["auto", *CPU_BACKENDS])
def test_the_cpu_path_loads_neither_torch_nor_paddle(backend: str) -> None:
    script = f"""
import sys, numpy
from streamer.config import DetectorConfig
from streamer.detector import build_detector
build_detector(DetectorConfig(backend={backend!r}, device="cpu")).detect([numpy.zeros((36, 64, 3), numpy.uint8)])
print(sorted({{"torch", "ultralytics", "paddle", "paddlex", "paddleocr"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_info_names_file_hash_and_precision() -> None:
    info = detector().info
    assert (info.name, info.backend) == ("plate-detector", "openvino cpu f32")
    assert info.sha256 == weights.sha256_of(weights.resolve("plate-detector", prefer="openvino"))
    assert detector("onnxruntime").info.backend == "onnxruntime cpu f32"
    assert build_detector(DetectorConfig()).info.backend == "openvino cpu int8", "what ships for OpenVINO"


@pytest.mark.parametrize(
    "bad", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)]
)
def test_what_is_not_a_picture_is_named_with_its_shape(bad: Image) -> None:
    with pytest.raises(UsageError, match=r"expected \(height, width, 3\) BGR, uint8"):
        detector().detect([bad])


def test_read_only_and_strided_frames_are_taken() -> None:
    frame = photo(PHOTOS[0]).copy()
    frame.setflags(write=False)
    wide = np.repeat(frame, 2, axis=1)[:, ::2]
    assert detector().detect([frame]) == detector().detect([wide]) == detector().detect([photo(PHOTOS[0])])


# Letterbox and boxes: pure

sides = st.integers(1, 3000)
fractions = st.floats(0, 1)


@given(sides, sides, st.booleans(), st.tuples(fractions, fractions, fractions, fractions))
def test_a_box_finds_back_to_its_place(width: int, height: int, fit: bool, corners: tuple[float, float, float, float]) -> None:
    size = 64
    canvas, at = letterbox(np.zeros((height, width, 3), np.uint8), size, fit=fit)
    assert max(canvas.shape[:2]) == size
    assert all(side % 32 == 0 for side in canvas.shape[:2])
    x1, x2 = sorted((corners[0] * width, corners[1] * width))
    y1, y2 = sorted((corners[2] * height, corners[3] * height))
    left, right = at.left + x1 * at.scale_x, at.left + x2 * at.scale_x
    top, bottom = at.top + y1 * at.scale_y, at.top + y2 * at.scale_y
    assert 0 <= left <= right <= canvas.shape[1]
    assert 0 <= top <= bottom <= canvas.shape[0]
    raw = np.array([[(left + right) / 2], [(top + bottom) / 2], [right - left], [bottom - top], [0.5]], np.float32)
    for found in detections(raw, at, 0.25, 0.5):
        tolerance = 1e-4 * size / min(at.scale_x, at.scale_y)
        np.testing.assert_allclose(rows([found])[0][:4], (x1, y1, x2, y2), atol=tolerance)


@given(
    st.lists(st.tuples(*[st.floats(-200, 900, width=32)] * 2, *[st.floats(0, 900, width=32)] * 2, st.floats(0, 1, width=32)), max_size=12)
)
def test_boxes_lie_within_the_picture_apart_and_best_first(candidates: list[tuple[float, ...]]) -> None:
    raw = np.array(candidates, np.float32).reshape(-1, 5).T
    found = detections(raw, Placement(left=0, top=140, scale_x=0.5, scale_y=0.5, width=1280, height=720), 0.25, 0.5)
    for d in found:
        assert 0 <= d.box.x1 < d.box.x2 <= 1280
        assert 0 <= d.box.y1 < d.box.y2 <= 720
        assert d.score >= 0.25
    scores = [d.score for d in found]
    assert scores == sorted(scores, reverse=True)


def test_the_weaker_of_two_boxes_on_one_plate_goes() -> None:
    whole = Placement(0, 0, 1.0, 1.0, 640, 640)
    raw = np.array([[100, 104, 300], [50, 51, 50], [80, 80, 80], [20, 20, 20], [0.6, 0.9, 0.3]], np.float32)
    assert [d.score for d in detections(raw, whole, 0.25, 0.5)] == pytest.approx([0.9, 0.3])
    assert [d.score for d in detections(raw, whole, 0.25, 0.95)] == pytest.approx([0.9, 0.6, 0.3])
    assert [d.score for d in detections(raw, whole, 0.7, 0.5)] == pytest.approx([0.9])


def test_the_border_is_grey_and_the_picture_in_its_middle() -> None:
    white = np.full((90, 160, 3), 255, np.uint8)
    canvas, at = letterbox(white, 320)
    assert (canvas[: at.top] == 114).all()
    assert (canvas[at.top : 320 - at.top] == 255).all()
    assert letterbox(white, 320, fit=True)[0].shape == (192, 320, 3)


# Choosing


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backend": "openvino", "device": "cuda"}, "OpenVINO does not run on CUDA"),
        ({"backend": "onnxruntime", "device": "cuda:0"}, "has no CUDA"),
        ({"backend": "onnxruntime", "weights": "{}.pt"}, r"onnxruntime cannot run plate-detector.pt; torch can"),
        ({"weights": "{}.onnx", "backend": "tensorrt"}, "tensorrt cannot run plate-detector.onnx; onnxruntime or openvino can"),
    ],
)
def test_what_does_not_go_together_is_said(changes: dict[str, str], message: str) -> None:
    files = {suffix: str(weights.resolve("plate-detector", prefer=kind)) for suffix, kind in ((".pt", "torch"), (".onnx", "onnx"))}
    with pytest.raises(UsageError, match=message):
        build_detector(DetectorConfig.model_validate({k: files[v[2:]] if v.startswith("{}") else v for k, v in changes.items()}))


def test_a_file_alone_chooses_its_backend(tmp_path: Path) -> None:
    starter = weights.resolve("plate-detector", prefer="onnx")
    assert build_detector(DetectorConfig(weights=str(starter))).info.backend == "onnxruntime cpu f32"
    for suffix in (".xml", ".bin"):
        (tmp_path / f"mine{suffix}").symlink_to(starter.with_suffix(suffix))
    folder = build_detector(DetectorConfig(weights=str(tmp_path), half=False))
    assert (folder.info.name, folder.info.backend) == ("mine", "openvino cpu f32")


def test_a_cuda_device_that_torch_cannot_use_is_said_and_the_cpu_taken() -> None:
    script = """
from streamer.config import DetectorConfig
from streamer.detector import build_detector, choice
choice.cuda_devices = lambda: 1
print(build_detector(DetectorConfig(half=False)).info.backend)
"""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "openvino cpu f32"
    assert "the detector runs on the CPU" in done.stderr


def test_openvino_reads_onnx_files() -> None:
    onnx = build_detector(DetectorConfig(weights=str(weights.resolve("plate-detector", prefer="onnx")), backend="openvino", half=False))
    np.testing.assert_allclose(rows(onnx.detect([photo(PHOTOS[0])])[0]), rows(detector().detect([photo(PHOTOS[0])])[0]), atol=1.0)


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_a_damaged_file_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"nothing of the kind")
    path.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(WeightsError, match=f"broken{suffix}"):
        build_detector(DetectorConfig(weights=str(path)))


def test_an_unknown_kind_of_file_lists_the_known(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(b"")
    with pytest.raises(WeightsError, match=r"net.tflite: unknown kind.*\.pt, \.onnx, \.xml, \.engine"):
        build_detector(DetectorConfig(weights=str(path)))


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="tensorrt is installed")
def test_an_engine_needs_tensorrt(tmp_path: Path) -> None:
    path = tmp_path / "net.engine"
    path.write_bytes(b"")
    with pytest.raises(MissingPackageError, match=r"net.engine needs the package tensorrt.*plate-streamer\[cuda\]"):
        build_detector(DetectorConfig(weights=str(path)))


def save_net(path: Path, output: list[int], input_shape: list[int]) -> None:
    """Write an OpenVINO network that gives zeros of a shape for any picture."""
    import openvino as ov
    from openvino import opset13 as op

    given = op.parameter(input_shape, ov.Type.f32)
    middle = op.reduce_mean(given, op.constant(np.array([1, 2, 3])), keep_dims=True)
    answer = op.broadcast(op.reshape(middle, op.constant(np.array([1, 1, 1])), special_zero=False), op.constant(np.array(output)))
    ov.save_model(ov.Model([answer], [given], "zeros"), path, compress_to_fp16=False)


def test_a_network_with_other_output_than_one_class_is_refused(tmp_path: Path) -> None:
    save_net(tmp_path / "coco.xml", [1, 84, 8400], [1, 3, 640, 640])
    save_net(tmp_path / "end2end.xml", [1, 300, 6], [1, 3, 640, 640])
    with pytest.raises(WeightsError, match=r"coco.xml: knows 80 classes"):
        build_detector(DetectorConfig(weights=str(tmp_path / "coco.xml"), input_size=640))
    with pytest.raises(WeightsError, match=r"end2end.xml: gives \(300, 6\)"):
        build_detector(DetectorConfig(weights=str(tmp_path / "end2end.xml"), input_size=640))


def test_a_network_of_fixed_size_gets_squares_of_that_size(tmp_path: Path) -> None:
    path = tmp_path / "fixed.xml"
    save_net(path, [1, 5, 2100], [1, 3, 320, 320])
    wide = np.zeros((36, 64, 3), np.uint8)
    assert build_detector(DetectorConfig(weights=str(path), input_size=320)).detect([wide]) == [[]]
    with pytest.raises(WeightsError, match=r"set detector.input_size"):
        build_detector(DetectorConfig(weights=str(path)))
    with pytest.raises(WeightsError, match=r"takes squares only"):
        build_detector(DetectorConfig(weights=str(path), input_size=320, input_shape="fit"))
