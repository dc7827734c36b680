"""What may be kept, of whom, and for how long (pure).

A pseudonym is an HMAC-SHA256 (RFC 2104, FIPS 198-1) with a secret key, never a bare hash: all plates of a country can be tried in minutes
(Article 29 Working Party, opinion 05/2014 on anonymisation techniques, section 4). It is still personal data while the key exists. Once
the key is destroyed (rotation), nobody can tell whose it was, nor link it to later ones.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

import numpy as np

from streamer.events import PSEUDONYM, utc_text
from streamer.plates import fold, normalise
from streamer.types import Passage

Mode = Literal["full", "pseudonymous", "hits_only"]
"""``full``: plates are recorded; ``pseudonymous``: pseudonyms in their place; ``hits_only``: of vehicles that broke no rule, nothing."""

Domain = Literal["event", "audit"]
"""What a pseudonym is for: those of one purpose cannot be compared with those of another."""

KEY_BYTES: Final = 32
_HEX_CHARS: Final = 32
"""Of a pseudonym: 128 bits."""
_UUID_MS_BITS: Final = 48


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things are kept, days; None: for ever."""

    events_without_plate_days: float | None = None
    reads_days: float | None = None
    """Events with a plate that broke no rule: all, as long as there are no rules."""
    hits_days: float | None = None
    """Events that broke a rule; there are none yet."""
    evidence_days: float | None = None
    """Pictures, if they are to go before their event."""
    audit_days: float | None = None


def before(now: datetime, days: float) -> str:
    """Give the time so many days ago as it stands in events. ``now``: aware."""
    return utc_text(now - timedelta(days=days))


def id_before(now: datetime, days: float) -> str:
    """Give the least UUIDv7 (RFC 9562) of so many days ago: ids of what was recorded earlier sort before it."""
    ms = max(int((now - timedelta(days=days)).timestamp() * 1000), 0) % (1 << _UUID_MS_BITS)
    text = f"{ms:012x}"
    return f"{text[:8]}-{text[8:]}-7000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that makes pseudonyms."""

    id: str
    """Stands in the pseudonyms that it makes."""
    made: str
    """UTC, as in events."""
    secret: bytes = field(repr=False)

    def pseudonym(self, domain: Domain, text: str) -> str:
        """Give the pseudonym of a plate text, ``hmac:<key id>:<32 hex digits>``; look-alikes ``0O`` and ``1I`` get the same one."""
        digest = hmac.new(self.secret, f"plate-streamer\n{domain}\n{fold(text)}".encode(), hashlib.sha256).hexdigest()
        return f"{PSEUDONYM}{self.id}:{digest[:_HEX_CHARS]}"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys, oldest first; the last one is in use. There is always one."""

    keys: tuple[Key, ...]

    def pseudonym(self, domain: Domain, text: str) -> str:
        """Give the pseudonym of a plate text by the key in use."""
        return self.keys[-1].pseudonym(domain, text)

    def pseudonyms(self, domain: Domain, text: str) -> tuple[str, ...]:
        """Give the pseudonyms of a plate text by all keys that there are: what to look for."""
        return tuple(key.pseudonym(domain, text) for key in self.keys)

    def rotated(self, key: Key, keep: int) -> KeyRing:
        """Give the ring with a new key in use, and the last ``keep`` of the others."""
        return KeyRing((*(self.keys[-keep:] if keep else ()), key))

    def to_text(self) -> str:
        """Give what a key file holds."""
        return json.dumps({"keys": [{"id": key.id, "made": key.made, "secret": key.secret.hex()} for key in self.keys]}, indent=1) + "\n"


def new_key(now: datetime) -> Key:
    """Make a key."""
    return Key(secrets.token_hex(4), utc_text(now), secrets.token_bytes(KEY_BYTES))


def ring_of(text: str) -> KeyRing:
    """Read a key file. Raises ValueError if it is none."""
    try:
        keys = tuple(Key(str(one["id"]), str(one["made"]), bytes.fromhex(one["secret"])) for one in json.loads(text)["keys"])
    except (KeyError, TypeError, ValueError):
        raise ValueError("is no key file") from None  # whose text must not stand in a message
    if not keys or any(len(key.secret) != KEY_BYTES for key in keys):
        raise ValueError("is no key file")
    return KeyRing(keys)


def no_hit(passage: Passage) -> bool:
    """Say that no rule was broken: there are no rules yet."""
    return False


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What of a passage may be recorded."""

    mode: Mode = "full"
    pictures: bool = True
    """With pseudonyms: whether pictures are kept, on which the plate can be read."""
    ring: Callable[[], KeyRing] | None = None
    """Gives the keys; needed for pseudonyms."""
    hit: Callable[[Passage], bool] = no_hit
    """Says whether a passage broke a rule."""

    def of(self, passage: Passage) -> Passage | None:
        """Give the passage as it may be recorded; None: not at all."""
        if self.mode == "full":
            return passage
        if self.mode == "hits_only":
            return passage if self.hit(passage) else None
        assert self.ring is not None, "pseudonyms need keys"
        return _pseudonymous(passage, self.ring(), pictures=self.pictures)


def _pseudonymous(passage: Passage, ring: KeyRing, *, pictures: bool) -> Passage:
    """Give the passage without any text of the plate, nor how long it is."""
    shown = replace(
        passage,
        plate=None if passage.plate is None else ring.pseudonym("event", passage.plate),
        raw=None if passage.raw is None else ring.pseudonym("event", passage.raw),
        char_scores=() if passage.score is None else (passage.score,),
        alternatives=(),
    )
    return shown if pictures else replace(shown, crop=np.empty((0, 0, 3), np.uint8), pictures=())


def tells(text: str, plate: str) -> bool:
    """Say whether a text (a purpose, say) gives a plate away."""
    wanted = fold(normalise(plate))
    return bool(wanted) and wanted in fold(normalise(text))
