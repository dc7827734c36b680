"""Asks a V4L2 device itself why it cannot be used: OpenCV does not say."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import NoReturn

from streamer.errors import SourceError, SourceReason

# <linux/videodev2.h>; struct v4l2_format holds pointers, so its size depends on theirs.
_FORMAT_BYTES = 208 if struct.calcsize("P") == 8 else 204
_QUERYCAP = 0x80685600
_G_FMT = 0xC0005604 | _FORMAT_BYTES << 16
_S_FMT = 0xC0005605 | _FORMAT_BYTES << 16
_TYPE_CAPTURE = 1
_CAN_CAPTURE = 0x00000001
_CAN_CAPTURE_PLANES = 0x00001000
_HAS_DEVICE_CAPS = 0x80000000

_REASONS: dict[int | None, tuple[SourceReason, str]] = {
    errno.ENOENT: ("missing", "there is no such device"),
    errno.ENOTDIR: ("missing", "there is no such device"),
    errno.ENODEV: ("gone", "the camera was pulled out"),
    errno.ENXIO: ("gone", "the camera was pulled out"),
    errno.EBUSY: ("busy", "another program uses the camera"),
    errno.EACCES: ("permission", "may not be opened; the user needs the group video"),
    errno.EPERM: ("permission", "may not be opened; the user needs the group video"),
    errno.ENOTTY: ("unsupported", "is not a video device"),
    errno.EINVAL: ("unsupported", "is not a video device"),
}


def probe(path: str, device: str) -> None:
    """See whether a camera can be opened and is free, in milliseconds.

    ``path`` is what the name ``device``, which errors tell, stands for now. Raises SourceError: missing, permission, busy, gone,
    unsupported, unavailable.
    """
    try:
        handle = _open(path)
    except OSError as error:
        _refuse(error, device)
    try:
        capabilities, own = struct.unpack_from("=84xII", fcntl.ioctl(handle, _QUERYCAP, bytes(104)))
        can = own if capabilities & _HAS_DEVICE_CAPS else capabilities
        if not can & (_CAN_CAPTURE | _CAN_CAPTURE_PLANES):
            raise SourceError("unsupported", f"{device}: gives no pictures; of a camera's several devices take the one with index0")
        if can & _CAN_CAPTURE:
            # Setting the format that is set changes nothing, but is refused while another program streams.
            fcntl.ioctl(handle, _S_FMT, fcntl.ioctl(handle, _G_FMT, struct.pack("=I", _TYPE_CAPTURE).ljust(_FORMAT_BYTES, b"\0")))
    except OSError as error:
        _refuse(error, device)
    finally:
        os.close(handle)


def raise_if_gone(device: str) -> None:
    """Tell a camera that was pulled out from one that is silent. Raises SourceError (gone)."""
    try:
        os.close(_open(os.path.realpath(device)))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            raise SourceError("gone", f"{device}: the camera was pulled out") from error


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def _refuse(error: OSError, device: str) -> NoReturn:
    reason, why = _REASONS.get(error.errno, ("unavailable", f"the driver says: {error.strerror}"))
    raise SourceError(reason, f"{device}: {why}") from error
