"""Plates that a data set does not box: a detector shows them, a person says which are plates, and they are added."""

from __future__ import annotations

from train.unboxed.boxes import Suggestion, add, read_suggestions, write_suggestions

__all__ = ["Suggestion", "add", "read_suggestions", "write_suggestions"]
