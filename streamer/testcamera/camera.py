"""One camera: its clip, its clock, its faults, and the count of what it sent."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from typing import Protocol
from urllib.parse import quote

from streamer.testcamera.clip import Clip
from streamer.testcamera.faults import Faults
from streamer.testcamera.timeline import Timeline

_REMEMBERED = 100_000
"""Pictures whose time of sending is kept: more than an hour at 25 a second."""


class Server(Protocol):
    """What a camera needs of the server that it is attached to."""

    def url_of(self, camera: Camera, *, login: bool) -> str:
        """Give its address."""

    def hang_up(self, camera: Camera, *, reset: bool) -> None:
        """End its connections."""

    def offline(self) -> None:
        """Close the port."""

    def online(self) -> None:
        """Open the port."""


class Camera:
    """A path of a server. Any thread may read it and use its faults."""

    def __init__(self, name: str, clip: Clip, *, loop: bool = True, seed: int = 0) -> None:
        """Prepare a camera; nothing is sent before a server has it.

        Args:
            name: Its path.
            clip: What it shows, the first picture when the first client comes.
            loop: Show the clip again and again; else the connections end with it.
            seed: Of the losses and changes among the packets.
        """
        self.name = name
        self.clip = clip
        self.timeline = Timeline(clip, loop=loop, clock=time.monotonic)
        self.faults = Faults(_Lines(self))
        self.requests: deque[tuple[float, str]] = deque(maxlen=10_000)
        """(``time.monotonic()``, method) of every request, answered or not."""
        self.sent_at: dict[int, float] = {}
        """``time.monotonic()`` at the first packet of each picture to its first client, by its number from 0 on, across rounds."""
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._server: Server | None = None
        self._sent = 0
        self._skipped = 0
        self._watched = 0

    def attach(self, server: Server) -> None:
        """Become a path of a server."""
        self._server = server

    @property
    def server(self) -> Server:
        """The server that it is a path of."""
        assert self._server is not None, "the camera has no server"
        return self._server

    @property
    def path(self) -> str:
        """Its name as it stands in the URL."""
        return quote(self.name)

    @property
    def url(self) -> str:
        """Where it is, without user and password."""
        return self.server.url_of(self, login=False)

    @property
    def login_url(self) -> str:
        """Where it is, with user and password, percent-encoded."""
        return self.server.url_of(self, login=True)

    @property
    def sent(self) -> int:
        """Pictures that were sent, to all clients together."""
        return self._sent

    @property
    def skipped(self) -> int:
        """Pictures that were not sent because their client did not read fast enough."""
        return self._skipped

    @property
    def watched(self) -> int:
        """Clients that are being sent pictures."""
        return self._watched

    def new_random(self) -> random.Random:
        """Give a new client its own dice: the same for the same seed and order of clients."""
        with self._lock:
            return random.Random(self._random.getrandbits(64))  # noqa: S311 - repeatable on purpose

    def note_request(self, method: str) -> None:
        """Remember a request."""
        self.requests.append((time.monotonic(), method))

    def note_sent(self, number: int, at: float) -> None:
        """Count a picture that was sent to a client."""
        with self._lock:
            self._sent += 1
            if number not in self.sent_at:
                self.sent_at[number] = at
                self.sent_at.pop(number - _REMEMBERED, None)

    def note_skipped(self, pictures: int) -> None:
        """Count pictures that a client was too slow for."""
        with self._lock:
            self._skipped += pictures

    def note_client(self, change: int) -> None:
        """Count a client that comes (1) or goes (-1)."""
        with self._lock:
            self._watched += change


class _Lines:
    """What the faults of a camera reach for."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    def hang_up(self, *, reset: bool) -> None:
        self._camera.server.hang_up(self._camera, reset=reset)

    def offline(self) -> None:
        self._camera.server.offline()

    def online(self) -> None:
        self._camera.server.online()

    def run_at(self, rate: float) -> None:
        self._camera.timeline.run_at(rate)
