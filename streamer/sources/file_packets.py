"""The packets of a stretch of a recording, as they stand in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from streamer.errors import SourceError
from streamer.packetring import EncodedPacket, Stretch
from streamer.sources.container import open_video
from streamer.sources.files import SYNC_S
from streamer.sources.network_packets import seed_of

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_OUT_OF_ORDER_S: Final = 1.0
"""Packets stand so much later than they are shown, at most."""


def packets_between(path: Path, begin_s: float, end_s: float, most_bytes: int) -> Stretch:
    """Give the packets of a recording from the key frame before a moment to another, as far as they fit into so many bytes.

    Moments are seconds of the recording as ``RecordedFile`` tells them, as long as its time stamps need no repair. The stretch has no
    frames placed in it. Raises SourceError: it cannot be read there.
    """
    import av

    container, stream = open_video(path)
    try:
        return _read(container, stream, begin_s, end_s, most_bytes)
    except (av.error.FFmpegError, MemoryError, ValueError) as error:
        raise SourceError("damaged", f"{path}: cannot be read at {begin_s:.1f} s ({error})") from error
    finally:
        container.close()


def _read(container: InputContainer, stream: VideoStream, begin_s: float, end_s: float, most_bytes: int) -> Stretch:
    tick_s = float(stream.time_base or 1)
    origin_s = _origin_s(container, stream, tick_s)
    container.seek(round((max(begin_s, 0.0) + origin_s) / tick_s), stream=stream)
    packets: list[EncodedPacket] = []
    seed, size = b"", 0
    for packet in container.demux(stream):
        if packet.pts is None or not packet.size or not (packets or packet.is_keyframe):
            continue
        shown_s = round(packet.pts * tick_s - origin_s, 6)
        size += packet.size
        decoded_s = shown_s if packet.dts is None else packet.dts * tick_s - origin_s
        if decoded_s > end_s + _OUT_OF_ORDER_S or size > most_bytes:
            break
        seed = seed or seed_of(stream, packet)
        packets.append(EncodedPacket(len(packets), bytes(packet), packet.is_keyframe, shown_s, shown_s))
    return Stretch(stream.codec_context.name, seed, tuple(packets), (), over=True)


def _origin_s(container: InputContainer, stream: VideoStream, tick_s: float) -> float:
    """Give the stamp of what is told as 0 s; see ``files.RecordedFile``."""
    first_s = None if stream.start_time is None else stream.start_time * tick_s
    told_s = None if container.start_time is None else container.start_time / 1e6
    if told_s is None or (first_s is not None and abs(first_s - told_s) > SYNC_S):
        return first_s or 0.0
    return told_s
