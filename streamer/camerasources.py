"""Which source a camera of the configuration is."""

from __future__ import annotations

from streamer.config import Camera, Config
from streamer.errors import SourceError, UsageError
from streamer.packetring import PacketRing
from streamer.ports import LiveSource
from streamer.sources.credentials import password_of
from streamer.sources.network import NetworkCamera
from streamer.sources.usb import UsbCamera


def check_cameras(config: Config) -> None:
    """Check what can be known without a connection. Raises UsageError naming the camera."""
    if not config.cameras:
        raise UsageError("no cameras: name some under `cameras:` in the configuration; configs/live.yaml shows how")
    for name, camera in config.cameras.items():
        try:
            password_of(camera)
        except SourceError as error:
            raise UsageError(f"cameras.{name}: {error}") from error


def source_of(name: str, config: Camera, ring: PacketRing | None = None) -> LiveSource:
    """Give the source that fits a camera's address; ``ring`` is given its packets, if it sends any."""
    return NetworkCamera(name, config, ring=ring) if config.url is not None else UsbCamera(name, config)
