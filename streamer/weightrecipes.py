"""How derived weight files are made from packaged ones, each recipe by its name in the manifest."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from streamer.errors import WeightsError
from streamer.weightfiles import Recipe


@dataclass(frozen=True, slots=True)
class Made:
    """What a recipe gave."""

    files: Mapping[str, bytes]
    """Target to content."""
    versions: Mapping[str, str]
    """Package to version of what made them."""


def make(recipe: Recipe, directory: Path) -> Made:
    """Make the files of a recipe. Raises WeightsError if it is unknown or fails."""
    maker = _MAKERS.get(recipe.name)
    if maker is None:
        raise WeightsError(f"{directory / 'manifest.json'}: recipe {recipe.name!r} is unknown; known: {', '.join(_MAKERS)}")
    return maker([directory / source for source in recipe.sources], recipe)


def _export_detector(sources: Sequence[Path], recipe: Recipe) -> Made:
    """Export in a process of its own, so that torch never enters this one."""
    with tempfile.TemporaryDirectory(prefix="plate-streamer-") as temporary:
        command = [sys.executable, "-m", "streamer.detector.export", str(sources[0].absolute()), temporary]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).resolve().parents[1])
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-8:])
            raise WeightsError(f"{sources[0]}: cannot be exported to ONNX and OpenVINO:\n{tail}")
        files = {target: (Path(temporary) / Path(target).name).read_bytes() for target in recipe.targets}
    return Made(files, _versions("ultralytics", "torch", "onnx", "openvino"))


def _onnx_reader_settings(sources: Sequence[Path], recipe: Recipe) -> Made:
    """Write the settings of a PP-OCRv6 recogniser; its characters stand in the model's metadata."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(sources[0]), providers=["CPUExecutionProvider"])
    characters = session.get_modelmeta().custom_metadata_map["character"].split("\n")
    return _settings(recipe, _reader_settings("PP-OCRv6_small_rec", characters))


def _paddle_reader_settings(sources: Sequence[Path], recipe: Recipe) -> Made:
    characters = sources[0].read_text("utf-8").rstrip("\n").split("\n")
    return _settings(recipe, _reader_settings("PP-OCRv4_mobile_rec", characters))


def _paddle_lines_settings(sources: Sequence[Path], recipe: Recipe) -> Made:
    del sources
    return _settings(recipe, _LINES_SETTINGS)


def _reader_settings(name: str, characters: list[str]) -> dict[str, Any]:
    """Give what PaddleX reads of a recogniser's ``inference.yml``; a blank in front and a space behind are its own business."""
    operations = [
        {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
        {"MultiLabelEncode": {"gtc_encode": "NRTRLabelEncode"}},
        {"RecResizeImg": {"image_shape": [3, 48, 320]}},
        {"KeepKeys": {"keep_keys": ["image", "label_ctc", "label_gtc", "length", "valid_ratio"]}},
    ]
    return {
        "Global": {"model_name": name},
        "PreProcess": {"transform_ops": operations},
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": characters},
    }


# PaddleOCR's own settings of PP-OCRv4_mobile_det: ImageNet mean and deviation, DB thresholds of its paper's successor.
_LINES_SETTINGS: dict[str, Any] = {
    "Global": {"model_name": "PP-OCRv4_mobile_det"},
    "PreProcess": {
        "transform_ops": [
            {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
            {"DetLabelEncode": None},
            {"DetResizeForTest": {"resize_long": 960}},
            {
                "NormalizeImage": {
                    "mean": [0.485, 0.456, 0.406],
                    "std": [0.229, 0.224, 0.225],
                    "order": "hwc",
                    "scale": "1./255.",
                }
            },
            {"ToCHWImage": None},
            {"KeepKeys": {"keep_keys": ["image", "shape", "polys", "ignore_tags"]}},
        ]
    },
    "PostProcess": {"name": "DBPostProcess", "thresh": 0.3, "box_thresh": 0.6, "max_candidates": 1000, "unclip_ratio": 1.5},
}


def _settings(recipe: Recipe, settings: dict[str, Any]) -> Made:
    import yaml

    content = yaml.safe_dump(settings, allow_unicode=True, sort_keys=False).encode()
    return Made(dict.fromkeys(recipe.targets, content), _versions("pyyaml"))


def _versions(*packages: str) -> dict[str, str]:
    return {package: metadata.version(package) for package in packages}


_MAKERS: dict[str, Callable[[Sequence[Path], Recipe], Made]] = {
    "detector-export": _export_detector,
    "onnx-reader-settings": _onnx_reader_settings,
    "paddle-reader-settings": _paddle_reader_settings,
    "paddle-lines-settings": _paddle_lines_settings,
}
