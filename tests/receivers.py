"""Real receivers for the tests of sinks: an HTTP server with faults, receivers of syslog, an MQTT broker."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SOON_S = 20.0


def wait_until(condition: Callable[[], Any], within_s: float = SOON_S) -> Any:
    """Wait for another thread or process; gives what the condition gives."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Web:
    """An HTTP server. ``answer`` gives the status for each request, and may wait or raise (the connection is then cut)."""

    def __init__(self, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.accepted: list[Request] = []
        """Those that were answered with 2xx."""
        self.answer: Callable[[Request], int] = lambda request: 204
        self.headers: dict[str, str] = {}
        self.body = b""
        self._context = context
        self.open: list[socket.socket] = []
        self._server: _Server | None = None
        self.port = port
        self.come()

    @property
    def url(self) -> str:
        return f"http{'s' if self._context else ''}://127.0.0.1:{self.port}/plates"

    def come(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.web = self
        if self._context is not None:
            self._server.socket = self._context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def go(self) -> None:
        """Go away: nobody listens any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            for connection in self.open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.open.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    web: Web

    def handle_error(self, *_: object) -> None:
        pass  # clients go away


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.web.open.append(self.connection)

    def do_POST(self) -> None:
        web = self.server.web
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        try:
            status = web.answer(request)
        except ConnectionError:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        web.requests.append(request)
        if 200 <= status < 300:
            web.accepted.append(request)
        self.send_response(status)
        for name, value in web.headers.items():
            self.send_header(name, value)
        answer = b"" if status == 204 else web.body
        if status != 204:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_PUT = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


class Stream:
    """A receiver of syslog over TCP or TLS, octet counting."""

    def __init__(self, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self.messages: list[bytes] = []
        self.connections = 0
        self.reads = True
        self._context = context
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []
        self.port = port
        self.come()

    def come(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not self.reads:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
            except ssl.SSLError:
                continue
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            if self.reads:
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        waiting = b""
        while True:
            try:
                part = connection.recv(65536)
            except OSError:
                return
            if not part:
                return
            waiting += part
            while b" " in waiting:
                length, _, rest = waiting.partition(b" ")
                if len(rest) < int(length):
                    break
                self.messages.append(rest[: int(length)])
                waiting = rest[int(length) :]

    def cut(self) -> None:
        """Cut the connections."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._open.clear()

    def go(self) -> None:
        """Go away."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.cut()


class Broker:
    """Mosquitto, from Debian. Skips where it is missing."""

    def __init__(self, folder: Path, settings: Sequence[str] = ("allow_anonymous true",), port: int | None = None) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
        if program is None:
            pytest.skip("needs the program mosquitto (Debian: apt-get install mosquitto)")
        self._program = program
        self.port = port or free_port()
        self._file = folder / "mosquitto.conf"
        self._file.write_text("\n".join([f"listener {self.port} 127.0.0.1", "persistence false", "user root", *settings]) + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.come()

    def come(self) -> None:
        self._process = subprocess.Popen([self._program, "-c", str(self._file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "mosquitto has ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def go(self) -> None:
        """Go away."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGSTOP:
            wait_until(lambda: " (stopped)" in Path(f"/proc/{self._process.pid}/status").read_text())


@contextmanager
def black_hole() -> Iterator[int]:
    """Give a port that takes connections, as the system does, and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])
