"""Opens video files: what they say about themselves, and why they cannot be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.errors import SourceError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_PROTOCOLS = {"protocol_whitelist": "file"}
"""A file may be a playlist in disguise; it shall not make this program call anybody."""
_NOT_VIDEO = {"concat", "tty"}
"""Formats of plain text that FFmpeg makes pictures of: a list of other files, and letters drawn on a terminal."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a recording says about itself; as reliable as whoever wrote it."""

    duration_s: float | None = None
    frame_count: int | None = None
    """An estimate where the container does not count."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The container's tags."""


def look_at(path: Path) -> Look:
    """Give what a video file says about itself, in some milliseconds. A file that cannot be opened says nothing; ``open`` tells why."""
    try:
        container, stream = open_video(path)
    except SourceError:
        return Look()
    try:
        return describe(container, stream)
    finally:
        container.close()


def open_video(path: Path) -> tuple[InputContainer, VideoStream]:
    """Open a file and choose its video. Raises SourceError naming the file."""
    import av

    av.logging.set_level(None)  # libav writes to standard error by itself; what matters comes as an exception
    _check_readable(path)
    try:
        # "file:", because a name such as 2024-05-01T13:45:00.mp4 would pass for a protocol
        container = av.open(f"file:{path}", options=_PROTOCOLS, metadata_errors="replace")
    except (av.error.FFmpegError, MemoryError) as error:
        raise SourceError("damaged", f"{path}: cannot be opened; {_why_damaged(path)}") from error
    try:
        return container, _video_of(container, path)
    except SourceError:
        container.close()
        raise


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise SourceError("missing", f"{path}: there is no such file") from error
    except OSError as error:
        raise SourceError("permission", f"{path}: cannot be read ({error.strerror})") from error
    if empty:
        raise SourceError("empty", f"{path}: the file is empty")


def _why_damaged(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4096)
    if head[4:8] == b"ftyp":
        return "its index (moov) is missing or damaged, as when a recording is cut off before its end; try a repair tool or record as MKV"
    if b"\0" not in head and len(head.decode("utf-8", "ignore").encode()) > len(head) - 4:  # the last letter may be cut
        return "it is text, not video"
    return "it is not a video, or its beginning is damaged"


def _video_of(container: InputContainer, path: Path) -> VideoStream:
    from av.stream import Disposition

    if container.format.name in _NOT_VIDEO:
        raise SourceError("unsupported", f"{path}: is text, not video")
    videos = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not videos:
        raise SourceError("unsupported", f"{path}: has no video in it ({container.format.long_name})")
    usable = [stream for stream in videos if stream.codec_context is not None]
    if not usable:
        raise SourceError("unsupported", f"{path}: FFmpeg has no decoder for its video; convert it to H.264 first")
    return max(usable, key=lambda stream: stream.codec_context.width * stream.codec_context.height)


def describe(container: InputContainer, stream: VideoStream) -> Look:
    """Gather what an open file says about itself."""
    duration_s: float | None = None
    if stream.duration and stream.time_base:
        duration_s = float(stream.duration * stream.time_base)
    elif tagged := re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", "")):  # Matroska, by stream
        duration_s = int(tagged[1]) * 3600 + int(tagged[2]) * 60 + float(tagged[3])
    elif container.duration is not None:
        duration_s = container.duration / 1e6
    rate = stream.average_rate or stream.guessed_rate
    frame_count = stream.frames or (round(duration_s * float(rate)) if duration_s is not None and rate else None)
    return Look(duration_s, frame_count, {**stream.metadata, **container.metadata})
