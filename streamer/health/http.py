"""A small HTTP server that slow or many clients cannot hold up.

One connection is one request (HTTP/1.0 on purpose). ``MAX_CLIENTS`` are served at a time, each in a thread and for a few seconds at
most; a new one takes the place of the oldest. So clients cost neither threads without end nor the answer to the next one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import math
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final

from streamer.log import redact

_log = logging.getLogger(__name__)

MAX_CLIENTS: Final = 8
CLIENT_TIMEOUT_S: Final = 5.0
"""From accepting a client to the last byte of its answer; an answer takes milliseconds."""

_ROOM_S: Final = 0.5
"""How long a client that was cut off may take to leave."""

_JSON: Final = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets."""

    status: HTTPStatus
    body: bytes
    content_type: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()


def json_answer(status: HTTPStatus, document: dict[str, Any], *headers: tuple[str, str]) -> Answer:
    """Give an answer in JSON; see ``plain``."""
    return Answer(status, json.dumps(plain(document), allow_nan=False).encode() + b"\n", headers=headers)


def plain(value: Any) -> Any:
    """Give a value as JSON can hold it: no NaN, no infinity; and without credentials in texts."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class BoundedServer(HTTPServer):
    """Accepts clients and serves each in a thread, of which there are few. GET and HEAD only."""

    request_queue_size = 128

    def __init__(
        self,
        family: socket.AddressFamily,
        address: tuple[Any, ...],
        answer: Callable[[str, str], Answer],
        token: str | None,
        client_timeout_s: float,
    ) -> None:
        """Bind.

        Args:
            family: AF_INET or AF_INET6.
            address: Of that family, as ``socket.getaddrinfo`` gives it.
            answer: Gives the answer to a path (without query) and the header ``Accept``; called in many threads.
            token: What clients must send as ``Authorization: Bearer ...``; None: anybody is served.
            client_timeout_s: How long one client may take in all.

        Raises:
            OSError: the address cannot be bound.
        """
        self.address_family = family
        self.answer = answer
        self.client_timeout_s = client_timeout_s
        self._token = None if token is None else _digest(token.encode())
        self._room = threading.BoundedSemaphore(MAX_CLIENTS)
        self._lock = threading.Lock()
        self._clients: dict[socket.socket, _Client] = {}
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's full name, which may wait for a name server."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def admits(self, authorization: str) -> bool:
        """Compare what a client sent with the token, in a time that tells nothing about it."""
        if self._token is None:
            return True
        scheme, _, sent = authorization.partition(" ")
        # http.server reads headers as latin-1.
        return scheme.lower() == "bearer" and hmac.compare_digest(_digest(sent.strip().encode("latin-1")), self._token)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a client in a thread of its own, if need be in the oldest one's place."""
        if not self._room.acquire(blocking=False):
            self._cut(oldest=True)
            if not self._room.acquire(timeout=_ROOM_S):
                self.shutdown_request(request)
                return
        thread = threading.Thread(target=self._serve, args=(request, client_address), name="health-client", daemon=True)
        with self._lock:
            self._clients[request] = _Client(time.monotonic(), thread)
        try:
            thread.start()
        except RuntimeError:  # no thread to be had; socketserver closes the connection and goes on
            self._leave(request)
            raise

    def service_actions(self) -> None:
        """Cut off those who have taken too long; called several times a second."""
        self._cut(oldest=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what socketserver would print."""
        _log.warning("a client of the health server could not be served", exc_info=True)

    def cut_all(self, timeout_s: float) -> None:
        """Cut everybody off and wait for their threads, in all for so long at most."""
        with self._lock:
            threads = [client.thread for client in self._clients.values()]
            for connection in self._clients:
                _shut(connection)
        end = time.monotonic() + timeout_s
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _serve(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError as error:
            _log.debug("a client went away: %s", error)
        finally:
            self._leave(request)
            self.shutdown_request(request)

    def _leave(self, request: socket.socket) -> None:
        with self._lock:
            del self._clients[request]
        self._room.release()

    def _cut(self, *, oldest: bool) -> None:
        """Cut off who has taken too long, or the oldest; under the lock, so that nobody closes the socket meanwhile."""
        limit = time.monotonic() - self.client_timeout_s
        with self._lock:
            for connection, client in self._clients.items():  # in the order of their coming
                if client.cut:
                    continue
                if not oldest and client.since >= limit:
                    break
                client.cut = True
                _shut(connection)
                if oldest:
                    break


@dataclass(slots=True)
class _Client:
    since: float
    thread: threading.Thread
    cut: bool = False


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        _log.debug("a client had gone already: %s", error)


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


class _Handler(BaseHTTPRequestHandler):
    """One request. HTTP/1.0 on purpose: a connection is a request."""

    server: BoundedServer

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.client_timeout_s)

    def do_GET(self) -> None:
        if not self.server.admits(self.headers.get("Authorization", "")):
            error = {"error": "this needs the header Authorization: Bearer, with the token of health.token_file or health.token_env"}
            self._reply(json_answer(HTTPStatus.UNAUTHORIZED, error, ("WWW-Authenticate", 'Bearer realm="plate-streamer"')))
            return
        self._reply(self.server.answer(self.path.partition("?")[0], self.headers.get("Accept", "")))

    do_HEAD = do_GET  # noqa: N815

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what http.server refuses; it calls methods that it does not know not implemented."""
        if code == HTTPStatus.NOT_IMPLEMENTED:
            error = {"error": "only GET and HEAD are allowed"}
            self._reply(json_answer(HTTPStatus.METHOD_NOT_ALLOWED, error, ("Allow", "GET, HEAD")))
        else:
            self._reply(json_answer(HTTPStatus(code), {"error": HTTPStatus(code).phrase}))

    def log_message(self, format: str, *args: Any) -> None:
        """No access log: scrapes come every few seconds."""

    def _reply(self, answer: Answer) -> None:
        self.send_response_only(answer.status)  # without the banner that send_response adds
        self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
