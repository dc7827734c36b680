"""The engines of the reader on real crops: the same texts, a score for every character, only what they need is loaded."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.config import ReaderConfig
from streamer.errors import MissingPackageError
from streamer.reader import build_reader
from streamer.types import Image
from streamer.weights import resolve

ROOT = Path(__file__).resolve().parents[1]
CROPS = {"oi_00102": "ABF606", "fa_00071": "RIZ464", "fa_00059": "MB146"}


def crop(name: str) -> Image:
    picture = cv2.imread(str(ROOT / "tests" / "data" / "crops" / f"{name}.png"))
    assert picture is not None
    return np.asarray(picture, np.uint8)


def loaded_by(engine: str) -> set[str]:
    script = (
        "import sys, cv2\n"
        "from streamer.config import ReaderConfig\n"
        "from streamer.reader import build_reader\n"
        f"reader = build_reader(ReaderConfig(engine='{engine}'))\n"
        "read = reader.read([cv2.imread('tests/data/crops/fa_00071.png')])[0]\n"
        "assert len(read.char_scores) == len(read.text) > 3, read\n"
        "print('loaded', *({'torch', 'ultralytics', 'paddle', 'paddleocr', 'openvino', 'onnxruntime'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split("loaded ")[-1].split())


@pytest.mark.parametrize(
    ("engine", "libraries"),
    [
        ("auto", {"openvino"}),
        ("onnxruntime", {"onnxruntime"}),
        ("paddle_static", {"paddle", "paddleocr", "openvino"}),  # the lines are still found by the light engine
    ],
)
def test_an_engine_loads_only_what_it_needs(engine: str, libraries: set[str]) -> None:
    assert loaded_by(engine) == libraries


def test_openvino_and_onnx_runtime_read_the_same() -> None:
    pictures = [crop(name) for name in CROPS]
    engines = ("openvino", "onnxruntime")
    one, other = (build_reader(ReaderConfig.model_validate({"engine": e, "half": False})).read(pictures) for e in engines)
    for a, b in zip(one, other, strict=True):
        assert a is not None
        assert b is not None
        assert a.text == b.text
        assert a.char_scores == pytest.approx(b.char_scores, abs=0.01)


def test_the_text_is_paddleocrs_own() -> None:
    """What TextRecognition says of a whole one-line crop, this reader's recogniser says too."""
    script = (
        "import sys, cv2\n"
        "from types import ModuleType\n"
        "sys.modules['modelscope'] = ModuleType('modelscope')\n"
        "from paddleocr import TextRecognition\n"
        f"folder = {str(resolve('plate-reader', prefer='onnx'))!r}\n"
        "model = TextRecognition(model_name='PP-OCRv6_small_rec', model_dir=folder, engine='onnxruntime')\n"
        "line = cv2.resize(cv2.imread('tests/data/crops/fa_00059.png')[14:46], (320, 48))\n"
        "print('text', model.predict([line])[0]['rec_text'])\n"
        "from streamer.config import ReaderConfig\n"
        "from streamer.reader.choice import load_recogniser\n"
        "print('ours', load_recogniser(ReaderConfig(engine='onnxruntime'))[0].read([line])[0].text)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.startswith(("text ", "ours ")))
    assert said["text"] == said["ours"]
    assert "MB" in said["text"]


def test_a_crop_reads_the_same_in_any_company() -> None:
    reader = build_reader(ReaderConfig())
    pictures = [crop(name) for name in CROPS]
    together = reader.read(pictures * 2)
    assert together[:3] == together[3:] == [reader.read([picture])[0] for picture in pictures]


def test_two_line_plates_are_read_whole() -> None:
    read = build_reader(ReaderConfig()).read([crop("fa_00071")])[0]
    assert read is not None
    assert (read.text, read.lines) == ("RIZ464", 2)


@pytest.mark.parametrize("degrees", [-12, -6, 6, 12])
def test_turned_plates_are_straightened(degrees: float) -> None:
    photo = cv2.imread(str(ROOT / "tests" / "data" / "photos" / "fa_00010.webp"))
    assert photo is not None
    turn = cv2.getRotationMatrix2D((323, 333), degrees, 1)
    turned = cv2.warpAffine(photo, turn, (photo.shape[1], photo.shape[0]), borderMode=cv2.BORDER_REPLICATE)[
        333 - 38 : 333 + 38, 323 - 68 : 323 + 68
    ]
    read = build_reader(ReaderConfig()).read([np.asarray(turned, np.uint8)])[0]
    assert read is not None
    assert read.text == "SV09XHH"


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 2), (48, 320), (0, 5)])
def test_odd_crops_do_no_harm(shape: tuple[int, int]) -> None:
    reads = build_reader(ReaderConfig()).read([np.full((*shape, 3), 127, np.uint8)])
    assert len(reads) == 1


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="the program tesseract is not installed (apt-get install tesseract-ocr)")
def test_tesseract_stands_behind_the_same_port() -> None:
    read = build_reader(ReaderConfig(engine="tesseract")).read([crop("fa_00059")])[0]
    assert read is not None
    assert len(read.char_scores) == len(read.text)
    assert all(0 <= score <= 1 for score in read.char_scores)


def test_without_tesseract_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingPackageError, match="tesseract-ocr"):
        build_reader(ReaderConfig(engine="tesseract"))
