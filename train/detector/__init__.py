"""Training of detectors: of plates, and of characters. The door for programs; the command is in ``command``."""

from __future__ import annotations

from train.detector.config import DetectorTraining, read_training
from train.detector.training import Trained, train_detector

__all__ = ["DetectorTraining", "Trained", "read_training", "train_detector"]
