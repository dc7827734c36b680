"""What a reader takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamer.errors import UsageError
from streamer.types import Image


def demand_pictures(crops: Sequence[Image]) -> None:
    """Raise UsageError if a crop is not uint8, (height, width, 3)."""
    for crop in crops:
        if crop.ndim != 3 or crop.shape[2] != 3 or crop.dtype != np.uint8:
            raise UsageError(f"a crop must be uint8 (height, width, 3) in BGR order, this is {crop.dtype} {crop.shape}")
