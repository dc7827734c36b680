"""A line between a client and a camera that changes bytes of all that the camera says: RTSP, SDP, framing, RTCP, RTP headers and video."""

from __future__ import annotations

import random
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

CALM_BYTES = (0, 0, 0, 200, 1500)
"""So many bytes at first are left alone: from the answer to the first request on, or only once pictures flow."""
SHARES = (1e-5, 1e-4, 1e-3, 1e-2)
"""Of the bytes, how many are changed."""


class BadLine:
    """Listens, and for each connection opens one to the camera; what happens to the n-th depends on the seed and n alone."""

    def __init__(self, port: int, *, seed: int) -> None:
        self._port = port
        self._seed = seed
        self._closing = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self._listening.getsockname()[1]}/cam"
        self.connections = 0
        self.changed = 0
        self._threads = [threading.Thread(target=self._accept, name="bad line", daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(5.0)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            camera = socket.create_connection(("127.0.0.1", self._port))
            for one in (client, camera):
                one.settimeout(0.5)
            dice = random.Random(self._seed * 1_000_003 + self.connections)  # noqa: S311 (repeatable on purpose)
            self.connections += 1
            for ends, own in (((client, camera), None), ((camera, client), dice)):
                thread = threading.Thread(target=self._pump, args=(*ends, own), name="bad line", daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, dice: random.Random | None) -> None:
        calm, share = (dice.choice(CALM_BYTES), dice.choice(SHARES)) if dice else (0, 0.0)
        with suppress(OSError):
            while not self._closing.is_set():
                try:
                    data = source.recv(65_536)
                except TimeoutError:
                    continue
                if not data:
                    break
                if dice is not None:
                    data, calm = self._spoilt(data, calm, share, dice), max(0, calm - len(data))
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        if dice is None:
            return
        source.close()
        sink.close()

    def _spoilt(self, data: bytes, calm: int, share: float, dice: random.Random) -> bytes:
        spoilt = bytearray(data)
        for _ in range(round(len(data) * share + dice.random())):
            at = dice.randrange(len(spoilt))
            if at < calm:
                continue
            self.changed += 1
            kind = dice.randrange(4)
            if kind == 0:
                spoilt[at] = dice.randrange(256)
            elif kind == 1:
                spoilt[at] ^= 1 << dice.randrange(8)
            elif kind == 2:
                del spoilt[at : at + dice.randrange(1, 9)]
            else:
                spoilt[at:at] = dice.randbytes(dice.randrange(1, 9))
            if not spoilt:
                break
        return bytes(spoilt)
