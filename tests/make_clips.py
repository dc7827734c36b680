"""Small clips for tests: every picture carries its number, so that a test can tell which pictures came through."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from streamer.types import Image

_BITS = 8
_TIME_BASE = Fraction(1, 90_000)


def numbered_picture(number: int, width: int = 160, height: int = 96) -> Image:
    """Eight upright bars over the upper half, white where the bit of ``number`` is set; the lower half: blue left, red right."""
    picture = np.full((height, width, 3), 128, np.uint8)
    bar = width // _BITS
    for bit in range(_BITS):
        picture[: height // 2, bit * bar : (bit + 1) * bar] = 255 if number >> bit & 1 else 0
    picture[height // 2 :, : width // 2] = (220, 40, 40)
    picture[height // 2 :, width // 2 :] = (40, 40, 220)
    return picture


def number_of(picture: Image) -> int:
    """Read what ``numbered_picture`` wrote."""
    height, width = picture.shape[:2]
    bar = width // _BITS
    middle = picture[height // 4, bar // 2 : bar * _BITS : bar].mean(axis=1)
    return sum(1 << bit for bit, value in enumerate(middle[:_BITS]) if value > 128)


def make_clip(
    path: Path,
    times_s: Sequence[float],
    *,
    codec: str = "libx264",
    time_base: Fraction = _TIME_BASE,
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (160, 96),
    gop: int = 10,
    options: dict[str, str] | None = None,
    muxer_options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    rotation: int | None = None,
    full_range: bool = False,
) -> Path:
    """Encode one numbered picture per time; ``rotation``: degrees counter-clockwise by which a player turns the pictures."""
    with av.open(str(path), "w", options=muxer_options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = time_base
        stream.codec_context.gop_size = gop
        if full_range:
            stream.codec_context.color_range = 2
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for number, t in enumerate(times_s):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number % (1 << _BITS), *size), format="bgr24")
            frame = frame.reformat(format=pixel_format, dst_color_range="JPEG" if full_range else None)
            frame.pts = round(t / time_base)
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def steady(count: int, fps: float = 25.0) -> list[float]:
    """Times of ``count`` pictures at a fixed rate."""
    return [number / fps for number in range(count)]
