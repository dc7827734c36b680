"""Connections that one thread reads and others write, plain or TLS, and that any thread may end."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading

_POLL_MS = 250
"""How late an ended connection is noticed at worst; mostly the end of it wakes the waiting thread at once."""

_LINGER_RESET = struct.pack("ii", 1, 0)
"""struct linger: closing throws away what is unsent and sends RST."""


class Wire:
    """A connection. The thread that reads it also closes it; any thread may write or end it.

    The socket does not block, so that reading and writing can take turns: OpenSSL allows one call at a time.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._turn = threading.Lock()
        self._sending = threading.Lock()
        self._ended = threading.Event()
        self.here: tuple[str, int] = connection.getsockname()[:2]
        self.there: tuple[str, int] = connection.getpeername()[:2]
        self.family = connection.family

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Shake hands as the server. Raises OSError."""
        with self._turn:
            self._socket = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        shake_hands = self._socket.do_handshake
        while not self._ended.is_set():
            try:
                with self._turn:
                    return shake_hands()
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT)
        raise ConnectionAbortedError("ended while shaking hands")

    def receive(self) -> bytes:
        """Wait for some bytes; none at the end of the connection."""
        while not self._ended.is_set():
            try:
                with self._turn:
                    return self._socket.recv(65_536)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(select.POLLIN)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT)
            except OSError:
                break
        return b""

    def send(self, data: bytes) -> None:
        """Send all of it, however long the other side takes. Raises OSError if the connection ends meanwhile."""
        view = memoryview(data)
        with self._sending:
            while view:
                if self._ended.is_set():
                    raise ConnectionAbortedError("the connection has ended")
                try:
                    with self._turn:
                        view = view[self._socket.send(view) :]
                except (BlockingIOError, ssl.SSLWantWriteError):
                    self._wait(select.POLLOUT)
                except ssl.SSLWantReadError:
                    self._wait(select.POLLIN)

    def hang_up(self, *, reset: bool = False) -> None:
        """End the connection, with FIN or with RST. Any thread; the reading thread still has to close it."""
        with self._turn:
            if self._ended.is_set():
                return
            self._ended.set()
            try:
                if reset:
                    self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
                # With only the reading half shut, nothing is sent before the reading thread closes it: then goes the RST.
                # Not the method of an SSLSocket, which forgets its TLS state under the feet of the other threads.
                socket.socket.shutdown(self._socket, socket.SHUT_RD if reset else socket.SHUT_RDWR)
            except OSError:
                return  # the other side was faster

    def close(self) -> None:
        """Release the socket. In the reading thread, after those that write have ended."""
        with self._turn:
            self._ended.set()
            self._socket.close()

    def _wait(self, what: int) -> None:
        poll = select.poll()
        poll.register(self._socket, what)
        poll.poll(_POLL_MS)
