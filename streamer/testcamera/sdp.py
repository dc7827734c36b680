"""The description of a stream (SDP, RFC 8866), with the parameters of RFC 6184 section 8.1 and RFC 7798 section 7.1."""

from __future__ import annotations

import base64

from streamer.testcamera.annexb import nal_type
from streamer.testcamera.clip import Clip
from streamer.testcamera.rtp import CLOCK_HZ, PAYLOAD_TYPE

TRACK = "track1"
_H265_NAMES = {32: "sprop-vps", 33: "sprop-sps", 34: "sprop-pps"}


def describe(name: str, clip: Clip) -> bytes:
    """Give the description that DESCRIBE answers with."""
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 0.0.0.0",
        f"s={name}",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
        f"a=rtpmap:{PAYLOAD_TYPE} {clip.codec.upper()}/{CLOCK_HZ}",
        f"a=fmtp:{PAYLOAD_TYPE} {_parameters(clip)}",
        f"a=framerate:{clip.fps:g}",
        f"a=control:{TRACK}",
    ]
    return "\r\n".join([*lines, ""]).encode()


def _parameters(clip: Clip) -> str:
    if clip.codec == "h264":
        sets = ",".join(base64.b64encode(nal).decode() for nal in clip.parameter_sets)
        profile = next(nal for nal in clip.parameter_sets if nal_type("h264", nal) == 7)[1:4].hex()
        return f"packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sets}"
    return ";".join(f"{_H265_NAMES[nal_type('h265', nal)]}={base64.b64encode(nal).decode()}" for nal in clip.parameter_sets)
