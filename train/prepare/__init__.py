"""A manifest to a YOLO data set: pictures of one size, normalised boxes, splits by group."""

from __future__ import annotations

from train.prepare.sources import CHARACTERS
from train.prepare.write import Prepared, Settings, prepare

__all__ = ["CHARACTERS", "Prepared", "Settings", "prepare"]
