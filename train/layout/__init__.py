"""The small network that finds the lines of characters in a crop: its labels, training and export."""

from __future__ import annotations

from train.layout.quads import line_quads

__all__ = ["line_quads"]
