"""The conversation with one RTSP client (RFC 2326)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

from streamer.testcamera.auth import Login
from streamer.testcamera.camera import Camera
from streamer.testcamera.messages import Request, RequestParser, answer
from streamer.testcamera.rtpstream import RtpStream
from streamer.testcamera.sdp import TRACK, describe
from streamer.testcamera.sender import Sender
from streamer.testcamera.transport import Datagrams, Interleaved, Transport
from streamer.testcamera.wire import Wire

_CHANNEL_MAX = 254
_PORT_MAX = 65_535
_SESSION_TIMEOUT_S = 60
"""Announced, so that clients keep their session alive; not enforced."""


class Conversation:
    """Answers one client's requests; its pictures are sent by a thread of its own."""

    def __init__(self, wire: Wire, cameras: Mapping[str, Camera], login: Login | None, *, udp: bool) -> None:
        self.camera: Camera | None = None
        """Whose the client is; known from its first request on."""
        self._wire = wire
        self._cameras = cameras
        self._login = login
        self._udp = udp
        self._session = secrets.token_hex(4)
        self._sender: Sender | None = None
        self._playing = False
        self._methods: dict[str, Callable[[Camera, Request], bytes | None]] = {
            "DESCRIBE": self._describe,
            "SETUP": self._set_up,
            "PLAY": self._play,
            "GET_PARAMETER": self._keep_alive,
            "SET_PARAMETER": self._keep_alive,
            "TEARDOWN": self._keep_alive,
        }

    def run(self) -> None:
        """Answer until the connection ends or the client tears its session down. Raises OSError when it breaks."""
        parser = RequestParser()
        try:
            while data := self._wire.receive():
                for request in parser.feed(data):
                    self._answer(request)
                    if request.method == "TEARDOWN":
                        return
        except ValueError:
            return  # no RTSP
        finally:
            self._wire.hang_up()
            if self._sender is not None:
                self._sender.stop()

    def _answer(self, request: Request) -> None:
        camera = self._camera_of(request.url)
        if camera is not None:
            self.camera = camera
            camera.note_request(request.method)
            faults = camera.faults.state
            if faults.muted:
                return
            if faults.status is not None:
                self._wire.send(answer(request, faults.status))
                return
        if (reply := self._reply(camera, request)) is not None:
            self._wire.send(reply)

    def _reply(self, camera: Camera | None, request: Request) -> bytes | None:
        if request.method == "OPTIONS":
            return answer(request, 200, {"Public": ", ".join(["OPTIONS", *self._methods])})
        if self._login is not None and not self._login.accepts(request.method, request.headers.get("authorization", "")):
            return answer(request, 401, {"WWW-Authenticate": self._login.challenge})
        if camera is None or camera.timeline.ended:
            return answer(request, 404)
        if request.method not in self._methods:
            return answer(request, 405)
        return self._methods[request.method](camera, request)

    def _camera_of(self, url: str) -> Camera | None:
        path = unquote(urlsplit(url).path).strip("/")
        return self._cameras.get(path) or self._cameras.get(path.removesuffix(f"/{TRACK}")) or self.camera

    def _describe(self, camera: Camera, request: Request) -> bytes:
        headers = {"Content-Type": "application/sdp", "Content-Base": f"{request.url.rstrip('/')}/"}
        return answer(request, 200, headers, describe(camera.name, camera.clip))

    def _set_up(self, camera: Camera, request: Request) -> bytes:
        asked = request.headers.get("transport", "")
        if self._sender is not None:
            return answer(request, 455)
        transport, agreed = self._transport(asked)
        if transport is None:
            return answer(request, 461)
        stream = RtpStream(camera, transport)
        self._sender = Sender(camera, stream, self._wire.hang_up)
        session = f"{self._session};timeout={_SESSION_TIMEOUT_S}"
        return answer(request, 200, {"Transport": f"{agreed};ssrc={stream.source:08X}", "Session": session})

    def _transport(self, asked: str) -> tuple[Transport | None, str]:
        """Give what the client asks for, and how it is confirmed; None if it cannot be had."""
        if "RTP/AVP/TCP" in asked:
            channel = int(match[1]) if (match := re.search(r"interleaved=(\d+)", asked)) else 0
            if channel > _CHANNEL_MAX:
                return None, ""
            return Interleaved(self._wire, channel), f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
        ports = re.search(r"client_port=(\d+)-(\d+)", asked)
        if ports is None or not self._udp or not all(0 < int(port) <= _PORT_MAX for port in ports.groups()):
            return None, ""
        datagrams = Datagrams(self._wire, (int(ports[1]), int(ports[2])))
        ours = "-".join(map(str, datagrams.ports))
        return datagrams, f"RTP/AVP;unicast;client_port={ports[1]}-{ports[2]};server_port={ours}"

    def _play(self, camera: Camera, request: Request) -> bytes | None:
        if self._sender is None:
            return answer(request, 454)
        reply = answer(request, 200, {"Session": self._session, "Range": "npt=now-"})
        if self._playing:
            return reply
        self._wire.send(reply)  # before the first packet
        self._playing = True
        self._sender.start()
        return None

    def _keep_alive(self, camera: Camera, request: Request) -> bytes:
        return answer(request, 200, {"Session": self._session})
