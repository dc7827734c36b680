"""A character detector's checkpoint to its other forms, for ``reader.engine: characters``."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamer.config import ReaderConfig
from streamer.reader.characters import network_input
from streamer.reader.choice import load_characters
from streamer.reader.nets import UNIT, Floats
from streamer.types import Image
from train.export.agreement import Agreement, Tolerance, compare_texts
from train.export.form import LOSSY, Run
from train.export.pictures import Samples
from train.export.plain import plain_forms
from train.export.quantise import BOX_ARITHMETIC, quantise

_SUFFIXES = {"onnx": (".onnx",), "openvino": (".xml", ".bin")}


class CharacterForms:
    """A form.Model of a YOLOv8 checkpoint with a class per character. Its size is the one that it was trained with."""

    def __init__(self, checkpoint: Path, out: Path, samples: Samples, size: int, threads: int, tolerance: Tolerance) -> None:
        self._checkpoint, self._out, self._samples = checkpoint, out, samples
        self._size, self._threads, self._tolerance = size, threads, tolerance
        self.pictures: Sequence[Image] = [sample.image for sample in samples.comparison]

    def lacks(self, form: str) -> str | None:
        """See form.Model."""
        return None if form in (*_SUFFIXES, "openvino-int8") else "reader.engine: characters does not run it"

    def make(self, form: str) -> list[Path]:
        """See form.Model."""
        plain, stem = plain_forms(self._checkpoint, self._out, self._size), self._checkpoint.stem
        if form == "openvino-int8":
            target = self._path(form)
            inputs = [UNIT(network_input(sample.image, self._size)) for sample in self._samples.calibration]
            quantise(plain / f"{stem}.xml", target, inputs, keep=BOX_ARITHMETIC, keep_types=("Sigmoid",), seven_bits=True)
            return [target, target.with_suffix(".bin")]
        return [Path(shutil.copyfile(plain / f"{stem}{suffix}", self._out / f"{stem}{suffix}")) for suffix in _SUFFIXES[form]]

    def load(self, form: str | None) -> Run:
        """See form.Model."""
        path = self._checkpoint if form is None else self._path(form)
        reader = load_characters(ReaderConfig(engine="characters", weights=str(path), threads=self._threads))

        def run(crop: Image) -> tuple[str, Floats]:
            (raw,) = reader.outputs([crop])
            read = reader.read_of(raw)
            return "" if read is None else read.text, raw[4:]

        return run

    def compare(self, original: Sequence[Any], other: Sequence[Any], form: str) -> Agreement:
        """See form.Model; the probabilities are those of every class at every place.

        Where the places are shows in the texts: exact forms must give the same, but for the few that chance decides.
        """
        truth, exact = [sample.text for sample in self._samples.comparison], form not in LOSSY
        found = compare_texts(original, other, truth, self._tolerance, exact=exact)
        placed = not exact or found.figures["equal_texts"] >= self._tolerance.agreement
        return Agreement(found.same and placed, found.figures)

    def _path(self, form: str) -> Path:
        return self._out / f"{self._checkpoint.stem}{'.onnx' if form == 'onnx' else '-int8.xml' if form == 'openvino-int8' else '.xml'}"
