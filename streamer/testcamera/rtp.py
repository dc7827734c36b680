"""Packets of RTP and RTCP, pure: H.264 (RFC 6184), H.265 (RFC 7798), sender reports and BYE (RFC 3550)."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from streamer.testcamera.annexb import Codec

CLOCK_HZ = 90_000
"""Of the time stamps of video (RFC 6184 section 8.2.1, RFC 7798 section 7.1)."""

MAX_PAYLOAD = 1400
"""Bytes of a packet after the RTP header: with the headers of RTP, UDP and IP below the 1500 of Ethernet."""

PAYLOAD_TYPE = 96
"""The first of the dynamic ones (RFC 3551)."""

NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 868)."""

MASK_32 = 0xFFFFFFFF

_FU_H264 = 28
_FU_H265 = 49
_SENDER_REPORT = 200
_SOURCE_DESCRIPTION = 202
_BYE = 203
_VERSION = 0x80
_START, _END = 0x80, 0x40
_HEADER = struct.Struct(">BBHII")
HEADER_BYTES = _HEADER.size
"""Of an RTP packet, without contributing sources and extensions."""


def payloads_of(codec: Codec, nals: Iterable[bytes], max_payload: int = MAX_PAYLOAD) -> tuple[bytes, ...]:
    """Pack the NAL units of one access unit: those that fit alone, larger ones as fragments (FU-A; FU of H.265)."""
    fragments = _fragments_h264 if codec == "h264" else _fragments_h265
    payloads: list[bytes] = []
    for nal in nals:
        payloads.extend([nal] if len(nal) <= max_payload else fragments(nal, max_payload))
    return tuple(payloads)


def _fragments_h264(nal: bytes, max_payload: int) -> list[bytes]:
    """RFC 6184 section 5.8: FU indicator (F and NRI of the unit, type 28), FU header (start, end, type of the unit)."""
    indicator, kind = nal[0] & 0xE0 | _FU_H264, nal[0] & 31
    return [bytes((indicator, flags | kind)) + part for flags, part in _parts(nal[1:], max_payload - 2)]


def _fragments_h265(nal: bytes, max_payload: int) -> list[bytes]:
    """RFC 7798 section 4.4.3: payload header (that of the unit with type 49), FU header (start, end, type of the unit)."""
    first, second, kind = nal[0] & 0x81 | _FU_H265 << 1, nal[1], nal[0] >> 1 & 63
    return [bytes((first, second, flags | kind)) + part for flags, part in _parts(nal[2:], max_payload - 3)]


def _parts(body: bytes, size: int) -> list[tuple[int, bytes]]:
    starts = range(0, len(body), size)
    return [(_START * (at == 0) | _END * (at + size >= len(body)), body[at : at + size]) for at in starts]


def header(sequence: int, stamp: int, source: int, *, marker: bool) -> bytes:
    """Give the twelve bytes before a payload (RFC 3550 section 5.1); the marker stands at the last packet of a picture."""
    return _HEADER.pack(_VERSION, marker << 7 | PAYLOAD_TYPE, sequence & 0xFFFF, stamp & MASK_32, source & MASK_32)


def sender_report(source: int, unix_s: float, stamp: int, packets: int, octets: int, name: str = "camera") -> bytes:
    """Give a sender report with its source description (RFC 3550 sections 6.4.1 and 6.5).

    Args:
        source: SSRC.
        unix_s: Wall time of the picture with ``stamp``, seconds since 1970 by the camera's clock.
        stamp: RTP time stamp of the same moment.
        packets: RTP packets sent so far.
        octets: Bytes of payload sent so far.
        name: CNAME.
    """
    ntp = round((unix_s + NTP_EPOCH_S) * 2**16) << 16  # a float has no more than 16 bits left for the fraction
    report = struct.pack(
        ">BBHIQIII",
        _VERSION,
        _SENDER_REPORT,
        6,
        source & MASK_32,
        ntp & (2**64 - 1),
        stamp & MASK_32,
        packets & MASK_32,
        octets & MASK_32,
    )
    return report + _description(source, name)


def _description(source: int, name: str) -> bytes:
    item = bytes((1, len(name.encode()))) + name.encode()
    item += b"\x00" * (4 - len(item) % 4)
    return struct.pack(">BBHI", _VERSION | 1, _SOURCE_DESCRIPTION, 1 + len(item) // 4, source & MASK_32) + item


def bye(source: int) -> bytes:
    """Say that a source leaves (RFC 3550 section 6.6)."""
    return struct.pack(">BBHI", _VERSION | 1, _BYE, 1, source & MASK_32)
