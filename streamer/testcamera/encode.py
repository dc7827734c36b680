"""Any video made into what a camera sends: no pictures out of order, a key picture every second, one slice each."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from streamer.errors import SourceError
from streamer.testcamera.annexb import Codec, is_delimiter, nals_of
from streamer.testcamera.clip import AccessUnit, Clip, finish
from streamer.testcamera.rtp import CLOCK_HZ

_TIME_BASE = Fraction(1, CLOCK_HZ)
_OPTIONS: dict[Codec, dict[str, str]] = {
    "h264": {"preset": "veryfast", "tune": "zerolatency", "crf": "23", "x264-params": "scenecut=0:sliced-threads=0:repeat-headers=1"},
    "h265": {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "crf": "24",
        "x265-params": "log-level=error:scenecut=0:repeat-headers=1:bframes=0",
    },
    "mjpeg": {"qmin": "3", "qmax": "5"},
}
_ENCODERS = {"h264": "libx264", "h265": "libx265", "mjpeg": "mjpeg"}


def encode(path: Path, codec: Codec) -> Clip:
    """Decode a file and encode it once; the result does not depend on the number of processors.

    Raises:
        SourceError: There is no picture in the file.
        av.error.FFmpegError: The file cannot be read.
    """
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise SourceError("unsupported", f"{path} has no video")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        fps = float(stream.average_rate or stream.guessed_rate or 25)
        encoder: VideoCodecContext | None = None
        units: list[AccessUnit] = []
        last = -1
        for number, frame in enumerate(container.decode(stream)):
            encoder = encoder or _encoder(codec, fps, frame)
            at = round(frame.time * CLOCK_HZ) if frame.time is not None else round(number * CLOCK_HZ / fps)
            last = max(at, last + 1)  # broken time stamps: a camera's never stand still
            units.extend(_encoded(encoder, codec, _prepared(frame, encoder, last)))
        if encoder is None:
            raise SourceError("empty", f"{path} has no picture")
        units.extend(_encoded(encoder, codec, None))
    return finish(codec, units, fps, (encoder.width, encoder.height))


def _encoder(codec: Codec, fps: float, first: VideoFrame) -> VideoCodecContext:
    encoder = av.CodecContext.create(_ENCODERS[codec], "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height = first.width // 2 * 2, first.height // 2 * 2
    encoder.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    encoder.time_base = _TIME_BASE
    encoder.framerate = Fraction(fps).limit_denominator(1001)
    encoder.gop_size = max(round(fps), 1)
    encoder.max_b_frames = 0
    encoder.thread_count = 1
    encoder.options = _OPTIONS[codec]
    return encoder


def _prepared(frame: VideoFrame, encoder: VideoCodecContext, at: int) -> VideoFrame:
    ready = frame.reformat(
        encoder.width, encoder.height, encoder.pix_fmt, dst_color_range="JPEG" if encoder.pix_fmt == "yuvj420p" else None
    )
    ready.pts, ready.time_base = at, _TIME_BASE
    ready.pict_type = 0  # what the file had as a key picture is not to be one here
    return ready


def _encoded(encoder: VideoCodecContext, codec: Codec, frame: VideoFrame | None) -> list[AccessUnit]:
    units = []
    for packet in encoder.encode(frame):
        data = bytes(packet)
        nals = (data,) if codec == "mjpeg" else tuple(nal for nal in nals_of(data) if not is_delimiter(codec, nal))
        assert packet.pts is not None
        units.append(AccessUnit(nals, packet.is_keyframe, packet.pts))
    return units
