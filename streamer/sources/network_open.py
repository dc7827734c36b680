"""Opens the stream of a network camera: options by protocol, hardware decoding, and bounded waits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from logging import getLogger
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from streamer.config import Camera
from streamer.errors import SourceError
from streamer.sources.credentials import Credentials
from streamer.sources.network_errors import certificates, resolve, source_error, tls_trouble
from streamer.sources.network_patience import Patience

if TYPE_CHECKING:
    from av.codec.hwaccel import HWAccel
    from av.container import InputContainer
    from av.video.stream import VideoStream

_log = getLogger(__name__)

_PROTOCOLS: Final = {
    "rtsp": "rtp,udp,tcp",
    "rtsps": "rtp,srtp,udp,tcp,tls",
    "http": "http,https,httpproxy,tcp,tls,crypto",
    "https": "http,https,httpproxy,tcp,tls,crypto",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,rtmp,tls,tcp",
    "srt": "srt,udp",
    "udp": "udp",
    "rtp": "rtp,udp",
}
"""What libav may open for a camera's sake: a playlist or SDP from the network must never reach a file."""
_TLS: Final = {"rtsps", "https", "rtmps"}
_BY_TIMEOUT_OPTION: Final = {"rtsp", "rtsps", "udp", "rtp"}
"""Their sockets take ``timeout``, the others ``rw_timeout``; both in microseconds."""
_TCP_QUEUE: Final = "2"
"""Packets kept for reordering over TCP. They cannot be out of order, but only with a queue does libav look for gaps."""
_STAMPLESS: Final = {"mpjpeg", "jpeg_pipe", "image2pipe", "mjpeg", "h264", "hevc"}
"""Formats that carry no time stamps: libav makes some up from a frame rate that it assumes."""
_HARDWARE: Final = {"cuda": ("cuda",), "vaapi": ("vaapi",), "auto": ("cuda", "vaapi"), "none": ()}


@dataclass(frozen=True, slots=True)
class Accelerator:
    """Hardware that decodes."""

    name: str
    """``cuda`` or ``vaapi``."""
    settings: HWAccel


@dataclass(frozen=True, slots=True)
class Opened:
    """An open stream."""

    container: InputContainer
    stream: VideoStream
    decoder: str
    """``software``, or the hardware that is to decode."""
    tick_s: float | None
    """Seconds of one step of its time stamps; None if those are made up."""


def open_stream(config: Camera, credentials: Credentials, patience: Patience, accelerator: Accelerator | None) -> Opened:
    """Connect to a camera and choose its video, within ``open_timeout_s``.

    Raises SourceError: refused, authentication, timeout, missing, unsupported, tls, unavailable, gone, damaged. Its text holds neither
    the address nor credentials.
    """
    import av

    assert config.url is not None
    parts = urlsplit(config.url)
    options = options_of(config, parts)
    began = time.monotonic()
    resolve(parts, config.open_timeout_s)
    with patience.limit(config.open_timeout_s - (time.monotonic() - began)):
        try:
            container = av.open(
                credentials.put_into(config.url),
                options=options,
                timeout=(config.open_timeout_s, config.read_timeout_s),
                hwaccel=None if accelerator is None else accelerator.settings,
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, OSError, RuntimeError, ValueError, MemoryError) as error:
            raise _why(error, config, parts, patience) from None
    try:
        stream = _video_of(container)
    except SourceError:
        container.close()
        raise
    if patience.interrupted:
        container.close()
        raise SourceError("gone", "interrupted")
    context = stream.codec_context
    context.thread_type = "SLICE"  # frame threads hold back a picture each
    context.thread_count = 1
    context.copy_opaque = True
    decoder = accelerator.name if accelerator is not None and context.is_hwaccel else "software"
    tick = None if container.format.name in _STAMPLESS else stream.time_base
    return Opened(container, stream, decoder, None if tick is None else float(tick))


def options_of(config: Camera, parts: SplitResult) -> dict[str, str]:
    """Give libav's options for a camera. Raises SourceError (tls) if its certificates cannot be read."""
    scheme = parts.scheme.lower()
    timeout_us = str(round(max(config.open_timeout_s, config.read_timeout_s) * 1e6))  # for what patience does not cover: closing
    options = {
        "protocol_whitelist": _PROTOCOLS[scheme],
        "timeout" if scheme in _BY_TIMEOUT_OPTION else "rw_timeout": timeout_us,
        "fpsprobesize": "0",  # or a second goes by on finding out the frame rate
    }
    if scheme in ("rtsp", "rtsps"):
        options["rtsp_transport"] = config.transport
        options["allowed_media_types"] = "video"
        if config.transport == "tcp":
            options["reorder_queue_size"] = _TCP_QUEUE
    if scheme in _TLS:
        options["tls_verify"] = "1" if config.verify_tls else "0"
        if config.verify_tls and (trusted := certificates(config.ca_file)) is not None:
            options["ca_file"] = trusted
    return options


def _why(error: Exception, config: Camera, parts: SplitResult, patience: Patience) -> SourceError:
    import av

    if patience.interrupted:
        return SourceError("gone", "interrupted")
    if not isinstance(error, av.error.FFmpegError):
        return SourceError("damaged", f"what comes cannot be opened ({type(error).__name__})")
    ran_out = patience.ran_out
    found = source_error(error, ran_out=ran_out)
    if parts.scheme.lower() in _TLS and not ran_out and found.reason in ("unavailable", "damaged", "gone"):
        return tls_trouble(parts, config.ca_file, config.verify_tls, max(0.1, patience.left_s)) or found
    return found


def _video_of(container: InputContainer) -> VideoStream:
    from av.stream import Discard

    videos = list(container.streams.video)
    if not videos:
        raise SourceError("unsupported", "the stream has no video in it")
    usable = [stream for stream in videos if stream.codec_context is not None]
    if not usable:
        raise SourceError("unsupported", "FFmpeg has no decoder for the camera's codec; set the camera to H.264 or H.265")
    chosen = max(usable, key=lambda stream: stream.codec_context.width * stream.codec_context.height)
    for stream in container.streams:
        if stream is not chosen:
            stream.discard = Discard.all
    return chosen


def find_accelerator(wanted: str) -> Accelerator | None:
    """Give hardware that decodes; None if there is none, or none is wanted. Tried with H.264, which all have.

    Found out before anybody connects: PyAV raises only after the camera has been opened.
    """
    import av
    from av.codec import Codec
    from av.codec.hwaccel import HWAccel, hwdevices_available

    for name in _HARDWARE[wanted]:
        if name not in hwdevices_available():
            continue
        try:
            HWAccel(name).create(Codec("h264", "r"))
        except (av.error.FFmpegError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
            _log.debug("decoding by %s is not possible (%s)", name, type(error).__name__)
            continue
        return Accelerator(name, HWAccel(name, allow_software_fallback=True))
    return None
