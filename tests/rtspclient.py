"""Clients for tests of what a camera sends: FFmpeg, and one that shows the bare packets."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import av

from tests.make_clips import number_of


@dataclass(frozen=True, slots=True)
class Rtp:
    """An RTP packet."""

    sequence: int
    stamp: int
    source: int
    marker: bool
    payload: bytes


@dataclass(frozen=True, slots=True)
class Report:
    """A sender report."""

    unix_s: float
    stamp: int
    packets: int
    octets: int


def rtp_of(packet: bytes) -> Rtp:
    first, second, sequence, stamp, source = struct.unpack_from(">BBHII", packet)
    assert first == 0x80, "version 2, no padding, extension or contributing sources"
    assert second & 127 == 96
    return Rtp(sequence, stamp, source, bool(second >> 7), packet[12:])


def report_of(packet: bytes) -> Report:
    _, kind, _, _, whole, part, stamp, packets, octets = struct.unpack_from(">BBHIIIIII", packet)
    assert kind == 200
    return Report(whole - 2_208_988_800 + part / 2**32, stamp, packets, octets)


class RtspClient:
    """Speaks RTSP over TCP, interleaved. A camera that sends nothing makes it raise TimeoutError."""

    def __init__(self, url: str, *, timeout_s: float = 2.0, receive_buffer: int | None = None) -> None:
        parts = urlsplit(url)
        self._url = url
        self._number = 0
        self._rest = b""
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout_s)
        self.socket.connect((parts.hostname, parts.port))

    def ask(self, method: str, path: str = "", **headers: str) -> tuple[int, str]:
        """Give (status, head and body) of the answer."""
        self.tell(method, path, **headers)
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        while length is not None and len(self._rest) < int(length[1]):
            self._receive()
        body, self._rest = self._rest[: int(length[1])] if length else b"", self._rest[int(length[1]) if length else 0 :]
        return int(head.split(b" ")[1]), (head + b"\r\n\r\n" + body).decode()

    def tell(self, method: str, path: str = "", **headers: str) -> None:
        """Send a request."""
        self._number += 1
        lines = [f"{method} {self._url}{path} RTSP/1.0", f"CSeq: {self._number}", *(f"{name}: {value}" for name, value in headers.items())]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def play(self) -> Self:
        """Begin to be sent pictures."""
        assert self.ask("SETUP", "/track1", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")[0] == 200
        assert self.ask("PLAY")[0] == 200
        return self

    def packets(self) -> Iterator[tuple[int, bytes]]:
        """Give (channel, packet) until the camera ends the connection."""
        while True:
            while len(self._rest) < 4 or len(self._rest) < 4 + int.from_bytes(self._rest[2:4], "big"):
                if not self._receive():
                    return
            assert self._rest[:1] == b"$"
            length = 4 + int.from_bytes(self._rest[2:4], "big")
            packet, self._rest = self._rest[:length], self._rest[length:]
            yield packet[1], packet[4:]

    def rtp(self) -> Iterator[Rtp]:
        """Give the RTP packets."""
        return (rtp_of(packet) for channel, packet in self.packets() if channel == 0)

    def rtcp(self) -> Iterator[bytes]:
        """Give the RTCP packets."""
        return (packet for channel, packet in self.packets() if channel == 1)

    def _receive(self) -> bool:
        data = self.socket.recv(1 << 16)
        self._rest += data
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()


def numbers(url: str, count: int, *, timeout_s: float = 3.0, **options: str) -> list[int]:
    """What a client sees."""
    return [number for number, _, _ in seen(url, count, timeout_s=timeout_s, **options)]


def seen(url: str, count: int, *, timeout_s: float = 3.0, **options: str) -> list[tuple[int, int | None, float]]:
    """(number, time stamp, ``time.monotonic()``) of the first pictures that a client sees."""
    rtsp = {"fpsprobesize": "0", "rtsp_transport": "tcp"} if url.startswith("rtsp") else {}
    with av.open(url, options=rtsp | options, timeout=(timeout_s, timeout_s)) as container:
        return [
            (number_of(frame.to_ndarray(format="bgr24")), frame.pts, time.monotonic()) for frame in islice(container.decode(video=0), count)
        ]


def wait_until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
