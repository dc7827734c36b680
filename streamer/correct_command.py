"""``plate-streamer correct``: what somebody saw, as a new revision of an event."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from streamer import audit
from streamer.chain import new_salt
from streamer.errors import UsageError
from streamer.events import PSEUDONYM, Event, Place, to_line
from streamer.plates import normalise
from streamer.revisions import corrected
from streamer.signing import signer_in
from streamer.store import STORE, Store

NOTHING: Final = "-"
"""Stands for no plate."""


def run_correct(folder: Path, event_id: str, plate: str, *, purpose: str, by: str | None, why: str, as_json: bool) -> int:
    """Record a correction; the program may be recording meanwhile, and its sinks get the revision.

    Raises UsageError: no such event, it is not over, no purpose, or what was given is no plate; StoreError.
    """
    errand = audit.Errand.of(purpose, by, plate)
    text = None if plate == NOTHING else normalise(plate)
    if text == "":
        raise UsageError(f"{plate!r}: no letter or digit in it; write the plate, or {NOTHING} if there is none that can be read")
    if not (folder / STORE).is_file():
        raise UsageError(f"{folder / STORE}: there is no event store")
    with Store(folder / STORE, signer_in(folder), alone=False) as store:

        def note() -> None:
            now = datetime.now(UTC)
            audit.record(store, errand.action("correct", 1, plate=text, events=(event_id,)), audit.keys_in(folder, now), now)

        last, event = record_correction(store, event_id, text, by=by or errand.who.account, why=why, note=note)
    if as_json:
        sys.stdout.write(to_line(event) + "\n")
    else:
        before = last["correction"]["plate"] if last["correction"] else last["plate"]
        sys.stderr.write(f"{event_id}: revision {event['revision']}: {before or 'no plate'} corrected to {text or 'no plate'}\n")
    return 0


def record_correction(store: Store, event_id: str, text: str | None, *, by: str, why: str, note: Callable[[], None]) -> tuple[Event, Event]:
    """Record a correction; gives the revision before it, and its own. ``note`` puts it into the audit log, once it is known to be possible.

    Raises UsageError: no such event, it is not over, or it holds a pseudonym; StoreError.
    """
    revisions = store.revisions(event_id)
    if not revisions:
        raise UsageError(f"{event_id}: there is no such event in {store.name}")
    last: Event = json.loads(revisions[-1].line)
    if last["state"] not in ("final", "corrected"):
        raise UsageError(f"{event_id}: is {last['state']}, and only what is final can be corrected")

    if str(last["plate"] or last["raw"]).startswith(PSEUDONYM):
        raise UsageError(f"{event_id}: this record holds pseudonyms; a correction would put a plate into it")
    note()

    def make(place: Place) -> Event:
        # Now, while nobody can record or erase: pictures that were erased must not be claimed again.
        kept = store.recorded_files([picture["file"] for picture in last["evidence"]])
        held = last | {"evidence": [picture for picture in last["evidence"] if picture["file"] in kept]}
        return corrected(held, place, plate=text, by=by, why=why, salt=new_salt(), written_at=datetime.now(UTC))

    (event,) = store.append([make])
    return last, event
