"""The network of a character detector: where its classes and its input size are written, and torch, which runs ``.pt`` files."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import yaml

from streamer.errors import WeightsError
from streamer.reader.nets import Floats
from streamer.reader.text import plain
from streamer.types import Image

INPUT_SIZE = 160
"""Pixels along a crop, where a file does not say what it was trained with."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a weight file says about itself."""

    names: tuple[str, ...]
    """Plate character (A-Z, 0-9) of each class; empty: the class is none."""
    size: int
    """Longest side of the input, pixels."""
    fixed: bool
    """Whether the input must be a square of that size."""


def describe(path: Path) -> Described:
    """Read the classes of a ``.onnx`` or ``.xml`` that ultralytics exported. Raises WeightsError if it has no characters."""
    try:
        return _of_onnx(path) if path.suffix == ".onnx" else _of_openvino(path)
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise WeightsError(f"{path}: does not say which characters it knows ({error}); export it with ultralytics") from error


def described(names: Any, size: Any, path: Path, *, fixed: bool = False) -> Described:
    """Bring names (mapping or list) and size (number, or height and width) into one form. Raises WeightsError without characters."""
    ordered = [names[key] for key in sorted(names, key=int)] if isinstance(names, Mapping) else list(names)
    plates = tuple(plain(str(name)) if len(str(name)) == 1 else "" for name in ordered)
    if not any(plates):
        shown = ", ".join(map(str, ordered[:5]))
        raise WeightsError(f"{path}: its classes ({shown}) are no characters; reader.engine characters needs a character detector")
    return Described(plates, max(size) if isinstance(size, list | tuple) else int(size), fixed)


def _of_onnx(path: Path) -> Described:
    import onnx

    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's exceptions share no base with others
        raise WeightsError(f"{path}: is no ONNX file ({type(error).__name__})") from error
    said = {entry.key: entry.value for entry in model.metadata_props}
    sides = [dimension.dim_value for dimension in model.graph.input[0].type.tensor_type.shape.dim[2:]]
    size = ast.literal_eval(said["imgsz"]) if "imgsz" in said else max(*sides, 0) or INPUT_SIZE
    return described(ast.literal_eval(said["names"]), size, path, fixed=all(sides))


def _of_openvino(path: Path) -> Described:
    root = ElementTree.parse(path).getroot()  # noqa: S314 - a file of the user's own, which OpenVINO parses too
    beside = path.parent / "metadata.yaml"
    said = yaml.safe_load(beside.read_text("utf-8")) if beside.is_file() else {}
    labels, own = root.find("rt_info/model_info/labels"), root.find("rt_info/model_info/imgsz")
    names = said.get("names") or ([] if labels is None else labels.get("value", "").split())
    shape = root.find("layers/layer[@type='Parameter']/data")
    sides = [int(side) for side in (shape.get("shape", "") if shape is not None else "").split(",")[2:] if side.strip().isdecimal()]
    size = said.get("imgsz") if own is None else own.get("value")
    return described(names, size or max([*sides, 0]) or INPUT_SIZE, path, fixed=len(sides) == 2)


class TorchNet:
    """Torch on the CPU; reads ``.pt``."""

    def __init__(self, path: Path, threads: int) -> None:
        """Load. Raises WeightsError if the file is damaged or knows no characters."""
        from streamer.detector.export import quiet_ultralytics

        with tempfile.TemporaryDirectory(prefix="plate-streamer-") as settings, quiet_ultralytics(Path(settings)):
            import torch
            from ultralytics.nn.autobackend import AutoBackend

            self._torch = torch
            torch.set_num_threads(threads)
            try:
                self._net: Any = AutoBackend(str(path), device=torch.device("cpu"), fp16=False, verbose=False).eval()
            except Exception as error:  # unpickling a damaged file may raise anything
                raise WeightsError(f"{path}: cannot be loaded ({type(error).__name__}: {error})") from error
        size = (getattr(self._net.model, "args", None) or {}).get("imgsz", INPUT_SIZE)
        self.described = described(self._net.names, size, path)
        self.backend = "torch cpu f32"

    def run(self, pictures: Sequence[Image]) -> list[Floats]:
        """See nets.Net; takes RGB, as the character reader gives it to the other nets too."""
        outputs = []
        with self._torch.inference_mode():
            for picture in pictures:
                planes = self._torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)[None])).float() / 255
                output = self._net(planes)
                while isinstance(output, list | tuple):
                    output = output[0]
                outputs.append(np.asarray(output[0].float().numpy()))
        return outputs
