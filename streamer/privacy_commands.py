"""``plate-streamer hold``, ``release``, ``purge``, ``erase``, ``subject`` and ``audit``: each is in the audit log before it happens."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from streamer import audit, private, subject
from streamer.config import Config
from streamer.errors import StoreError, UsageError
from streamer.events import utc_text
from streamer.forgetting import forgetful_sinks, limits_of, log_folders
from streamer.plates import fold, normalise
from streamer.privacy import KeyRing, Limits
from streamer.privacy_keys import EVENT_KEYS, keys_held
from streamer.pseudonyms import NO_KEYS, given_up
from streamer.purge import Purge, Purged
from streamer.sealing import Opener
from streamer.signing import signer_in
from streamer.store import STORE, Store
from streamer.store.retention import Hold, Retention
from streamer.store.search import Search

_WIDTH_WITHOUT_TERMINAL: Final = 200


def run_hold(folder: Path, events: Sequence[str], *, purpose: str, name: str | None) -> int:
    """Hold events. Raises UsageError, StoreError: none of them is held."""
    who, purpose, now = audit.person(name), audit.purpose_of(purpose), _now()
    action = audit.Action("hold", who, purpose, len(events), events=tuple(events))
    with _opened(folder) as store:
        holds = [Hold(event, utc_text(now), str(who), purpose) for event in dict.fromkeys(events)]
        Retention(store).hold(holds, audit.entry_of(action, audit.keys_in(folder, _now()), now))
    _say(f"held: {len(holds)}; `plate-streamer release` lets them go")
    return 0


def run_release(folder: Path, events: Sequence[str], *, purpose: str, name: str | None) -> int:
    """Release events. Raises UsageError, StoreError: none of them is released."""
    who, purpose, now = audit.person(name), audit.purpose_of(purpose), _now()
    action = audit.Action("release", who, purpose, len(events), events=tuple(events))
    with _opened(folder) as store:
        Retention(store).release(list(dict.fromkeys(events)), audit.entry_of(action, audit.keys_in(folder, _now()), now))
    _say(f"released: {len(events)}")
    return 0


def run_purge(folder: Path, config: Config, *, purpose: str, name: str | None, dry_run: bool) -> int:
    """Erase what is due. Raises UsageError, StoreError."""
    who, purpose = audit.person(name), audit.purpose_of(purpose)
    limits = limits_of(config.privacy.retention.model_dump())
    if limits == Limits():
        raise UsageError("privacy.retention: says nothing, so everything is kept; configs/privacy/ shows how")
    with _opened(folder) as store:
        purge = _purge(store, folder, config)
        due = purge.due(limits)
        if dry_run:
            _say(f"would erase {_told(due)}")
            return 0
        found = due.without_plate + due.reads + due.pictures + due.audit
        audit.record(store, audit.Action("purge", who, purpose, found), audit.keys_in(folder, _now()), _now())
        _say(f"erased {_told(purge.run(limits))}")
    return 0


def run_erase(
    folder: Path, config: Config, *, plate: str | None, events: Sequence[str], purpose: str, name: str | None, dry_run: bool
) -> int:
    """Erase events; 1 if some stay. Raises UsageError, StoreError."""
    who, purpose = audit.person(name), audit.purpose_of(purpose, plate)
    if (plate is None) == (not events):
        raise UsageError("either --plate or --event: what is to be erased?")
    with _opened(folder) as store:
        found = list(dict.fromkeys(events)) if plate is None else _naming(store, folder, config, plate)
        if plate is not None:
            _tell_lost(store, folder, config)
        if dry_run:
            _say(f"would erase {len(found)} events")
            return 0
        named = tuple(found) if len(found) <= audit.NAMED else ()
        action = audit.Action("erase", who, purpose, len(found), plate=plate, events=named)
        audit.record(store, action, audit.keys_in(folder, _now()), _now())
        erased = _purge(store, folder, config).erase(found, f"erase: {purpose}")
    _say(f"erased {erased.events} events ({erased.revisions} revisions, {erased.pictures} pictures)")
    if erased.kept:
        _say(f"NOT erased: {erased.kept}, because they are held, still go on, or are not there")
    return int(erased.kept > 0)


def run_subject(folder: Path, config: Config, *, plate: str, purpose: str, out: Path, name: str | None, keys: Sequence[Path] = ()) -> int:
    """Write what is recorded of a plate; ``keys`` open its sealed pictures. Raises UsageError, StoreError."""
    who, purpose, now = audit.person(name), audit.purpose_of(purpose, plate), _now()
    texts = _wanted(folder, config, plate)
    open_sealed = Opener(keys).open_picture if keys else None
    with _opened(folder) as store:
        retention = Retention(store)
        _tell_lost(store, folder, config)
        revisions = retention.revisions(_naming(store, folder, config, plate))
        theirs = {event["event_id"] for event in revisions if subject.is_of(event, texts)}
        others = {event["event_id"] for event in revisions} - theirs
        about: dict[str, Any] = {"plate": plate, "made": utc_text(now), "by": str(who), "events": len(theirs)}
        about |= {"only_another_possible_reading_of_others": len(others)}
        mine = [event for event in revisions if event["event_id"] in theirs]
        content, pictures, missing = subject.package(about, mine, lambda file: _content(folder / file), open_sealed)
        named = tuple(sorted(theirs)) if len(theirs) <= audit.NAMED else ()
        audit.record(
            store, audit.Action("subject", who, purpose, len(theirs), plate=plate, events=named), audit.keys_in(folder, _now()), now
        )
    try:
        private.write_whole(out, content)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written: {error.strerror or error}") from error
    _say(f"{out}: {len(theirs)} events, {pictures} pictures" + (f", {len(missing)} pictures are missing" if missing else ""))
    return 0


def run_audit(folder: Path, *, plate: str | None, as_json: bool) -> int:
    """List the audit log. Raises UsageError, StoreError."""
    if not (folder / STORE).is_file():
        raise UsageError(f"{folder / STORE}: there is no event store")
    wanted = None if plate is None else audit.keys_in(folder, _now()).pseudonyms("audit", audit.asked(plate))
    with Store(folder / STORE, read_only=True) as store:
        found = [one for one in Retention(store).audits() if wanted is None or one.get("plate") in wanted]
    if as_json:
        sys.stdout.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in found)
        return 0
    table = Table(box=SIMPLE_HEAD)
    for column in ("time (UTC)", "who", "did", "results", "plate", "purpose", "more"):
        table.add_column(column, overflow="fold")
    for one in found:
        who = f"{one['as']} ({one['who']})" if one.get("as") else str(one["who"])
        more = " ".join(f"{key}={value}" for key, value in one.get("more", {}).items())
        shown = "" if one.get("plate") is None else one["plate"].rsplit(":", 1)[1][:12]
        table.add_row(one["time"][:19].replace("T", " "), who, one["did"], str(one["found"]), shown, one["purpose"], more)
    console = Console()
    (console if console.is_terminal else Console(width=_WIDTH_WITHOUT_TERMINAL)).print(table, markup=False)
    return 0


def _opened(folder: Path) -> Store:
    """Open the record to write to it, beside a program that may record into it. Raises UsageError, StoreError."""
    if not (folder / STORE).is_file():
        raise UsageError(f"{folder / STORE}: there is no event store")
    return Store(folder / STORE, signer_in(folder), alone=False)


def _purge(store: Store, folder: Path, config: Config) -> Purge:
    return Purge(store, folder, clock=_now, pause=_pause, logs=log_folders(config), copies=forgetful_sinks(config))


def _naming(store: Store, folder: Path, config: Config, plate: str) -> list[str]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("looking through all contents", total=None)
        return Retention(store).naming(
            _wanted(folder, config, plate), subject.names, lambda done, of: bar.update(task, completed=done, total=of)
        )


def _wanted(folder: Path, config: Config, plate: str) -> frozenset[str]:
    """Give what stands for a plate in the record: its text with look-alikes made one, and its pseudonyms by the keys that there are."""
    text = fold(normalise(plate))
    if not text:
        raise UsageError(f"--plate {plate}: no letter or digit in it")
    keys = _event_keys(folder, config)
    return frozenset((text, *(keys.pseudonyms("event", text) if keys is not None else ())))


def _event_keys(folder: Path, config: Config) -> KeyRing | None:
    return keys_held(config.privacy.key_file or folder / EVENT_KEYS)


def _tell_lost(store: Store, folder: Path, config: Config) -> None:
    """Say what cannot be found of anybody."""
    keys, ids = _event_keys(folder, config), Search(store).pseudonym_keys()
    told = NO_KEYS if ids and keys is None else given_up(ids, keys)
    if told is not None:
        _say(told)


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{file}: cannot be read: {error.strerror or error}") from error


def _told(purged: Purged) -> str:
    return (
        f"{purged.without_plate} events without a plate, {purged.reads} with one, {purged.pictures} pictures of others, "
        f"{purged.audit} audit entries"
    )


def _pause(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _now() -> datetime:
    return datetime.now(UTC)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
