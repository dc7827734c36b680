"""Clips as a camera sends them: access units in memory, taken over from a file as they are or encoded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from streamer.errors import SourceError
from streamer.testcamera.annexb import Codec, is_parameter_set
from streamer.testcamera.rtp import CLOCK_HZ, payloads_of


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One coded picture."""

    nals: tuple[bytes, ...]
    """NAL units without start codes; of MJPEG one whole JPEG file."""
    key: bool
    """Decoding may begin here; parameter sets come with it."""
    at: int
    """When it is shown, in 1/90000 s from the beginning of the clip."""


@dataclass(frozen=True, eq=False)
class Clip:
    """What a camera shows: coded pictures in the order of time, the first of them a key picture."""

    codec: Codec
    units: tuple[AccessUnit, ...]
    duration: int
    """In 1/90000 s: where the next round begins."""
    fps: float
    width: int
    """Of the first picture, pixels."""
    height: int

    def __len__(self) -> int:
        """Pictures."""
        return len(self.units)

    @cached_property
    def payloads(self) -> tuple[tuple[bytes, ...], ...]:
        """Of each picture, what its RTP packets carry: packed once, sent to everybody."""
        return tuple(payloads_of(self.codec, unit.nals) for unit in self.units)

    @property
    def parameter_sets(self) -> tuple[bytes, ...]:
        """Those of the first picture, in its order, for the description of the stream."""
        return tuple(nal for nal in self.units[0].nals if is_parameter_set(self.codec, nal))


def load_clip(files: Path | Sequence[Path], *, codec: Codec | None = None) -> Clip:
    """Read one or more video files, shown one after the other; their sizes and rates may differ.

    A file's stream is taken over as it is where a camera could have sent it (see ``remux``); else it is encoded.

    Args:
        files: Whatever FFmpeg reads.
        codec: What to send; None for what the first file has if it can be taken over, else H.264.

    Raises:
        SourceError: A file is missing, no video, or cannot be decoded.
    """
    paths = [files] if isinstance(files, Path) else list(files)
    if not paths:
        raise SourceError("missing", "a camera needs a clip")
    clips: list[Clip] = []
    for path in paths:
        clips.append(_load(path, codec or (clips[0].codec if clips else None)))
    return join_clips(clips)


def join_clips(clips: Sequence[Clip]) -> Clip:
    """Give the clips, all of one codec, one after the other as one."""
    return replace(clips[0], units=tuple(_shifted(clips)), duration=sum(clip.duration for clip in clips))


def _shifted(clips: Sequence[Clip]) -> Iterator[AccessUnit]:
    begin = 0
    for clip in clips:
        for unit in clip.units:
            yield replace(unit, at=unit.at + begin)
        begin += clip.duration


def _load(path: Path, codec: Codec | None) -> Clip:
    import av

    from streamer.testcamera.encode import encode
    from streamer.testcamera.remux import remux

    if not path.is_file():
        raise SourceError("missing", f"no such file: {path}")
    try:
        return (None if codec == "mjpeg" else remux(path, codec)) or encode(path, codec or "h264")
    except (av.error.FFmpegError, OSError) as error:
        raise SourceError("damaged", f"{path} cannot be read as a video: {error}") from error


def finish(codec: Codec, units: Sequence[AccessUnit], fps: float, size: tuple[int, int]) -> Clip:
    """Build a clip from units in the order of time, beginning at any time.

    The last one is shown as long as the others on average. ``fps`` is for a clip of a single picture: containers err, most of all about
    short ones.
    """
    begin = units[0].at
    shifted = tuple(replace(unit, at=unit.at - begin) for unit in units)
    if len(units) > 1:
        fps = (len(units) - 1) * CLOCK_HZ / shifted[-1].at
    return Clip(codec, shifted, shifted[-1].at + round(CLOCK_HZ / fps), fps, *size)
