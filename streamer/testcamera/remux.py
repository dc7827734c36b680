"""Streams that can be sent as they are in the file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.testcamera.annexb import Codec, is_delimiter, is_parameter_set, nals_of, starts_decoding
from streamer.testcamera.clip import AccessUnit, Clip, finish
from streamer.testcamera.rtp import CLOCK_HZ

KEY_INTERVAL_MAX_S = 2.0
"""Clients see nothing until the next key picture; cameras send one every one or two seconds."""

_CODECS: dict[str, Codec] = {"h264": "h264", "hevc": "h265"}
_TO_ANNEX_B = {"h264": "h264_mp4toannexb", "h265": "hevc_mp4toannexb"}
_CAMERA_FORMATS = ("yuv420p", "yuvj420p")


def remux(path: Path, codec: Codec | None) -> Clip | None:
    """Take a file's stream over as it is; None where no camera sends the like: another codec, pictures out of order, rare key pictures.

    Raises:
        av.error.FFmpegError: The file cannot be read.
    """
    with av.open(str(path)) as container:
        if not container.streams.video:
            return None
        stream = container.streams.video[0]
        own = _CODECS.get(stream.codec_context.name)
        if own is None or codec not in (None, own) or stream.codec_context.pix_fmt not in _CAMERA_FORMATS:
            return None
        packets = [packet for packet in container.demux(stream) if packet.size]
        if not _in_order(packets):
            return None
        units = _units(packets, stream, own)
        fps = float(stream.average_rate or stream.guessed_rate or 25)
        return finish(own, units, fps, (stream.codec_context.width, stream.codec_context.height)) if _joinable(units) else None


def _in_order(packets: list[Packet[VideoStream]]) -> bool:
    """Tell whether the pictures are shown in the order they are sent in, each with a time."""
    times = [packet.pts for packet in packets]
    return bool(times) and all(
        former is not None and latter is not None and former < latter for former, latter in pairwise([-(2**62), *times])
    )


def _units(packets: list[Packet[VideoStream]], stream: VideoStream, codec: Codec) -> list[AccessUnit]:
    to_annex_b = BitStreamFilterContext(_TO_ANNEX_B[codec], stream)
    ticks = (stream.time_base or 0) * CLOCK_HZ
    units: list[AccessUnit] = []
    sets: tuple[bytes, ...] = ()
    for packet in (out for given in packets for out in to_annex_b.filter(given)):
        nals = tuple(nal for nal in nals_of(bytes(packet)) if not is_delimiter(codec, nal))
        sets = tuple(nal for nal in nals if is_parameter_set(codec, nal)) or sets
        key = any(starts_decoding(codec, nal) for nal in nals)
        if key:  # each one with parameter sets, and these first: MP4 has them once for the whole file
            nals = sets + tuple(nal for nal in nals if not is_parameter_set(codec, nal))
        assert packet.pts is not None
        units.append(AccessUnit(nals, key, round(packet.pts * ticks)))
    return units


def _joinable(units: list[AccessUnit]) -> bool:
    """Tell whether a client that comes at any time can soon begin to decode."""
    if not units or not units[0].key:
        return False
    keys = [unit.at for unit in units if unit.key] + [units[-1].at]
    return all(latter - former <= KEY_INTERVAL_MAX_S * CLOCK_HZ for former, latter in pairwise(keys))
