"""H.264 and H.265 as byte streams (Annex B of ITU-T H.264 and H.265): cutting them up, and what the pieces are."""

from __future__ import annotations

from typing import Literal

Codec = Literal["h264", "h265", "mjpeg"]
"""How the pictures of a clip are coded."""

START_CODE = b"\x00\x00\x01"


def nals_of(stream: bytes) -> tuple[bytes, ...]:
    """Cut a byte stream into its NAL units, without start codes.

    A NAL unit never ends in a zero byte (ITU-T H.264, 7.4.1), so zeros before a start code belong to the start code.
    """
    return tuple(nal for part in stream.split(START_CODE) if (nal := part.rstrip(b"\x00")))


def nal_type(codec: Codec, nal: bytes) -> int:
    """Give nal_unit_type: ITU-T H.264 7.3.1 (five bits) or ITU-T H.265 7.3.1.2 (six bits)."""
    return nal[0] & 31 if codec == "h264" else nal[0] >> 1 & 63


def is_delimiter(codec: Codec, nal: bytes) -> bool:
    """Tell whether this is an access unit delimiter, which RTP does not need."""
    return nal_type(codec, nal) == (9 if codec == "h264" else 35)


def is_parameter_set(codec: Codec, nal: bytes) -> bool:
    """Tell whether this is a video (H.265), sequence or picture parameter set."""
    return nal_type(codec, nal) in ((7, 8) if codec == "h264" else (32, 33, 34))


def starts_decoding(codec: Codec, nal: bytes) -> bool:
    """Tell whether decoding may begin with the picture of this slice: IDR, and for H.265 all of IRAP (types 16 to 21)."""
    return nal_type(codec, nal) == 5 if codec == "h264" else 16 <= nal_type(codec, nal) <= 21
