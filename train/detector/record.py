"""The settings of a training, kept beside its weights: a training that goes on must go on as it began."""

from __future__ import annotations

from pathlib import Path

import yaml

from streamer.errors import UsageError
from train.detector.config import DetectorTraining, read_training

RECORD = "training.yaml"
_FREE = ("device", "workers")
"""Where and with how many processes it runs: that may differ when it goes on."""


def write_record(out: Path, config: DetectorTraining) -> None:
    """Write all settings to ``out/training.yaml``, which ``--config`` takes too."""
    (out / RECORD).write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), "utf-8")


def as_it_began(out: Path, given: DetectorTraining) -> DetectorTraining:
    """Give the settings of the training in ``out``, with the device and workers of ``given`` if it names them.

    Raises UsageError if ``given`` names something else otherwise (what it leaves out counts as the same), or if there is no record.
    """
    path = out / RECORD
    if not path.is_file():
        raise UsageError(f"{path}: missing; it holds the settings that the training began with: put them there, as for --config")
    began = read_training(path)
    named = given.model_fields_set
    if other := [key for key in sorted(named.difference(_FREE)) if getattr(given, key) != getattr(began, key)]:
        told = ", ".join(f"{key} {_short(given, key)} instead of {_short(began, key)}" for key in other)
        raise UsageError(
            f"--resume goes on with the settings in {path}, but these are others: {told}. Leave them out; or, to train on with them, "
            f"begin a new training: --model {out / 'weights' / 'last.pt'} --out ANOTHER"
        )
    return began.model_copy(update={key: getattr(given, key) for key in _FREE if key in named})


def _short(config: DetectorTraining, key: str) -> str:
    return "(others)" if key == "augment" else str(getattr(config, key))
