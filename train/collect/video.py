"""Frames out of videos, to be labelled: nothing is known about their plates yet, so that they are no pictures without plates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from streamer.errors import SourceError, UsageError
from streamer.sources.files import RecordedFile
from streamer.types import Image
from train.collect.found import VIDEOS, Found, Item, Mark, Options, Skipped

UNLABELLED = (Mark(),)
"""A plate of which neither place nor text is known: marks a picture that is not labelled, and is not to be taken for an empty one."""
_QUALITY = 95


def read_video(source: Path, options: Options, folder: Path) -> Iterator[Item]:
    """Write a frame every ``options.every_s`` seconds of presentation time into ``folder`` and give it. Raises UsageError."""
    if options.every_s <= 0:
        raise UsageError("--every must be above 0 seconds")
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.suffix.lower() in VIDEOS)
    if not files:
        raise UsageError(f"{source}: holds no video")
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        try:
            yield from _frames(file, folder, options.every_s)
        except SourceError as error:
            yield Skipped(file.name, "picture", f"the video (or the rest of it): {error}")


def _frames(file: Path, folder: Path, every_s: float) -> Iterator[Item]:
    import cv2

    name = re.sub(r"[^\w.-]", "_", file.name)
    for seconds, image in _sampled(file, every_s):
        picture = folder / f"{name}-{round(seconds * 1000):08d}.jpg"
        where = f"{file.name} at {seconds:.2f} s"
        done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if not done:
            yield Skipped(where, "picture", "cannot be encoded")
            continue
        picture.write_bytes(data.tobytes())
        yield Found(picture, where, UNLABELLED, group=f"video {file.name}")


def _sampled(file: Path, every_s: float) -> Iterator[tuple[float, Image]]:
    """Give the first frame at or after each multiple of ``every_s``, upright, with its seconds. Raises SourceError."""
    video = RecordedFile(file, start=datetime(2000, 1, 1, tzinfo=UTC), clock="option")  # the time of day is not looked at
    video.open()
    try:
        due = 0.0
        while (picture := video.read()) is not None:
            if picture.t >= due:
                due = (picture.t // every_s + 1) * every_s
                yield picture.t, picture.convert()
    finally:
        video.close()
