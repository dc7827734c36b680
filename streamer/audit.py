"""Who did what with the record, when and what for: entries of its chain, so none can be changed or left out unseen.

The plate that somebody asked for stands in it as a keyed pseudonym only: the list of questions is no list of plates.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from streamer.chain import new_salt
from streamer.errors import UsageError
from streamer.events import utc_text
from streamer.privacy import KeyRing, tells
from streamer.privacy_keys import AUDIT_KEYS, KeyFile
from streamer.signing import signer_in
from streamer.store import STORE, Store
from streamer.store.retention import AUDIT


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
    """``search``, ``stats``, ``export``, ``subject``, ``erase``, ``purge``, ``hold``, ``release``, ``correct`` ..."""
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
    """Check a purpose; gives it without white space around it. Raises UsageError: it is empty, or gives the plate away."""
    if not text.strip():
        raise UsageError("--purpose: say what it is for; it goes into the audit log")
    if plate is not None and tells(text, plate):
        raise UsageError("--purpose: must not name the plate: the purpose stays in the audit log when the plate is gone")
    return text.strip()


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
        record(store, action, KeyFile(folder / AUDIT_KEYS, lambda: now).ring(), now)


def asked(plate: str) -> str:
    """Give a text or pattern that was asked for in the one form that its pseudonym is made of."""
    return "".join(plate.split()).upper()
