"""Cameras that send JPEG after JPEG over HTTP (multipart/x-mixed-replace), as many old and small ones do."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streamer.testcamera.auth import Login
from streamer.testcamera.camera import Camera
from streamer.testcamera.clip import Clip, load_clip
from streamer.testcamera.faults import State
from streamer.testcamera.messages import REASONS, Request, RequestParser
from streamer.testcamera.rtpstream import spoilt
from streamer.testcamera.sender import Sender
from streamer.testcamera.server import OwnPort, PortServer, Talk
from streamer.testcamera.wire import Wire

BOUNDARY = "picture"


class JpegStream:
    """One part of the answer per picture. ``Stream`` for a sender."""

    def __init__(self, camera: Camera, wire: Wire) -> None:
        self._camera = camera
        self._wire = wire
        self._dice = camera.new_random()

    def tell(self, number: int, faults: State) -> None:
        """Nothing: this way of sending has no time stamps."""

    def send(self, index: int, faults: State) -> None:
        """Send a picture; ``loss`` leaves out whole pictures."""
        if faults.loss and self._dice.random() < faults.loss:
            return
        (jpeg,) = self._camera.clip.units[index].nals
        if faults.garbage is not None or faults.fuzz:
            jpeg = spoilt(jpeg, faults, self._dice, header_bytes=2)
        head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        self._wire.send(head.encode() + jpeg + b"\r\n")

    def end(self) -> None:
        """Close the last part."""
        self._wire.send(f"--{BOUNDARY}--\r\n".encode())

    def close(self) -> None:
        """Nothing: the connection belongs to its reader."""


class HttpConversation:
    """Answers one HTTP client: one request, and pictures until one of the two ends it."""

    def __init__(self, wire: Wire, cameras: Mapping[str, Camera], login: Login | None) -> None:
        self.camera: Camera | None = None
        self._wire = wire
        self._cameras = cameras
        self._login = login
        self._sender: Sender | None = None

    def run(self) -> None:
        """Answer until the end of the connection. Raises OSError when it breaks."""
        parser = RequestParser()
        try:
            while data := self._wire.receive():
                for request in parser.feed(data):
                    if not self._answer(request):
                        return
        except ValueError:
            return  # no HTTP
        finally:
            self._wire.hang_up()
            if self._sender is not None:
                self._sender.stop()

    def _answer(self, request: Request) -> bool:
        """Answer; False if the connection is to end with it."""
        if self._sender is not None:
            return True  # a second request: its answer would stand behind the first one's, which has no end
        camera = self.camera = self._cameras.get(unquote(urlsplit(request.url).path).strip("/"))
        if camera is not None:
            camera.note_request(request.method)
            if camera.faults.state.muted:
                return True
        status = self._status(camera, request)
        if status != 200 or camera is None:
            challenge = {"WWW-Authenticate": self._login.challenge} if status == 401 and self._login is not None else {}
            self._wire.send(_head(status, {**challenge, "Content-Length": "0"}))
            return False
        self._wire.send(_head(status, {"Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}", "Cache-Control": "no-store"}))
        self._sender = Sender(camera, JpegStream(camera, self._wire), self._wire.hang_up)
        self._sender.start()
        return True

    def _status(self, camera: Camera | None, request: Request) -> int:
        if camera is not None and (forced := camera.faults.state.status) is not None:
            return forced
        if self._login is not None and not self._login.accepts(request.method, request.headers.get("authorization", "")):
            return 401
        if camera is None or camera.timeline.ended:
            return 404
        return 200 if request.method == "GET" else 405


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.0 {status} {REASONS.get(status, 'Error')}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


class MjpegServer(PortServer):
    """MJPEG cameras under ``http://host:port/NAME``; their clips are loaded with ``codec="mjpeg"``."""

    scheme = "http"

    def talk(self, wire: Wire) -> Talk:
        """Begin a conversation."""
        return HttpConversation(wire, self.cameras, self._login)


class MjpegCamera(OwnPort):
    """One MJPEG camera: ``with MjpegCamera(file) as camera: ...``."""

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
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Load the clip and open the port; see ``Camera`` and ``MjpegServer``. Raises SourceError, OSError."""
        loaded = clip if isinstance(clip, Clip) else load_clip(clip, codec="mjpeg")
        super().__init__(name, loaded, loop=loop, seed=seed)
        self.own_server = MjpegServer([self], host=host, port=port, login=login, tls=tls)
