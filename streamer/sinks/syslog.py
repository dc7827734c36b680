"""Events as messages of syslog: RFC 5424 over UDP (RFC 5426), TCP with octet counting (RFC 6587) or TLS (RFC 5425).

Syslog acknowledges nothing. Over TCP and TLS a message counts as delivered when the receiver's system has acknowledged its bytes, so what
is lost is at most what a receiver that crashes had not read. Over UDP messages are lost without a word.
"""

from __future__ import annotations

import array
import fcntl
import os
import re
import select
import socket
import ssl
import termios
import time
from collections.abc import Callable, Sequence
from typing import Final

from streamer.config_sinks import SyslogSinkConfig
from streamer.errors import RefusedError, SinkError
from streamer.outgoing import Outgoing
from streamer.sinks.secret import tls_context

PORTS: Final = {"udp": 514, "tcp": 601, "tls": 6514}
LARGEST_DATAGRAM: Final = 65_507
"""Bytes: what UDP over IPv4 takes. (Receivers may take less; RFC 5426 asks for 480.)"""
_ACK_POLL_S: Final = 0.005
_LARGEST_SEQUENCE_ID: Final = 2_147_483_647
"""RFC 5424, 7.3.1."""


def message_of(event: Outgoing, config: SyslogSinkConfig, hostname: str, process: int) -> bytes:
    """Give the message of an event: its state as MSGID, its sequence number in the store as ``meta sequenceId``, its JSON as text.

    Without a byte order mark before the text (RFC 5424 allows that, 6.4): many receivers would not know it for JSON.
    """
    priority = config.facility * 8 + config.severity
    sequence_id = (event.sequence - 1) % _LARGEST_SEQUENCE_ID + 1
    header = f"<{priority}>1 {event.event['written_at']} {_printable(hostname, 255)} {config.app_name} {process}"
    return f'{header} {event.event["state"]} [meta sequenceId="{sequence_id}"] {event.payload}'.encode("utf-8", "backslashreplace")


class SyslogSink:
    """An ``outgoing.EventSink``."""

    batch = 50

    def __init__(self, name: str, config: SyslogSinkConfig, clock: Callable[[], float] = time.monotonic) -> None:
        """Take name and section of the sink; ``clock`` gives monotonic seconds. Raises UsageError: the certificates cannot be read."""
        self._config = config
        self._address = (config.host, config.port or PORTS[config.transport])
        self._tls = tls_context(name, ca_file=config.ca_file, verify=config.verify_tls) if config.transport == "tls" else None
        self._clock = clock
        self._hostname = socket.gethostname()
        self._socket: socket.socket | None = None

    @property
    def patience_s(self) -> float:
        """To connect, to send and to be acknowledged."""
        return 3 * self._config.timeout_s

    def send(self, events: Sequence[Outgoing]) -> None:
        """Send, and wait until the bytes are acknowledged (not over UDP). Raises SinkError, RefusedError."""
        messages = [message_of(event, self._config, self._hostname, os.getpid()) for event in events]
        if self._config.transport == "udp" and any(len(message) > LARGEST_DATAGRAM for message in messages):
            raise RefusedError(f"a message is longer than the {LARGEST_DATAGRAM} bytes that UDP takes: use tcp, or a template")
        try:
            connection = self._connected()
            if self._config.transport == "udp":
                for message in messages:
                    connection.send(message)
            else:
                connection.sendall(b"".join(b"%d %s" % (len(message), message) for message in messages))
                self._await_acknowledgement(connection)
        except OSError as error:
            self.close()
            host, port = self._address
            why = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
            raise SinkError(f"syslog receiver {host}:{port}: {why}") from error

    def tend(self) -> None:
        """Nothing is to be kept: a connection that was closed is made anew by the next event."""

    def close(self) -> None:
        """Let go. Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        """Give the connection, a new one if it was closed meanwhile. Raises OSError."""
        if self._socket is not None and self._config.transport != "udp" and _is_closed(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> socket.socket:
        if self._config.transport == "udp":
            family, kind, protocol, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
            datagrams = socket.socket(family, kind, protocol)
            datagrams.settimeout(self._config.timeout_s)
            datagrams.connect(address)  # so that a port where nobody listens is an error, by ICMP, at the next message
            return datagrams
        stream = socket.create_connection(self._address, timeout=self._config.timeout_s)
        if self._tls is None:
            return stream
        try:
            return self._tls.wrap_socket(stream, server_hostname=self._config.host)
        except BaseException:
            stream.close()
            raise

    def _await_acknowledgement(self, connection: socket.socket) -> None:
        """Wait until the other end's system has all bytes. Raises OSError: it has not in time, or the connection ended."""
        deadline = self._clock() + self._config.timeout_s
        while _unacknowledged(connection):
            if self._clock() >= deadline:
                raise TimeoutError
            if _is_closed(connection):
                raise ConnectionResetError(0, "the connection was closed")
            select.select([], [], [], _ACK_POLL_S)
        if _is_closed(connection):
            raise ConnectionResetError(0, "the connection was closed")


def _unacknowledged(connection: socket.socket) -> int:
    """Give the bytes in the send queue that the other end has not acknowledged (Linux: SIOCOUTQ, see tcp(7))."""
    count = array.array("i", [0])
    fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, count)
    return count[0]


def _is_closed(connection: socket.socket) -> bool:
    """Say whether the other end has closed it: receivers of syslog send nothing, so what can be read is the end (or TLS's own words)."""
    readable, _, _ = select.select([connection], [], [], 0)
    if not readable:
        return False
    timeout_s = connection.gettimeout()
    connection.setblocking(False)
    try:
        return connection.recv(4096) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(timeout_s)


def _printable(text: str, length: int) -> str:
    return re.sub(r"[^\x21-\x7e]", "?", text)[:length] or "-"
