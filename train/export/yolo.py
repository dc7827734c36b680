"""Which kind of YOLOv8 checkpoint is to be exported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streamer.errors import UsageError
from streamer.reader.characternet import described
from train.export.agreement import Tolerance
from train.export.characters import CharacterForms
from train.export.checkpoint import about
from train.export.detector import DetectorForms
from train.export.form import Model
from train.export.pictures import read_samples


def yolo_forms(checkpoint: Path, out: Path, pictures: Sequence[Path], size: int, threads: int, tolerance: Tolerance) -> Model:
    """Give the form.Model of a detector of plates (one class), or of characters, whose own size stands above ``size``.

    Raises UsageError if it finds keypoints or cannot be loaded, WeightsError if its classes are neither.
    """
    said = about(checkpoint)
    if said.corners:
        raise UsageError(f"{checkpoint}: finds corners or other keypoints, not only boxes, which nothing here uses; it is not exported")
    if len(said.names) == 1:
        return DetectorForms(checkpoint, out, read_samples(*pictures, crops=False), size, threads, tolerance)
    described(said.names, said.size, checkpoint)
    return CharacterForms(checkpoint, out, read_samples(*pictures, crops=True), said.size, threads, tolerance)
