"""What a user may write about one live camera."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from streamer.config_section import Seconds, Section, in_order

SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps", "srt", "udp", "rtp")
"""What FFmpeg reads cameras by; HLS and MJPEG come over http(s)."""


def _wrong(what: str, why: str = "") -> PydanticCustomError:
    return PydanticCustomError("bad_pattern", what + "{why}", {"why": why})


def _camera_url(url: str) -> str:
    scheme, found, rest = url.partition("://")
    if not found or scheme.lower() not in SCHEMES or not rest.strip("/"):
        raise _wrong("must be the address of a camera, beginning with ", ", ".join(f"{s}://" for s in SCHEMES))
    if re.search(r"\s", url):
        raise _wrong("must be an address without white space")
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host and scheme.lower() not in ("udp", "rtp"):
        raise _wrong("must name a host, as in rtsp://192.168.1.64/path")
    if "@" in rest.partition("?")[0]:
        raise _wrong("must not hold a user or password: use the keys user and password_file")
    return url


def _polygon(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    if len(points) < 3 or any(not 0.0 <= value <= 1.0 for point in points for value in point):
        raise _wrong("must be at least three corners [x, y], each a share of the picture from 0 to 1")
    return points


CameraUrl = Annotated[str, AfterValidator(_camera_url), Field(description="an address such as rtsp://192.168.1.64/Streaming/Channels/101")]
Polygon = Annotated[tuple[tuple[float, float], ...], AfterValidator(_polygon)]
"""Corners [x, y] in shares of the picture, from the top left corner."""


class Camera(Section):
    """A camera: ``url`` (network) or ``device`` (USB), and how it is read."""

    url: CameraUrl | None = None
    """Without user and password, which have keys of their own."""
    device: str | None = Field(default=None, pattern=r"^/dev/")
    """V4L2 device, best by its stable name /dev/v4l/by-id/..."""
    user: str | None = None
    password: SecretStr | None = None
    """Better: ``password_file`` or ``password_env``."""
    password_file: Path | None = None
    """First line of this file."""
    password_env: str | None = None
    """Name of an environment variable."""
    transport: Literal["tcp", "udp"] = "tcp"
    """RTSP only."""
    ca_file: Path | None = None
    """Certificates that rtsps:// and https:// cameras are checked against; without it, the system's."""
    verify_tls: bool = True
    """Cameras often have certificates that nobody signed; false accepts any, and the log says so."""
    format: Literal["auto", "mjpg", "yuyv"] = "auto"
    """USB only: pixel format to ask for."""
    width: int | None = Field(default=None, ge=16)
    """USB only: pixels to ask for; what was granted is logged."""
    height: int | None = Field(default=None, ge=16)
    fps: float | None = Field(default=None, gt=0)
    """USB only: rate to ask for."""

    open_timeout_s: float = Field(default=5.0, gt=0)
    read_timeout_s: float = Field(default=3.0, gt=0)
    """Without a packet for so long, the camera counts as stalled."""
    first_frame_timeout_s: float = Field(default=6.0, gt=0)
    """A camera is live when its first picture is decoded; this long after it was opened, it is given up."""
    backoff_min_s: float = Field(default=0.5, gt=0)
    backoff_max_s: float = Field(default=30.0, gt=0)
    """Waits between attempts grow from the one to the other."""
    auth_backoff_s: float = Field(default=60.0, gt=0)
    """After wrong credentials: cameras lock accounts."""
    frozen_after_s: Seconds = 30.0
    """The very same picture, bit by bit, for so long is a fault; 0: never."""

    process_fps: float = Field(default=10.0, gt=0)
    """Frames a second that are analysed at most."""
    motion_gate: bool = True
    """Analyse at ``process_fps`` while something moves and every ``idle_interval_s`` otherwise; off for cameras that pan."""
    idle_interval_s: float = Field(default=1.0, gt=0)
    decode: Literal["all", "key_frames_while_idle"] = "key_frames_while_idle"
    """``key_frames_while_idle`` saves two thirds of an idle camera's work: only key frames are decoded while nothing moves and packets do
    not grow. It may notice a vehicle some tenths of a second later than ``all``; without the motion gate it is ``all``."""
    hwaccel: Literal["auto", "cuda", "vaapi", "none"] = "auto"
    """Decoding on the GPU; falls back on the CPU, and the log says so."""
    priority: float = Field(default=1.0, gt=0)
    """Share of a busy machine, relative to the other cameras."""

    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees clockwise that make the picture upright."""
    region: Polygon | None = None
    """Plates are looked for only here."""
    privacy_masks: tuple[Polygon, ...] = ()
    """Blackened before anything is analysed or stored."""

    max_clock_skew_s: float = Field(default=5.0, gt=0)
    """A camera's own clock (RTCP) is believed if it is no further from this machine's."""

    @field_validator("device")
    @classmethod
    def _one_address(cls, value: str | None, info: ValidationInfo) -> str | None:
        if (value is None) == (info.data.get("url") is None) and "url" in info.data:
            raise _wrong("a camera needs a url (network) or a device (USB), one of the two")
        return value

    @field_validator("password_env")
    @classmethod
    def _one_password(cls, value: str | None, info: ValidationInfo) -> str | None:
        given = [name for name in ("password", "password_file") if info.data.get(name) is not None] + ["password_env"] * (value is not None)
        if len(given) > 1:
            raise _wrong("only one may be given of ", ", ".join(given))
        if given and info.data.get("user") is None:
            raise _wrong("needs the key user beside it")
        return value

    @field_validator("backoff_max_s")
    @classmethod
    def _backoff_in_order(cls, value: float, info: ValidationInfo) -> float:
        return in_order(value, info, "backoff_min_s")
