"""Timestamps as they come over the wire (RFC 3161): what a token says, and whether that is so; needs ``rfc3161-client``."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streamer.errors import MissingPackageError, OtherHashError, TimestampError, UsageError

try:
    import rfc3161_client as tsp
except ModuleNotFoundError as missing:
    raise MissingPackageError("timestamps need rfc3161-client: pip install 'plate-streamer[timestamps]'") from missing

from cryptography import x509

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_CONTEXT_0: Final = 0xA0
"""Tag of the certificates (RFC 5652, 5.1)."""
_LONG_FORM: Final = 0x80


@dataclass(frozen=True, slots=True)
class Question:
    """A request for a timestamp."""

    body: bytes
    """DER; holds nothing of what is stamped but a SHA-256."""
    nonce: int
    """The answer has it, too, so it cannot be one from earlier."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a token says."""

    time: datetime
    """Aware, UTC."""
    serial: str
    """Decimal."""
    policy: str
    """Dotted."""


def question_of(hash_hex: str) -> Question:
    """Give the request for a timestamp of the bytes of a hash (hex)."""
    built = tsp.TimestampRequestBuilder(data=bytes.fromhex(hash_hex), hash_algorithm=tsp.HashAlgorithm.SHA256).build()
    assert built.nonce is not None, "the builder makes one"
    return Question(built.as_bytes(), built.nonce)


class Checker:
    """Checks tokens, offline. Certificates that were revoked are not known to it."""

    def __init__(self, ca: bytes | None, policy: str | None = None) -> None:
        """Take the certificates of the authorities that are trusted.

        Args:
            ca: PEM; None: only what a token is of is checked, not who made it.
            policy: tokens must be issued under it, dotted; None: any.

        Raises:
            ValueError: no certificate.
        """
        self._roots = x509.load_pem_x509_certificates(ca) if ca is not None else []
        own = [one for one in self._roots if one.issuer == one.subject]
        between = [one for one in self._roots if one.issuer != one.subject]
        # OpenSSL looks for an issuer by its name and takes the first: a root and the one that followed it have the same.
        self._trusted = [self._roots, *([root, *between] for root in own)] if len(own) > 1 else [self._roots]
        self._policy = x509.ObjectIdentifier(policy) if policy is not None else None

    @property
    def knows_authorities(self) -> bool:
        """Whether who made a token is checked."""
        return bool(self._roots)

    def check(self, answer: bytes, hash_hex: str, nonce: int | None = None) -> Told:
        """Give what an answer (``TimeStampResp``, DER) says of the bytes of a hash (hex). Certificates must have been valid then.

        Raises:
            TimestampError: it is none, is of something else, or is not from who is trusted; ``nonce``: of the request, if it is known.
        """
        try:
            response = tsp.decode_timestamp_response(sorted_certificates(answer))
            if response.status != tsp.PKIStatus.GRANTED:
                raise TimestampError(
                    f"the timestamp was refused: {', '.join(response.status_string) or tsp.PKIStatus(response.status).name}"
                )
            told = response.tst_info
            imprint = told.message_imprint
            if imprint.hash_algorithm.dotted_string != _SHA256 or imprint.message != hashlib.sha256(bytes.fromhex(hash_hex)).digest():
                raise OtherHashError("the timestamp is of something else")
            self._check_maker(response, imprint.message, nonce)
            return Told(told.gen_time, str(told.serial_number), told.policy.dotted_string)
        except ValueError as error:
            raise TimestampError(f"no timestamp, or one that cannot be read: {error}") from error

    def _check_maker(self, response: TimeStampResponse, digest: bytes, nonce: int | None) -> None:
        """Raise TimestampError if it is not from who is trusted."""
        if nonce is not None and response.tst_info.nonce != nonce:
            raise TimestampError("the timestamp is the answer to another request")
        if self._policy is not None and response.tst_info.policy != self._policy:
            raise TimestampError(
                f"the timestamp was issued under the policy {response.tst_info.policy.dotted_string}, which is not asked for"
            )
        if not self._roots:
            return
        why = ""
        for trusted in self._trusted:
            try:
                tsp.VerifierBuilder(roots=list(trusted)).build().verify(response, digest)
            except tsp.VerificationError as error:
                why = why or _reason(str(error))
            else:
                return
        raise TimestampError(f"the timestamp is not from an authority that is trusted: {why}")


def _reason(text: str) -> str:
    """Give what OpenSSL says at the end of its stack of errors, which is what people need."""
    found = re.findall(r'Verify error:\s*([^"]+)', text) or re.findall(r'reason: "([^"]+)"', text)
    return found[-1] if found else text


def checker_of(file: Path | None, policy: str | None = None) -> Checker:
    """Load the certificates of authorities (PEM). Raises UsageError: the file is none; MissingPackageError."""
    try:
        return Checker(None if file is None else file.read_bytes(), policy)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{file}: no certificates in PEM: {error}") from error


def sorted_certificates(answer: bytes) -> bytes:
    """Give an answer with the certificates in its token in the order that DER asks for (X.690, 11.6), or as it was if it is none.

    Many authorities send them in another one, which ``rfc3161-client`` refuses; they are not under the token's signature.
    """
    try:
        _, token = _children(answer, 0)[:2]
        _, content = _children(answer, token)
        (signed,) = _children(answer, content)
        certificates = next(at for at in _children(answer, signed) if answer[at] == _CONTEXT_0)
        found = sorted(answer[at : _span(answer, at)[1]] for at in _children(answer, certificates))
        start, end = _span(answer, certificates)
    except (ValueError, IndexError, StopIteration):
        return answer
    return answer[:start] + b"".join(found) + answer[end:]


def _children(data: bytes, at: int) -> list[int]:
    """Give where the elements begin that one at a place holds (DER). Raises ValueError, IndexError: it holds none, or is damaged."""
    place, end = _span(data, at)
    found = []
    while place < end:
        found.append(place)
        place = _span(data, place)[1]
    if place != end:
        raise ValueError("an element is longer than what holds it")
    return found


def _span(data: bytes, at: int) -> tuple[int, int]:
    """Give where the content of an element (DER) begins and ends. Raises ValueError, IndexError: it is damaged."""
    length = data[at + 1]
    start = at + 2
    if length & _LONG_FORM:
        octets = length & ~_LONG_FORM
        length = int.from_bytes(data[start : start + octets], "big")
        start += octets
    if start + length > len(data):
        raise ValueError("an element is longer than all there is")
    return start, start + length
