"""Events to NATS JetStream, acknowledged by it; its server leaves out what comes again within its window (``Nats-Msg-Id``).

The client library for Python is for asyncio only; of the protocol (https://docs.nats.io/reference/reference-protocols/nats-protocol) a
publisher needs so little that it stands here.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from streamer.config_sinks import NatsSinkConfig
from streamer.errors import RefusedError, SinkError
from streamer.outgoing import Outgoing
from streamer.sinks.secret import secret_of, tls_context

_TOO_LARGE: Final = 10054
"""JetStream's error code: message size exceeds the maximum of the stream."""
_LONGEST_LINE: Final = 65_536


class NatsSink:
    """An ``outgoing.EventSink``: publishes to SUBJECT.CAMERA."""

    batch: Final = 50

    def __init__(self, name: str, config: NatsSinkConfig, clock: Callable[[], float] = time.monotonic) -> None:
        """Take name and section of the sink. Raises UsageError: secrets or certificates cannot be had."""
        self._config = config
        self._where = f"NATS {config.host}:{config.port}"
        self._login = {"user": config.user, "pass": secret_of(config, "password", name), "auth_token": secret_of(config, "token", name)}
        self._tls = tls_context(name, ca_file=config.ca_file, verify=config.verify_tls) if config.tls else None
        self._clock = clock
        self._connection: Connection | None = None

    @property
    def patience_s(self) -> float:
        """To connect, for TLS, and for the acknowledgements."""
        return 4 * self._config.timeout_s

    def send(self, events: Sequence[Outgoing]) -> None:
        """Publish, and wait for JetStream's acknowledgement of each. Raises SinkError, RefusedError."""
        try:
            connection = self._connected()
            bodies = [event.payload.encode("utf-8", "backslashreplace") for event in events]
            if any(len(body) > connection.largest for body in bodies):
                raise RefusedError(f"{self._where} takes no more than {connection.largest} bytes at once")
            answers = connection.request(
                [(self._subject(event), {"Nats-Msg-Id": event.key}, body) for event, body in zip(events, bodies, strict=True)]
            )
        except (OSError, ValueError) as error:
            self.close()
            why = "no answer in time" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or str(error)
            raise SinkError(f"{self._where}: {why}") from error
        for answer in answers:
            self._judge(answer)

    def tend(self) -> None:
        """Answer what the server asks; a connection that was closed is made anew by the next event."""
        if self._connection is not None and not self._connection.is_alive():
            self.close()

    def close(self) -> None:
        """Let go. Idempotent."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is not None and not self._connection.is_alive():
            self.close()
        if self._connection is None:
            login = {key: value for key, value in self._login.items() if value is not None}
            self._connection = Connection(self._config.host, self._config.port, login, self._tls, self._config.timeout_s, self._clock)
        return self._connection

    def _subject(self, event: Outgoing) -> str:
        return f"{self._config.subject}.{re.sub(r'[^A-Za-z0-9_-]', '_', str(event.event['source']))}"

    def _judge(self, answer: dict[str, Any] | None) -> None:
        if answer is None:
            raise SinkError(
                f"{self._where}: no stream takes {self._config.subject}.*: make one, nats stream add --subjects '{self._config.subject}.>'"
            )
        error = answer.get("error")
        if error is not None:
            said = f"{self._where}: {error.get('description')} ({error.get('err_code')})"
            raise RefusedError(said) if error.get("err_code") == _TOO_LARGE else SinkError(said)


class Connection:
    """One connection to a server of NATS: requests and their answers. For one thread. All methods raise OSError or ValueError."""

    def __init__(
        self, host: str, port: int, login: dict[str, str], tls: ssl.SSLContext | None, timeout_s: float, clock: Callable[[], float]
    ) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._buffer = b""
        self._count = 0
        self._inbox = f"_INBOX.{secrets.token_hex(11)}"
        self._socket: socket.socket = socket.create_connection((host, port), timeout=timeout_s)
        try:
            info = self._expect_info(clock() + timeout_s)
            if tls is not None:
                self._socket = tls.wrap_socket(self._socket, server_hostname=host)
            elif info.get("tls_required"):
                raise ValueError("the server wants TLS: set tls")
            self.largest = int(info.get("max_payload", 1 << 20))
            """Bytes of a message, at most."""
            hello = {"verbose": False, "pedantic": False, "lang": "python", "version": "1", "name": "plate-streamer"}
            hello |= {"headers": True, "no_responders": True, **login}
            self._write(f"CONNECT {json.dumps(hello)}\r\nSUB {self._inbox}.* 1\r\nPING\r\n".encode())
            while self._next_line(clock() + timeout_s) != "PONG":
                pass
        except BaseException:
            self.close()
            raise

    def request(self, messages: Sequence[tuple[str, dict[str, str], bytes]]) -> list[dict[str, Any] | None]:
        """Publish (subject, headers, body) and give the answers, None where nobody takes the subject."""
        waiting: dict[str, int] = {}
        parts = []
        for number, (subject, headers, body) in enumerate(messages):
            self._count += 1
            inbox = f"{self._inbox}.{self._count}"
            waiting[inbox] = number
            head = ("NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode()
            parts.append(f"HPUB {subject} {inbox} {len(head)} {len(head) + len(body)}\r\n".encode() + head + body + b"\r\n")
        self._write(b"".join(parts))
        answers: list[dict[str, Any] | None] = [None] * len(messages)
        deadline = self._clock() + self._timeout_s
        while waiting:
            words = self._next_line(deadline).split()
            if words[:1] in (["MSG"], ["HMSG"]):
                body = self._exactly(int(words[-1]) + 2, deadline)[:-2]
                head_length = int(words[-2]) if words[0] == "HMSG" else 0
                number = waiting.pop(words[1], -1)
                if number >= 0:
                    answers[number] = None if body.startswith(b"NATS/1.0 503") else json.loads(body[head_length:])
        return answers

    def is_alive(self) -> bool:
        """Say whether the server still holds it; answers its questions meanwhile."""
        self._socket.settimeout(0.0)
        try:
            part = self._socket.recv(_LONGEST_LINE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        self._buffer += part
        if b"PING\r\n" in self._buffer:
            self._buffer = self._buffer.replace(b"PING\r\n", b"")
            self._write(b"PONG\r\n")
        return bool(part)

    def close(self) -> None:
        """Let go."""
        self._socket.close()

    def _expect_info(self, deadline: float) -> dict[str, Any]:
        line = self._next_line(deadline)
        if not line.startswith("INFO "):
            raise ValueError("what answers there is no NATS")
        info: dict[str, Any] = json.loads(line[5:])
        return info

    def _next_line(self, deadline: float) -> str:
        """Give the next line that is not a question or a note of the server."""
        while True:
            while b"\r\n" not in self._buffer:
                if len(self._buffer) > _LONGEST_LINE:
                    raise ValueError("what answers there is no NATS")
                self._read(deadline)
            raw, _, self._buffer = self._buffer.partition(b"\r\n")
            line = raw.decode("utf-8", "replace")
            if line == "PING":
                self._write(b"PONG\r\n")
            elif line.startswith("-ERR"):
                raise ValueError(f"the server says: {line[4:].strip()}")
            elif line != "+OK":
                return line

    def _exactly(self, length: int, deadline: float) -> bytes:
        while len(self._buffer) < length:
            self._read(deadline)
        found, self._buffer = self._buffer[:length], self._buffer[length:]
        return found

    def _read(self, deadline: float) -> None:
        left_s = deadline - self._clock()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s)
        part = self._socket.recv(_LONGEST_LINE)
        if not part:
            raise ConnectionResetError(0, "the connection was closed")
        self._buffer += part

    def _write(self, text: bytes) -> None:
        self._socket.settimeout(self._timeout_s)
        self._socket.sendall(text)
