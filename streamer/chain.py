"""The chain that makes changes show: each entry commits to its payload and to the entry before it (pure).

The hash of an entry is SHA-256 over its number, its kind, the digest of its payload and the hash of its predecessor, so whoever changes,
removes, inserts or moves an entry changes the hash of all that follow, and signatures of these (Ed25519, RFC 8032) cannot be made without
the key (S. Haber, W. S. Stornetta, "How to time-stamp a digital document", Journal of Cryptology 3, 1991). A payload holds a random salt:
it may be erased while its digest stays, and nobody can find out by trying which plate it was.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

FORMAT: Final = "plate-streamer chain 1"
GENESIS: Final = 64 * "0"
"""Hash before the first entry."""
SALT_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """One link."""

    number: int
    """1 and up, no gaps."""
    kind: str
    """``event``, ``audit``, ``erasure`` ..."""
    digest: str
    """SHA-256 of the payload as UTF-8, lower-case hex."""
    hash: str
    """Lower-case hex."""
    payload: str | None
    """JSON; None if it was erased."""
    signature: str | None = None
    """Ed25519 over the bytes of the hash, hex; None where a later entry is signed."""
    signer: str | None = None
    """Id of the key."""


def digest_of(payload: str) -> str:
    """Give SHA-256 of a text as UTF-8, lower-case hex."""
    return hashlib.sha256(payload.encode()).hexdigest()


def hash_of(previous: str, number: int, kind: str, digest: str) -> str:
    """Give the hash of the entry with this number, after the one with the hash ``previous``; lower-case hex."""
    return hashlib.sha256("\n".join((FORMAT, previous, str(number), kind, digest)).encode()).hexdigest()


def entry_after(previous: str, number: int, kind: str, payload: str) -> Entry:
    """Give a new entry, not signed."""
    digest = digest_of(payload)
    return Entry(number, kind, digest, hash_of(previous, number, kind, digest), payload)


def new_salt() -> str:
    """Give what makes a payload impossible to guess: 128 random bits, hex."""
    return secrets.token_hex(SALT_BYTES)
