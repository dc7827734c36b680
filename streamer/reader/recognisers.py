"""Pictures of single lines to text: the engines behind one small protocol."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import yaml

from streamer.errors import MissingPackageError, WeightsError
from streamer.reader.lines import LINE_HEIGHT
from streamer.reader.nets import SYMMETRIC, Floats, Net, Scaling
from streamer.reader.text import LineText, decode
from streamer.types import Image


class Recogniser(Protocol):
    """Reads lines."""

    @property
    def backend(self) -> str:
        """For example ``openvino cpu f32``."""

    def read(self, lines: Sequence[Image]) -> list[LineText]:
        """Take uint8 (48, width, 3) BGR pictures of one line each; give all characters of each."""


class CtcRecogniser:
    """A network with CTC output, on any engine."""

    def __init__(self, net: Net, characters: Sequence[str], path: Path) -> None:
        """Try the network on an empty line. Raises WeightsError if it has another alphabet."""
        self._net = net
        self._characters = characters
        self.backend = net.backend
        (output,) = net.run([np.zeros((LINE_HEIGHT, 320, 3), np.uint8)])
        if output.ndim != 2 or output.shape[1] != len(characters):
            raise WeightsError(
                f"{path}: gives {output.shape}, but inference.yml in it names {len(characters)} classes (blank and space included); "
                "both must come from the same export"
            )

    def read(self, lines: Sequence[Image]) -> list[LineText]:
        """See Recogniser."""
        return [decode(output, self._characters) for output in self._net.run(lines)]


class PaddleNet:
    """PaddleOCR's TextRecognition on Paddle's own engine, below its API: the scores of single characters are gone above it."""

    def __init__(self, folder: Path, settings: dict[str, Any], threads: int) -> None:
        """Load ``inference.pdmodel`` or ``inference.json``. Raises MissingPackageError or WeightsError."""
        # paddlex imports modelscope, its downloader, which imports torch: two frameworks in one process have crashed each other
        # (PaddleOCR#18208), and models come from disk here. With an empty module in its place neither is loaded.
        sys.modules.setdefault("modelscope", ModuleType("modelscope"))
        try:
            from paddleocr import TextRecognition
        except ImportError as error:
            raise MissingPackageError(f"reader.engine paddle_static: {error}; install paddleocr and paddlepaddle") from error
        name = str(settings["Global"]["model_name"])
        try:
            api = TextRecognition(model_name=name, model_dir=str(folder), engine="paddle_static", device="cpu", cpu_threads=threads)
        except (RuntimeError, ValueError, OSError) as error:
            raise WeightsError(f"{folder}: PaddleOCR cannot load it as {name} ({error})") from error
        self._runner = api.paddlex_predictor.runner
        self._scaling: Scaling = SYMMETRIC
        self.backend = "paddle_static cpu f32"

    def run(self, pictures: Sequence[Image]) -> list[Floats]:
        """See Net."""
        return [np.asarray(self._runner(x=[self._scaling(picture)])[0][0]) for picture in pictures]


def read_settings(folder: Path) -> dict[str, Any]:
    """Read ``inference.yml``, which PaddleOCR's export writes beside a model. Raises WeightsError."""
    path = folder / "inference.yml"
    try:
        settings = yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
        name, characters = settings["Global"]["model_name"], settings["PostProcess"]["character_dict"]
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror}); a reader is a folder with inference.yml beside the model"
        ) from error
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        why = str(error).partition("\n")[0]
        raise WeightsError(f"{path}: lacks Global.model_name or PostProcess.character_dict ({why}); export the model again") from error
    if not isinstance(name, str) or not isinstance(characters, list):
        raise WeightsError(f"{path}: Global.model_name must be a name and PostProcess.character_dict a list; export the model again")
    return dict(settings)


def characters_of(settings: dict[str, Any]) -> list[str]:
    """Give the text of each class: the blank, the dictionary, and a space unless the network was trained without one."""
    space = [" "] if settings["Global"].get("use_space_char", True) else []
    return ["", *map(str, settings["PostProcess"]["character_dict"]), *space]
