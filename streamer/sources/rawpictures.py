"""Pictures as USB cameras send them: small grey views and BGR, made only when somebody asks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamer.errors import SourceError
from streamer.types import Image

Raw = npt.NDArray[np.uint8]

LUMA_WIDTH = 160
"""Pixels, about."""
_GREY = 128


def small(picture: Raw) -> Raw:
    """Shrink a picture of any number of channels to about 160 pixels wide: uint8 (h, 160) or (h, 160, channels); smaller ones stay."""
    import cv2

    height, width = picture.shape[:2]
    factor = width / LUMA_WIDTH
    if factor <= 1.0:
        return picture
    # Every fourth of the pixels that fall together is enough against noise, and a quarter of the work in each direction.
    step = max(1, int(factor / 4))
    return _bytes(cv2.resize(picture[::step, ::step], (LUMA_WIDTH, max(1, round(height / factor))), interpolation=cv2.INTER_AREA))


def bgr_luma(picture: Image) -> Raw:
    """Give the small grey view of a BGR picture, uint8 (h, w), read-only."""
    import cv2

    return _sealed(_bytes(cv2.cvtColor(small(picture), cv2.COLOR_BGR2GRAY)))


def unpack_yuyv(data: Raw, width: int, height: int) -> tuple[Raw, bool]:
    """Give YUYV data as uint8 (height, width, 2), and whether they were whole; what is missing is grey.

    Lines may be padded at their ends (``bytesperline`` in V4L2).
    """
    flat = data.reshape(-1)
    row = width * 2
    if flat.size >= row * height:
        return flat[: flat.size // height * height].reshape(height, -1)[:, :row].reshape(height, width, 2), True
    whole = np.full(row * height, _GREY, np.uint8)
    whole[: flat.size] = flat
    return whole.reshape(height, width, 2), False


def yuyv_luma(yuyv: Raw) -> Raw:
    """Give the small grey view, uint8 (h, w), read-only."""
    return _sealed(np.ascontiguousarray(small(yuyv)[:, :, 0]))


def yuyv_bgr(yuyv: Raw) -> Image:
    """Give uint8 (height, width, 3) BGR, read-only (BT.601, as UVC cameras use by default)."""
    import cv2

    return _sealed(_bytes(cv2.cvtColor(yuyv, cv2.COLOR_YUV2BGR_YUY2)))


def whole_jpeg(data: Raw) -> bool:
    """Whether a JPEG has its end marker (FF D9); some cameras fill up with zeros behind it."""
    return bytes(data[-512:]).rstrip(b"\0").endswith(b"\xff\xd9")


def jpeg_luma(data: Raw) -> Raw:
    """Give the small grey view, uint8 (h, w), read-only, decoded at an eighth of the size. Raises SourceError (damaged)."""
    import cv2

    return _sealed(small(_decoded(data, cv2.IMREAD_REDUCED_GRAYSCALE_8)))


def jpeg_bgr(data: Raw) -> Image:
    """Give uint8 (height, width, 3) BGR, read-only. Raises SourceError (damaged)."""
    import cv2

    return _sealed(_decoded(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION))


def _decoded(data: Raw, flags: int) -> Raw:
    import cv2

    try:
        picture = cv2.imdecode(data, flags) if data.size else None
    except cv2.error as error:
        raise SourceError("damaged", "the camera sent a JPEG that OpenCV refuses") from error
    if picture is None:
        raise SourceError("damaged", "the camera sent a JPEG that cannot be decoded")
    return _bytes(picture)


def _bytes(picture: npt.NDArray[np.generic]) -> Raw:
    return np.asarray(picture, np.uint8)


def _sealed(picture: Raw) -> Raw:
    """Seal a view, too: the array that it looks at may be somebody else's."""
    view = picture.view()
    view.flags.writeable = False
    return view
