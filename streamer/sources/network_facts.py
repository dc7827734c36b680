"""What one connection to a network camera has shown so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamer.ports import StreamFacts

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

_LONGEST_INTERVAL_S: Final = 600.0
"""Between key frames; more is a jump of the time stamps."""


class Seen:
    """Counts of one connection. Written by the reading thread, one plain value at a time; ``facts`` from any."""

    def __init__(self, stream: VideoStream | None = None) -> None:
        self.size: tuple[int, int] | None = None
        """(width, height) of the last picture, pixels; None before the first."""
        self.packets = 0
        self.packets_skipped = 0
        self.key_frame_interval_s: float | None = None
        self._codec: str | None = None
        self._fps: float | None = None
        self._bytes = 0
        self._clock_reports = 0
        self._key_stamp_s: float | None = None
        if stream is not None:
            self._codec = stream.codec_context.name
            rate = stream.average_rate or stream.guessed_rate
            self._fps = float(rate) if rate else None

    def take(self, packet: Packet[VideoStream]) -> None:
        """Count a packet."""
        self.packets += 1
        self._bytes += packet.size
        self._clock_reports += packet.has_sidedata("rtcp_sr")
        if packet.is_keyframe:
            stamp_s = None if packet.pts is None or not packet.time_base else float(packet.pts * packet.time_base)
            if stamp_s is not None and self._key_stamp_s is not None and 0 < stamp_s - self._key_stamp_s < _LONGEST_INTERVAL_S:
                self.key_frame_interval_s = stamp_s - self._key_stamp_s
            self._key_stamp_s = stamp_s

    def facts(self, address: str, decoder: str | None) -> StreamFacts:
        """Give all of it; ``address`` without credentials."""
        width, height = self.size or (None, None)
        return StreamFacts(
            address=address,
            codec=self._codec,
            width=width,
            height=height,
            fps=self._fps,
            decoder=decoder,
            bytes_read=self._bytes,
            packets=self.packets,
            packets_skipped=self.packets_skipped,
            key_frame_interval_s=self.key_frame_interval_s,
            clock_reports=self._clock_reports,
        )
