"""Which engine, with which files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from streamer import weights
from streamer.config import ReaderConfig
from streamer.errors import MissingPackageError, WeightsError
from streamer.reader.characternet import TorchNet, describe
from streamer.reader.characters import CharacterReader, network_input
from streamer.reader.nets import IMAGENET, SYMMETRIC, UNIT, Net, OnnxNet, OpenVinoNet, Scaling, threads_of
from streamer.reader.platelayout import INPUT_HEIGHT, INPUT_WIDTH, OUTPUTS
from streamer.reader.recognisers import CtcRecogniser, PaddleNet, Recogniser, characters_of, read_settings
from streamer.types import ModelInfo

_NETS: dict[str, Callable[[Path, Scaling, int], Net]] = {"openvino": OpenVinoNet, "onnxruntime": OnnxNet}

INT8 = "inference-int8.xml"
"""Beside inference.onnx in a reader's folder, if it has been calibrated."""


def load_recogniser(config: ReaderConfig) -> tuple[Recogniser, ModelInfo]:
    """Load the recognition engine that a configuration asks for. Raises WeightsError or MissingPackageError."""
    if config.engine == "tesseract":
        from streamer.reader.tesseract import TesseractRecogniser

        tesseract = TesseractRecogniser()
        # The program's own data cannot be told from outside: its version stands for them.
        digest = hashlib.sha256(tesseract.version.encode()).hexdigest()
        return tesseract, ModelInfo("tesseract", digest, tesseract.backend)
    threads = threads_of(config.threads)
    folder = weights.resolve(config.weights, prefer="paddle" if config.engine == "paddle_static" else "onnx")
    if not folder.is_dir():
        raise WeightsError(f"{folder}: is a file; a reader is a folder with inference.yml beside the model")
    settings = read_settings(folder)
    paddle = config.engine == "paddle_static"
    net = PaddleNet(folder, settings, threads) if paddle else _net(_network_in(folder, config), config.engine, SYMMETRIC, threads)
    info = ModelInfo(str(settings["Global"]["model_name"]), weights.sha256_of(folder), net.backend)
    return CtcRecogniser(net, characters_of(settings), folder), info


def load_characters(config: ReaderConfig) -> CharacterReader:
    """Load the character detector that a configuration asks for. Raises WeightsError or MissingPackageError."""
    path, threads = weights.resolve(config.weights, prefer=("openvino", "onnx", "torch")), threads_of(config.threads)
    if path.is_dir():
        raise WeightsError(
            f"{path}: is a folder; reader.engine characters needs reader.weights: the .onnx, .xml or .pt of a character detector"
        )
    net: Net
    if path.suffix == ".pt":
        if find_spec("torch") is None:
            raise MissingPackageError(f"{path.name} needs the package torch; install it with pip install 'plate-streamer'")
        net = torch_net = TorchNet(path, threads)
        said = torch_net.described
    else:
        net, said = _net(path, "auto", UNIT, threads), describe(path)
    blank = network_input(np.zeros((said.size, said.size, 3), np.uint8), said.size, fixed=said.fixed)
    (output,) = net.run([blank])
    if output.ndim != 2 or output.shape[0] != 4 + len(said.names):
        raise WeightsError(f"{path}: gives {output.shape}, but names {len(said.names)} classes: not a YOLOv8 detector of characters")
    return CharacterReader(net, said.names, said.size, ModelInfo(path.stem, weights.sha256_of(path), net.backend), fixed=said.fixed)


def load_line_net(config: ReaderConfig) -> Net:
    """Load the text detector, on OpenVINO or ONNX Runtime whatever the recogniser runs on. Raises as ``load_recogniser``."""
    engine = config.engine if config.engine in _NETS else "auto"
    return _net(weights.resolve(config.line_weights, prefer="onnx"), engine, IMAGENET, threads_of(config.threads))


def load_layout_net(config: ReaderConfig) -> Net:
    """Load the network that finds lines of characters, on OpenVINO or ONNX Runtime. Raises as ``load_recogniser``."""
    engine, path = config.engine if config.engine in _NETS else "auto", weights.resolve(config.layout_weights, prefer="onnx")
    net = _net(path, engine, SYMMETRIC, threads_of(config.threads))
    (output,) = net.run([np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)])
    if output.shape != (OUTPUTS,):
        raise WeightsError(f"{path}: gives {output.shape} numbers, not {OUTPUTS}; reader.layout_weights needs a file of plate-train layout")
    return net


def _network_in(folder: Path, config: ReaderConfig) -> Path:
    """Give the file of a reader's folder that its engine runs: OpenVINO takes int8 where there is one, unless exactness is asked for."""
    int8 = folder / INT8
    return int8 if config.half and _engine(config.engine) == "openvino" and int8.is_file() else folder / "inference.onnx"


def _engine(engine: str) -> str:
    """Give the engine itself where the configuration leaves it open: the first that is installed."""
    return engine if engine in _NETS else next((name for name in _NETS if find_spec(name)), "openvino")


def _net(path: Path, engine: str, scaling: Scaling, threads: int) -> Net:
    if path.is_dir():
        path = path / "inference.onnx"
    if not path.is_file() or path.suffix not in (".onnx", ".xml"):
        raise WeightsError(f"{path}: missing, or neither .onnx nor .xml, which is what OpenVINO and ONNX Runtime run")
    if path.suffix == ".xml" and engine == "onnxruntime":
        raise WeightsError(f"{path}: ONNX Runtime cannot run OpenVINO's format; give an .onnx file or set reader.engine to openvino")
    chosen = _engine(engine)
    if find_spec(chosen) is None:
        raise MissingPackageError(f"reader.engine {engine} needs the package {chosen}; install it with pip install 'plate-streamer'")
    return _NETS[chosen](path, scaling, threads)
