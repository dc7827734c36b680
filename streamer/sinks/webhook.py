"""A request for each event. Signed as in Standard Webhooks 1.0 (standardwebhooks.com), for which libraries exist in most languages.

The headers ``webhook-id`` and ``Idempotency-Key`` hold the key of the revision, the same at every attempt. With a secret,
``webhook-signature`` is ``v1,`` and the base64 of HMAC-SHA256 over ``<webhook-id>.<webhook-timestamp>.<body>``. The time stamp (Unix
seconds) is of the attempt, so that a receiver can refuse what somebody sends again much later.
"""

from __future__ import annotations

import base64
import binascii
import email.utils
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from streamer.config_sinks import WebhookSinkConfig
from streamer.errors import MissingPackageError, RefusedError, SinkError, UsageError
from streamer.outgoing import Outgoing
from streamer.sinks.secret import secret_of, tls_context

try:
    import httpx
except ModuleNotFoundError as error:
    raise MissingPackageError("sinks of the type webhook need httpx: pip install 'plate-streamer[webhook]'") from error

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 (what keys begin with)
_NOT_ABOUT_THE_EVENT: Final = frozenset({401, 403, 407, 408, 421, 425, 426, 429})
"""Client errors that are no refusal of what was sent: wrong credentials, too early, too much. The same may be taken later."""
_LARGEST_ANSWER: Final = 65_536
"""Bytes that are read of an answer, so that its connection can be used again."""


def key_of(secret: str) -> bytes:
    """Give the key that a secret stands for: base64 behind ``whsec_``, else its own bytes. Raises ValueError."""
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"what follows {SECRET_PREFIX} is no base64") from None


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Give the value of ``webhook-signature``."""
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()


class WebhookSink:
    """An ``outgoing.EventSink``: one request for each event, taken when the answer is 2xx."""

    batch = 1

    def __init__(self, name: str, config: WebhookSinkConfig, wall: Callable[[], float] = time.time) -> None:
        """Take name and section of the sink; ``wall`` gives Unix seconds. Raises UsageError: secrets or certificates cannot be had."""
        self._config = config
        self._wall = wall
        self._host = urlsplit(config.url).hostname or ""
        secret = secret_of(config, "secret", name)
        try:
            self._key = key_of(secret) if secret is not None else None
        except ValueError as error:
            raise UsageError(f"sinks.{name}.secret: {error}") from None
        self._headers = {"Content-Type": "application/json", "User-Agent": "plate-streamer", **config.headers}
        token = secret_of(config, "token", name)
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._tls = tls_context(name, ca_file=config.ca_file, verify=config.verify_tls)
        self._client: httpx.Client | None = None

    @property
    def patience_s(self) -> float:
        """To connect, to send, and for the answer's head and body."""
        return 4 * self._config.timeout_s

    def send(self, events: Sequence[Outgoing]) -> None:
        """Send each in a request of its own. Raises SinkError, RefusedError."""
        for event in events:
            self._send(event)

    def tend(self) -> None:
        """Nothing is to be kept."""

    def close(self) -> None:
        """Let go. Idempotent."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _send(self, event: Outgoing) -> None:
        if self._client is None:
            # Redirects are not followed: the signature is for this receiver.
            self._client = httpx.Client(timeout=self._config.timeout_s, verify=self._tls, follow_redirects=False)
        body = event.payload.encode("utf-8", "backslashreplace")
        headers = self._headers | self._headers_of(event, body)
        try:
            with self._client.stream(self._config.method, self._config.url, content=body, headers=headers) as answer:
                self._read_to_its_end(answer)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self.close()
            raise SinkError(f"{self._host}: {_words(error)}") from error
        self._judge(answer.status_code, answer.headers)

    def _headers_of(self, event: Outgoing, body: bytes) -> dict[str, str]:
        now = int(self._wall())
        headers = {"Idempotency-Key": event.key, "webhook-id": event.key, "webhook-timestamp": str(now)}
        if self._key is not None:
            headers["webhook-signature"] = signature(self._key, event.key, now, body)
        return headers

    def _read_to_its_end(self, answer: httpx.Response) -> None:
        deadline, read = time.monotonic() + self._config.timeout_s, 0
        for part in answer.iter_raw():
            read += len(part)
            if read > _LARGEST_ANSWER or time.monotonic() > deadline:
                return  # the status is known; httpx closes the connection

    def _judge(self, status: int, headers: Mapping[str, str]) -> None:
        """Raise what an answer means; what the receiver said beside the status is not kept, for it may hold the plate."""
        if 200 <= status < 300:
            return
        said = f"{self._host} answers {status}{_phrase(status)}"
        if 400 <= status < 500 and status not in _NOT_ABOUT_THE_EVENT:
            raise RefusedError(said)
        if 300 <= status < 400:
            said += ": redirects are not followed; set url to the address itself"
        raise SinkError(said, retry_after_s=_retry_after_s(headers.get("Retry-After"), self._wall()))


def _retry_after_s(text: str | None, now: float) -> float | None:
    """Read a ``Retry-After``: seconds or a date. None if there is none, or it is neither."""
    if text is None:
        return None
    if re.fullmatch("[0-9]{1,9}", text.strip()):
        return float(text)
    try:
        return max(email.utils.parsedate_to_datetime(text).timestamp() - now, 0.0)
    except ValueError:
        return None


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _words(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time" if isinstance(error, httpx.ReadTimeout) else "cannot be reached in time"
    return str(error) or type(error).__name__
