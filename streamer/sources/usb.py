"""USB cameras (V4L2, Linux) through OpenCV, whose reads are bounded by a select() with a time-out; FFmpeg's are not.

Call ``prepare_environment`` in the main thread, before other threads run.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from logging import getLogger
from typing import TYPE_CHECKING

import numpy as np

from streamer.errors import SourceError
from streamer.ports import LivePicture, Luma, StreamFacts
from streamer.sources import rawpictures as pictures
from streamer.sources.rawpictures import Raw
from streamer.sources.v4l2 import probe, raise_if_gone
from streamer.types import Image

if TYPE_CHECKING:
    import cv2

    from streamer.config import Camera

_log = getLogger(__name__)

SELECT_TIMEOUT = "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"
"""Whole seconds that OpenCV waits for a picture; 10 if it is not set. OpenCV reads it once in a process: at its first wait."""
SLICE_S = 1
"""What it is set to: longer time-outs are several such waits, between which ``interrupt`` is seen."""
_OPENCV_DEFAULT_S = 10

_BUFFERS = 2
"""One fills while the other is read. With a single one a camera has nowhere to put every second picture, and OpenCV, which gives a
raw picture's buffer back before it copies it (cap_v4l.cpp, retrieveFrame), would hand out pictures that are being overwritten. The
reading thread always waits for the next picture, so a second buffer makes nothing late."""
_USB2_BYTES_S = 24_576_000
"""What USB 2 carries of a camera at most: 3 packets of 1024 bytes in each of 8000 microframes a second."""
_DEFAULT = (640, 480, 30.0)
"""Width, height and rate that OpenCV asks for by itself."""
_RETRY_S = 0.05
_FAILURES = 10
"""So many reads in a row that fail at once, not by a time-out: the driver has given up on this handle."""


def prepare_environment() -> None:
    """Bound OpenCV's waits for USB cameras, and silence the lines it prints about them itself.

    Before the first USB camera is read, and before threads run, because the C library's environment is not theirs to change. A value
    that the user has set stays.
    """
    os.environ.setdefault(SELECT_TIMEOUT, str(SLICE_S))
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # read when cv2 is imported


def _select_timeout_s() -> int:
    text = os.environ.get(SELECT_TIMEOUT, "")
    return int(text) if text.isdecimal() and int(text) > 0 else _OPENCV_DEFAULT_S


@dataclass(frozen=True, slots=True)
class Granted:
    """What a camera gives, which need not be what it was asked for."""

    codec: str
    """Pixel format, for example ``yuyv`` or ``mjpg``."""
    width: int
    height: int
    fps: float
    raw: bool
    """Pictures come as the camera sends them; else OpenCV has made them BGR."""

    def __str__(self) -> str:
        return f"{self.codec} {self.width}x{self.height} at {self.fps:g} a second"


class UsbCamera:
    """One connection to a USB camera (ports.LiveSource). Its link is resolved at every ``open``: device numbers change.

    ``stamp_s`` is the kernel's, usually of the clock that ``time.monotonic`` reads; ``exposed`` is never known. ``read`` returns within
    the configured time-out and one wait of OpenCV (a second) more; ``interrupt`` is seen within one wait. ``open`` asks the driver, which
    answers at once or within the kernel's own time-outs (5 s for USB), and cannot be interrupted meanwhile.
    """

    def __init__(self, source_id: str, config: Camera, clock: Callable[[], float] = time.monotonic) -> None:
        """``config.device`` must be set; ``clock`` is the one of time-outs and of ``arrived_at``, seconds."""
        assert config.device is not None
        self._name = source_id
        self._config = config
        self._device = config.device
        self._clock = clock
        self._interrupted = threading.Event()
        self._capture: cv2.VideoCapture | None = None
        self._granted: Granted | None = None
        self._told: Granted | None = None
        self._stamp_s: float | None = None
        self._first = True
        self._warned: set[str] = set()
        self._facts = StreamFacts(address=config.device)

    @property
    def facts(self) -> StreamFacts:
        """What is known about the stream so far. Any thread."""
        return self._facts

    def open(self) -> None:
        """Find the device, ask for what is configured, and see what is granted. Raises SourceError.

        Reasons: missing, permission, busy, gone, unsupported (no camera, or no pixel format that OpenCV knows).
        """
        import cv2

        self.close()
        self._check_interrupted()
        wait_s = _select_timeout_s()
        if wait_s > self._config.read_timeout_s and wait_s > SLICE_S:
            self._warn("a stall is noticed after %d s only: %s is %s", wait_s, SELECT_TIMEOUT, os.environ.get(SELECT_TIMEOUT, "not set"))
        path = os.path.realpath(self._device)
        probe(path, self._device)
        capture = cv2.VideoCapture(path, cv2.CAP_V4L2)
        if not capture.isOpened():
            probe(path, self._device)
            raise SourceError("unsupported", f"{self._device}: OpenCV knows none of its pixel formats")
        self._capture = capture
        self._granted = granted = self._negotiate(capture)
        self._stamp_s = None
        self._first = True
        self._facts = replace(
            self._facts,
            codec=granted.codec,
            width=granted.width,
            height=granted.height,
            fps=granted.fps,
            decoder="software" if granted.codec == "mjpg" else None,
        )
        if granted != self._told:
            self._told = granted
            _log.info("camera %s: %s gives %s", self._name, path, granted, extra={"camera": self._name})

    def read(self) -> LivePicture | None:
        """Wait for the next picture. Raises SourceError: timeout (none came in time), gone, or interrupted (reason ``unavailable``)."""
        limit_s = self._config.first_frame_timeout_s if self._first else self._config.read_timeout_s
        deadline = self._clock() + limit_s
        failures = 0
        while True:
            self._check_interrupted()
            began = self._clock()
            picture = self._grab()
            if picture is not None:
                self._first = False
                return picture
            raise_if_gone(self._device)
            took_s = self._clock() - began
            if self._clock() >= deadline:
                raise SourceError("timeout", f"{self._device}: no picture for {limit_s:g} s")
            at_once = took_s < SLICE_S / 2
            failures = failures + 1 if at_once else 0
            if failures >= _FAILURES:
                raise SourceError("gone", f"{self._device}: the driver gives no more pictures")
            if at_once:
                self._interrupted.wait(_RETRY_S)
            elif took_s > 2 * max(SLICE_S, _select_timeout_s()):
                self._warn("OpenCV waited %.0f s for a picture, not %d: it had read %s before", took_s, _select_timeout_s(), SELECT_TIMEOUT)

    def decode_key_frames_only(self, wanted: bool) -> None:
        """Change nothing: every picture stands for itself, and is converted only if somebody takes it."""

    def interrupt(self) -> None:
        """Make ``read`` return within a wait of OpenCV; from now on ``open`` and ``read`` raise SourceError. Any thread, any state."""
        self._interrupted.set()

    def close(self) -> None:
        """Release the device. Idempotent; in the reading thread only."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def _check_interrupted(self) -> None:
        if self._interrupted.is_set():
            raise SourceError("unavailable", f"{self._device}: interrupted")

    def _warn(self, message: str, *arguments: object) -> None:
        """Log a degraded mode, once."""
        if message not in self._warned:
            self._warned.add(message)
            _log.warning("camera %s: " + message, self._name, *arguments, extra={"camera": self._name})

    def _negotiate(self, capture: cv2.VideoCapture) -> Granted:
        import cv2

        config = self._config
        width, height, fps = (given or usual for given, usual in zip((config.width, config.height, config.fps), _DEFAULT, strict=True))
        wanted = config.format
        if wanted == "auto" and width * height * 2 * fps > _USB2_BYTES_S:
            wanted = "mjpg"
        if wanted != "auto":
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*{"mjpg": "MJPG", "yuyv": "YUYV"}[wanted]))
        if config.width or config.height:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        if config.fps:
            capture.set(cv2.CAP_PROP_FPS, fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, _BUFFERS)
        codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("ascii", "replace").strip("\0 ").lower()
        codec = "mjpg" if codec == "jpeg" else codec
        raw = codec in ("yuyv", "mjpg")
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0 if raw else 1)  # no conversion of pictures that nobody takes
        size = (int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
        return Granted(codec, *size, fps=max(0.0, capture.get(cv2.CAP_PROP_FPS)), raw=raw)

    def _grab(self) -> LivePicture | None:
        """Wait for a new picture; None if none came."""
        import cv2

        assert self._capture is not None, "open() comes first"
        assert self._granted is not None
        began = self._clock()
        if not self._capture.grab():
            return None
        arrived_at, arrived = self._clock(), datetime.now(UTC)
        stamp_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0 or None
        if stamp_s is not None and stamp_s == self._stamp_s and arrived_at - began >= 0.9 * _select_timeout_s():
            return None  # some versions of OpenCV call a time-out a success and give the old picture again (its issue 10927)
        got, data = self._capture.retrieve()
        if not got:
            return None
        self._stamp_s = stamp_s
        self._facts = replace(self._facts, packets=self._facts.packets + 1, bytes_read=self._facts.bytes_read + data.nbytes)
        return _picture(np.asarray(data, np.uint8), self._granted, stamp_s, arrived_at, arrived)


def _picture(data: Raw, granted: Granted, stamp_s: float | None, arrived_at: float, arrived: datetime) -> LivePicture:
    whole = True
    size = (granted.width, granted.height)
    luma: Callable[[], Luma]
    convert: Callable[[], Image]
    if not granted.raw:
        size = (data.shape[1], data.shape[0])
        luma, convert = partial(pictures.bgr_luma, data), lambda: data
    elif granted.codec == "mjpg":
        data = data.reshape(-1)
        whole = pictures.whole_jpeg(data)
        luma, convert = partial(pictures.jpeg_luma, data), partial(pictures.jpeg_bgr, data)
    else:
        data, whole = pictures.unpack_yuyv(data, *size)
        luma, convert = partial(pictures.yuyv_luma, data), partial(pictures.yuyv_bgr, data)
    return LivePicture(stamp_s, arrived_at, arrived, None, not whole, size, luma, convert)
