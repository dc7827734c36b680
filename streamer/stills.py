"""Pictures from files."""

from __future__ import annotations

from pathlib import Path

from streamer.errors import SourceError
from streamer.types import Image


def load_picture(path: Path) -> Image:
    """Give the picture of a file, uint8 (h, w, 3) BGR, turned as its EXIF data say. Raises SourceError naming the file."""
    import cv2
    import numpy as np

    try:
        data = np.fromfile(path, np.uint8)  # not cv2.imread: that fails silently, and on names that are not ASCII on some systems
    except FileNotFoundError as error:
        raise SourceError("missing", f"{path}: there is no such file") from error
    except OSError as error:
        raise SourceError("permission", f"{path}: cannot be read ({error.strerror})") from error
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:  # a header that promises more pixels than OpenCV accepts
        raise SourceError("damaged", f"{path}: is too large for a picture, or damaged") from error
    if image is None:
        raise SourceError("damaged" if data.size else "empty", f"{path}: is {'not a picture that can be read' if data.size else 'empty'}")
    return np.asarray(image, np.uint8)
