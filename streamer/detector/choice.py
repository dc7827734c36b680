"""Which weight file, on which backend, on which device."""

from __future__ import annotations

import ctypes
import logging
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from streamer import weights
from streamer.config import DetectorConfig
from streamer.errors import MissingPackageError, UsageError, WeightsError

_log = logging.getLogger(__name__)

_FORMATS = {"openvino": ("openvino-int8", "openvino"), "onnxruntime": ("onnx",), "torch": ("torch",), "tensorrt": ("tensorrt",)}
"""Best first. int8 takes about half the time of f32, on processors without instructions made for it too."""
_BACKENDS = {".pt": ("torch",), ".onnx": ("onnxruntime", "openvino"), ".xml": ("openvino",), ".engine": ("tensorrt",)}
_PACKAGE = {"openvino": "openvino", "onnxruntime": "onnxruntime", "torch": "torch", "tensorrt": "tensorrt"}


@dataclass(frozen=True, slots=True)
class Choice:
    """What ``build_detector`` loads."""

    path: Path
    """The weight file: ``.pt``, ``.onnx``, ``.xml`` or ``.engine``."""
    backend: str
    device: str
    """``cpu`` or ``cuda:N``."""


def choose(config: DetectorConfig) -> Choice:
    """Follow the rules of DetectorConfig. Raises WeightsError, UsageError or MissingPackageError."""
    order = [config.backend] if config.backend != "auto" else _fastest(config.device)
    exact = not config.half
    formats = [kind for backend in order for kind in _FORMATS[backend] if not (exact and kind == "openvino-int8")]
    path = _only_model(weights.resolve(config.weights, prefer=formats))
    able = _BACKENDS.get(path.suffix)
    if able is None:
        raise WeightsError(f"{path}: unknown kind of weight file; known: {', '.join(_BACKENDS)}")
    if config.backend not in ("auto", *able):
        raise UsageError(f"detector.backend: {config.backend} cannot run {path.name}; {' or '.join(able)} can")
    backend = config.backend if config.backend != "auto" else able[0]
    if find_spec(_PACKAGE[backend]) is None:
        extra = "plate-streamer[cuda]" if backend == "tensorrt" else "plate-streamer"
        raise MissingPackageError(f"{path.name} needs the package {_PACKAGE[backend]}; install it with pip install '{extra}'")
    return Choice(path, backend, _device(config.device, backend))


def _fastest(device: str) -> list[str]:
    """Order the installed backends, fastest first. On a CPU, OpenVINO was 2 to 4 times as fast as torch."""
    order = ["openvino", "onnxruntime", "torch"]
    if device.startswith("cuda") or (device == "auto" and _cuda_usable()):
        order = ["torch", "onnxruntime"]
    return [backend for backend in order if find_spec(_PACKAGE[backend])] or order


def _device(device: str, backend: str) -> str:
    if backend == "openvino":
        if device.startswith("cuda"):
            raise UsageError("detector.device: OpenVINO does not run on CUDA; use a .pt or .engine file, or device cpu")
        return "cpu"
    if backend == "tensorrt":
        if device == "cpu":
            raise UsageError("detector.device: TensorRT engines run on CUDA only")
        return _numbered(device if device != "auto" else "cuda")
    if device == "auto":
        return "cuda:0" if backend == "torch" and _cuda_usable() else "cpu"
    return _numbered(device)


def _numbered(device: str) -> str:
    return "cuda:0" if device == "cuda" else device


def _cuda_usable() -> bool:
    """Say whether torch can compute on CUDA; it is only imported where there is a device."""
    if not cuda_devices() or not find_spec("torch"):
        return False
    import torch

    usable = torch.cuda.is_available()
    if not usable:
        _log.warning("there is a CUDA device that torch %s cannot use: the detector runs on the CPU", torch.__version__)
    return usable


def cuda_devices() -> int:
    """Count the CUDA devices by asking the driver, so that torch need not be imported to learn that there are none."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def _only_model(path: Path) -> Path:
    """Give the one ``.xml`` of a folder, or the path itself."""
    if not path.is_dir():
        return path
    models = sorted(path.glob("*.xml"))
    if len(models) != 1:
        raise WeightsError(f"{path}: has {len(models)} .xml files; a folder with an OpenVINO model has exactly one")
    return models[0]
