"""Asks a timestamp authority over HTTP (RFC 3161, 3.4): nothing leaves but the SHA-256 of a hash, and a random number."""

from __future__ import annotations

from typing import Final

from streamer.config_timestamps import TimestampsConfig
from streamer.errors import MissingPackageError, TimestampError, UsageError
from streamer.log import redact
from streamer.tsatoken import Checker, Told, checker_of, question_of

try:
    import httpx
except ModuleNotFoundError as missing:
    raise MissingPackageError("timestamps need httpx: pip install 'plate-streamer[timestamps]'") from missing

_HEADERS: Final = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply", "User-Agent": "plate-streamer"}
LARGEST_ANSWER: Final = 65_536
"""Bytes; real ones have some thousand."""


class TsaClient:
    """One timestamp authority. Each call opens its own connection: there is one an hour."""

    def __init__(self, url: str, checker: Checker, timeout_s: float) -> None:
        """``checker``: only answers that it accepts are given. ``timeout_s``: to connect, and for each part of the answer."""
        self._url = url
        self._checker = checker
        self._timeout_s = timeout_s
        self.name = redact(url)
        """Its address, without credentials."""

    def stamp(self, hash_hex: str) -> tuple[bytes, Told]:
        """Give the answer (DER) for the bytes of a hash (hex), checked, and what it says. Raises TimestampError."""
        question = question_of(hash_hex)
        try:
            with httpx.stream("POST", self._url, content=question.body, headers=_HEADERS, timeout=self._timeout_s) as response:
                if response.status_code != httpx.codes.OK:
                    raise TimestampError(f"{self.name}: answers {response.status_code}")
                answer = bytearray()
                for chunk in response.iter_raw():
                    answer += chunk
                    if len(answer) > LARGEST_ANSWER:
                        raise TimestampError(f"{self.name}: the answer is longer than {LARGEST_ANSWER} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TimestampError(f"{self.name}: {redact(str(error)) or type(error).__name__}") from error
        try:
            return bytes(answer), self._checker.check(bytes(answer), hash_hex, question.nonce)
        except TimestampError as error:
            raise TimestampError(f"{self.name}: {error}") from error


def client_of(section: TimestampsConfig) -> TsaClient:
    """Give the authority of a configuration. Raises UsageError: it names none, or the certificates cannot be read; MissingPackageError."""
    if section.url is None:
        raise UsageError("timestamps.url: says nothing; the section timestamps of the configuration names the authority")
    return TsaClient(section.url, checker_of(section.ca_file, section.policy), section.timeout_s)
