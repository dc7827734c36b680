"""What the command needs of a kind of model: make a form of it, load it, compare answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from streamer.types import Image
from train.export.agreement import Agreement

FORMS = ("onnx", "openvino", "openvino-bf16", "openvino-int8", "tensorrt", "paddle")
LOSSY = ("openvino-bf16", "openvino-int8", "tensorrt")
"""Computed in fewer bits: their answers may differ a little."""

Run = Callable[[Image], Any]
"""One prepared picture to an answer, all that is measured."""


class Model(Protocol):
    """A detector or a reader as it was trained."""

    @property
    def pictures(self) -> Sequence[Image]:
        """What answers are compared on, prepared."""

    def lacks(self, form: str) -> str | None:
        """Say why a form cannot be made or run here; None: it can."""

    def make(self, form: str) -> list[Path]:
        """Write the files of a form."""

    def load(self, form: str | None) -> Run:
        """Load a form that was made; None: the original."""

    def compare(self, original: Sequence[Any], other: Sequence[Any], form: str) -> Agreement:
        """Compare the answers to all pictures."""


def bf16_lacks() -> str | None:
    """Say whether OpenVINO can compute in bf16 here."""
    import openvino

    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return None
    return "this processor has no bf16: OpenVINO computes in f32 and uses the same file"
