"""Hands the packets of a network camera to its ring, decoded or not."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from logging import getLogger
from typing import TYPE_CHECKING

from streamer.packetring import EncodedPacket, PacketRing

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream


_log = getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a packet; travels through the decoder with it."""

    number: int
    """Of the packet in its connection."""
    at: float
    """When it came, monotonic seconds."""
    utc: datetime
    exposed: datetime | None
    """When its picture was taken by the camera's clock, UTC."""


def keep(ring: PacketRing, packet: Packet[VideoStream], stream: VideoStream, arrival: Arrival, *, stamped: bool) -> None:
    """Put a packet into the ring, from the first key frame of a connection on; ``stamped``: its time stamps are the camera's."""
    if not ring.wanted:
        return
    if not ring.begun:
        if not packet.is_keyframe:
            return
        ring.begin(stream.codec_context.name, _seed(stream, packet))
    stamp_s = float(packet.pts * packet.time_base) if stamped and packet.pts is not None and packet.time_base else None
    ring.add(EncodedPacket(arrival.number, bytes(packet), packet.is_keyframe, stamp_s, arrival.at))


def _seed(stream: VideoStream, packet: Packet[VideoStream]) -> bytes:
    """Give ``seed_of``; empty if that fails: clips are no reason to lose a camera, and those that cannot be made are counted."""
    import av

    try:
        return seed_of(stream, packet)
    except (av.error.FFmpegError, MemoryError, OSError, ValueError) as error:
        # Often only its size is not known yet; with most codecs, all that a muxer needs stands in each key frame, too.
        _log.debug("%s: the stream does not tell its parameters yet (%s)", stream.codec_context.name, error)
        return b""


def seed_of(stream: VideoStream, packet: Packet[VideoStream]) -> bytes:
    """Give what a muxer must know of a stream, its codec's parameters, so that it can be told when the stream is long closed.

    PyAV hands parameters from one container to another only. So it is a file in memory, NUT, which takes every codec and keeps its
    parameters as they are, with one key frame in it: without any, FFmpeg does not open it.
    """
    import av

    content = io.BytesIO()
    with av.open(content, "w", format="nut") as container:
        copy = av.Packet(bytes(packet))
        copy.stream = container.add_stream_from_template(stream, opaque=True)
        copy.pts = copy.dts = 0
        copy.time_base = stream.time_base or Fraction(1, 90_000)
        copy.is_keyframe = True
        container.mux_one(copy)
    return content.getvalue()
