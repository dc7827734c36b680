"""A listening port with one thread per connection; it can be closed and opened again while running."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable

from streamer.testcamera.wire import Wire

logger = logging.getLogger(__name__)

_BACKLOG = 64

_RETRY_S = 0.05
"""After a connection could not be accepted: without free descriptors, accept fails at once, again and again."""


class Listener:
    """Accepts connections and serves each in a thread of its own. Any thread."""

    def __init__(self, host: str, port: int, serve: Callable[[Wire], None], *, tls: ssl.SSLContext | None = None, name: str) -> None:
        """Open the port.

        Args:
            host: Address to listen at.
            port: 0 for any that is free; it is kept when the port is closed and opened again.
            serve: Serves one connection until it ends; the listener closes it afterwards.
            tls: With certificate and key, for a port that speaks TLS only.
            name: Of the threads.

        Raises:
            OSError: The port cannot be had.
        """
        self.host = host
        self.port = port
        self._serve = serve
        self._tls = tls
        self._name = name
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._wires: set[Wire] = set()
        self._threads: set[threading.Thread] = set()
        self.online()

    def online(self) -> None:
        """Open the port, unless it is open. Raises OSError."""
        with self._lock:
            if self._socket is not None:
                return
            listening = socket.create_server((self.host, self.port), family=_family(self.host), backlog=_BACKLOG)
            self.port = listening.getsockname()[1]
            self._socket = listening
            self._accepting = self._start(self._accept, listening)

    def offline(self) -> None:
        """Close the port: further clients are refused. Those that are connected stay."""
        with self._lock:
            listening, self._socket = self._socket, None
            accepting = self._accepting
        if listening is not None and accepting is not None:
            listening.shutdown(socket.SHUT_RDWR)  # wakes accept, whose thread closes it
            accepting.join()

    @property
    def wires(self) -> tuple[Wire, ...]:
        """The connections."""
        with self._lock:
            return tuple(self._wires)

    def close(self, timeout_s: float = 1.0) -> None:
        """Close the port, end the connections and wait for their threads. Idempotent."""
        self.offline()
        for wire in self.wires:
            wire.hang_up()
        deadline = time.monotonic() + timeout_s
        with self._lock:
            threads = tuple(self._threads)
        _join(threads, deadline)

    def _start(self, target: Callable[..., None], argument: object) -> threading.Thread:
        thread = threading.Thread(target=self._run, args=(target, argument), name=f"{self._name} {target.__name__}", daemon=True)
        self._threads.add(thread)
        thread.start()
        return thread

    def _run(self, target: Callable[..., None], argument: object) -> None:
        try:
            target(argument)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _accept(self, listening: socket.socket) -> None:
        with listening:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError as error:
                    if self._socket is not listening:
                        return
                    logger.warning("a connection cannot be accepted: %s", error)
                    time.sleep(_RETRY_S)
                    continue
                try:
                    wire = Wire(connection)
                except OSError as error:
                    logger.debug("a client was gone before it was served: %s", error)
                    connection.close()
                    continue
                with self._lock:
                    self._wires.add(wire)
                    if self._socket is not listening:
                        wire.hang_up()
                    self._start(self._handle, wire)

    def _handle(self, wire: Wire) -> None:
        try:
            if self._tls is not None:
                wire.start_tls(self._tls)
            self._serve(wire)
        except OSError as error:
            logger.debug("connection ended: %s", error)
        finally:
            wire.close()
            with self._lock:
                self._wires.discard(wire)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _join(threads: Iterable[threading.Thread], deadline: float) -> None:
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                logger.warning("the thread %r of the test camera has not ended in time", thread.name)
