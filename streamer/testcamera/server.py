"""Cameras on one port."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import quote

from streamer.errors import UsageError
from streamer.testcamera.auth import Login
from streamer.testcamera.camera import Camera
from streamer.testcamera.clip import Clip, load_clip
from streamer.testcamera.listener import Listener
from streamer.testcamera.rtsp import Conversation
from streamer.testcamera.wire import Wire


class Talk(Protocol):
    """A conversation with a client."""

    camera: Camera | None
    """Whose the client is; None until it says so."""

    def run(self) -> None:
        """Serve until the end of the connection. Raises OSError."""


class PortServer:
    """Serves cameras on a port from when it is built until it is closed. Any thread."""

    scheme = ""

    def __init__(
        self,
        cameras: Sequence[Camera],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        login: Login | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Open the port.

        Args:
            cameras: Their names differ.
            host: Address to listen at.
            port: 0 for any that is free.
            login: Who may look; None for everybody.
            tls: With certificate and key: the port speaks TLS only (rtsps, https).

        Raises:
            UsageError: Two cameras have one name.
            OSError: The port cannot be had.
        """
        self.cameras = {camera.name: camera for camera in cameras}
        if len(self.cameras) < len(cameras):
            raise UsageError(f"cameras need names of their own: {', '.join(camera.name for camera in cameras)}")
        self._login = login
        self._secure = tls is not None
        self._talks: dict[Wire, Talk] = {}
        self._lock = threading.Lock()
        for camera in cameras:
            camera.attach(self)
        self._listener = Listener(host, port, self._serve, tls=tls, name="test camera")

    def talk(self, wire: Wire) -> Talk:
        """Begin a conversation."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The port, the one that was free if 0 was asked for."""
        return self._listener.port

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._listener.wires)

    def url_of(self, camera: Camera, *, login: bool) -> str:
        """Give a camera's address, with user and password if ``login``."""
        who = f"{quote(self._login.user, safe='')}:{quote(self._login.password, safe='')}@" if login and self._login is not None else ""
        host = f"[{self._listener.host}]" if ":" in self._listener.host else self._listener.host
        return f"{self.scheme}{'s' if self._secure else ''}://{who}{host}:{self.port}/{camera.path}"

    def hang_up(self, camera: Camera, *, reset: bool) -> None:
        """End the connections of a camera, and those that have not said whose they are."""
        with self._lock:
            wires = [wire for wire, talk in self._talks.items() if talk.camera in (camera, None)]
        for wire in wires:
            wire.hang_up(reset=reset)

    def offline(self) -> None:
        """Close the port and all connections."""
        self._listener.offline()
        for wire in self._listener.wires:
            wire.hang_up()

    def online(self) -> None:
        """Open the port again. Raises OSError if somebody else has taken it."""
        self._listener.online()

    def close(self) -> None:
        """End everything. Idempotent."""
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _serve(self, wire: Wire) -> None:
        talk = self.talk(wire)
        with self._lock:
            self._talks[wire] = talk
        try:
            talk.run()
        finally:
            with self._lock:
                del self._talks[wire]


class CameraServer(PortServer):
    """RTSP cameras under ``rtsp://host:port/NAME``."""

    scheme = "rtsp"

    def __init__(
        self,
        cameras: Sequence[Camera],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        login: Login | None = None,
        tls: ssl.SSLContext | None = None,
        udp: bool = True,
    ) -> None:
        """Open the port; see ``PortServer``. ``udp``: whether clients may have UDP; else they are told to come by TCP.

        Raises UsageError: a clip is JPEG, which is sent over HTTP only; or see ``PortServer``.
        """
        for camera in cameras:
            if camera.clip.codec == "mjpeg":
                raise UsageError(f"{camera.name}: JPEG is sent over HTTP only, not over RTSP")
        self._udp = udp
        super().__init__(cameras, host=host, port=port, login=login, tls=tls)

    def talk(self, wire: Wire) -> Talk:
        """Begin a conversation."""
        return Conversation(wire, self.cameras, self._login, udp=self._udp)


def tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """Give what a port needs to speak TLS. Raises UsageError if certificate or key cannot be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key)
    except OSError as error:
        raise UsageError(f"certificate {cert} and key {key} cannot be used: {error}") from error
    return context


class OwnPort(Camera):
    """A camera with a server of its own, from when it is built until it is closed."""

    own_server: PortServer

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return self.own_server.port

    @property
    def connections(self) -> int:
        """How many there are."""
        return self.own_server.connections

    def close(self) -> None:
        """End everything. Idempotent."""
        self.own_server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class TestCamera(OwnPort):
    """One RTSP camera: ``with TestCamera(file) as camera: ...``."""

    __test__ = False  # its name must not make pytest run it

    def __init__(
        self,
        clip: Clip | Path | Sequence[Path],
        *,
        name: str = "cam",
        loop: bool = True,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        login: Login | None = None,
        udp: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Load the clip and open the port; see ``Camera`` and ``CameraServer``. Raises SourceError, OSError."""
        super().__init__(name, clip if isinstance(clip, Clip) else load_clip(clip), loop=loop, seed=seed)
        self.own_server = CameraServer([self], host=host, port=port, login=login, tls=tls, udp=udp)
