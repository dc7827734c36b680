"""Who did what with the record, when and what for: entries of its chain, so none can be changed or left out unseen.

The plate that somebody asked for stands in it as a keyed pseudonym only: the list of questions is no list of plates.
"""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from streamer import private
from streamer.chain import new_salt
from streamer.errors import UsageError
from streamer.events import utc_text
from streamer.privacy import KeyRing, tells
from streamer.privacy_keys import AUDIT_KEYS, KeyFile
from streamer.search import clean_pattern
from streamer.signing import signer_in
from streamer.store import STORE, Store
from streamer.store.retention import AUDIT

NAMED: Final = 20
"""Ids that an entry names at most."""
_TELLING_CHARS: Final = 4
"""A part of a pattern that is so long gives a plate away."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts."""

    account: str
    """Of the operating system."""
    name: str | None = None
    """Who that is, where several people share an account (``--as``)."""

    def __str__(self) -> str:
        return self.account if self.name is None else f"{self.name} ({self.account})"


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody did."""

    did: str
    """``search``, ``stats``, ``report``, ``review``, ``correct``, ``export``, ``subject``, ``erase``, ``purge``, ``hold``, ``release``,
    ``deliver``, ``unseal``."""
    who: Person
    purpose: str
    """Why, in words."""
    found: int
    """How many results it had: events that were shown, erased ..."""
    plate: str | None = None
    """The text or pattern that was asked for, as it was given. It is not recorded, only its pseudonym."""
    events: tuple[str, ...] = ()
    """Ids of those that were named or shown, where they are few."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What else was asked for (cameras, times), JSON values; no plates."""


def person(name: str | None = None) -> Person:
    """Give who runs the program. Raises UsageError if ``name`` is empty."""
    if name is not None and not name.strip():
        raise UsageError("--as: a name is missing")
    try:
        account = getpass.getuser()
    except (KeyError, OSError):
        account = f"uid {os.getuid()}"
    return Person(account, name)


def purpose_of(text: str, plate: str | None = None) -> str:
    """Check a purpose; gives it without white space around it. Raises UsageError: it is empty, or gives the plate away.

    ``plate``: text or pattern that is asked for.
    """
    if not text.strip():
        raise UsageError("--purpose: say what it is for, a case or a request (or set PLATE_STREAMER_PURPOSE); it goes into the audit log")
    if any(tells(text, part) for part in _telling(plate)):
        raise UsageError("--purpose: must not name the plate: the purpose stays in the audit log when the plate is gone")
    return text.strip()


def _telling(plate: str | None) -> list[str]:
    """Give what of a plate or pattern a purpose must not say."""
    if plate is None or not set(plate) & set("*?"):
        return [] if plate is None else [plate]
    return [part for part in plate.replace("?", "*").split("*") if len(part) >= _TELLING_CHARS]


@dataclass(frozen=True, slots=True)
class Errand:
    """Who comes to the record, and what for."""

    who: Person
    purpose: str

    @classmethod
    def of(cls, purpose: str, name: str | None = None, plate: str | None = None) -> Errand:
        """Take what was typed; see ``purpose_of`` and ``person``. Raises UsageError."""
        return cls(person(name), purpose_of(purpose, plate))

    def action(self, did: str, found: int, **more: Any) -> Action:
        """Give what was done; ``more``: other fields of ``Action``."""
        return Action(did, self.who, self.purpose, found, **more)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Looking:
    """Notes what somebody looks at in a record that is opened for reading."""

    def __init__(self, folder: Path, errand: Errand, *, unaudited: bool = False, clock: Callable[[], datetime] = _utc_now) -> None:
        """Take the folder of the record.

        Args:
            folder: of the record.
            errand: who looks, and what for.
            unaudited: the record is a copy that cannot be written: look all the same. It is said on standard error.
            clock: gives now, aware.

        Raises:
            UsageError: the record cannot be written, and ``unaudited`` was not said; or it was, and the record can be.
        """
        self._folder, self._errand, self._unaudited, self._clock = folder, errand, unaudited, clock
        if not (folder / STORE).is_file():
            raise UsageError(f"{folder / STORE}: there is no event store")
        if private.writable(folder / STORE):
            if unaudited:
                raise UsageError(f"{folder}: this record can be written, so who looks at it is noted; leave --unaudited away")
        elif not unaudited:
            raise UsageError(
                f"{folder}: this record cannot be written, so its audit log cannot say who looked; copy it to where it can be, "
                "or say --unaudited"
            )
        else:
            sys.stderr.write(f"not audited: {folder} cannot be written\n")

    def note(self, did: str, found: int, **more: Any) -> None:
        """Put what is about to be shown into the audit log; ``more``: other fields of ``Action``. Raises StoreError, UsageError."""
        if not self._unaudited:
            note(self._folder, self._errand.action(did, found, **more), self._clock())


def entry_of(action: Action, keys: KeyRing, now: datetime) -> str:
    """Give the payload of the entry of an action; ``now``: aware."""
    said: dict[str, Any] = {"did": action.did, "who": action.who.account, "as": action.who.name, "time": utc_text(now)}
    said |= {"purpose": action.purpose, "found": action.found}
    said["plate"] = None if action.plate is None else keys.pseudonym("audit", asked(action.plate))
    said |= {"events": list(action.events), "more": dict(action.more), "salt": new_salt()}
    return json.dumps(said, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def record(store: Store, action: Action, keys: KeyRing, now: datetime) -> None:
    """Put an action into the audit log. To be called before its results are shown. Raises StoreError: it is not in the log."""
    store.append_entries(AUDIT, [entry_of(action, keys, now)])


def note(folder: Path, action: Action, now: datetime) -> None:
    """Put an action into the audit log of a folder, which a program may be recording into. Raises StoreError, UsageError."""
    with Store(folder / STORE, signer_in(folder), alone=False) as store:
        record(store, action, keys_in(folder, now), now)


def keys_in(folder: Path, now: datetime) -> KeyRing:
    """Give the keys of what is asked for in the audit log of a folder; made if need be. Raises StoreError, UsageError."""
    return KeyFile(folder / AUDIT_KEYS, lambda: now).ring()


def asked(plate: str) -> str:
    """Give a text or pattern that was asked for in the one form that its pseudonym is made of."""
    return clean_pattern(plate)
