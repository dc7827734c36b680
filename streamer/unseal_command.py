"""``plate-streamer seal-key`` and ``unseal``: keys for sealed evidence, and looking at it."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from streamer import private
from streamer.audit import NAMED, Errand, Looking
from streamer.errors import StoreError, UsageError
from streamer.events import Event
from streamer.package import EVENTS, EVIDENCE
from streamer.sealing import Opener, is_sealed, plain_name, write_new_key
from streamer.store import STORE, Store


@dataclass(frozen=True, slots=True)
class _Found:
    """A sealed file."""

    name: str
    read: Callable[[], bytes]
    """Gives its content. Raises UsageError, StoreError."""
    picture: Event | None
    """What its event says of it, if the event is known."""
    record: Path | None
    """Folder of the record that it lies in, if it lies in one."""


def run_seal_key(file: Path) -> int:
    """Make a key pair; the public key is printed. Raises UsageError, MissingPackageError."""
    public = write_new_key(file, datetime.now(UTC))
    sys.stdout.write(public + "\n")
    sys.stderr.write(
        f"{file}: the private key. Keep it, and a copy of it, away from the machine that records: without it nobody can ever look at what "
        "is sealed.\nThe public key goes into the configuration: evidence.seal_to\n"
    )
    return 0


def run_unseal(what: Sequence[str], *, keys: Sequence[Path], out: Path, folder: Path, errand: Errand, unaudited: bool) -> int:
    """Open sealed evidence; 1 if some of it could not be opened.

    Args:
        what: sealed files, folders of them, packages, or ids of events of the record in ``folder``.
        keys: files of private keys.
        out: folder for what is opened, under its name without ``.age``.
        folder: of the record.
        errand: who looks, and what for; goes into the audit log of the record that the files lie in.
        unaudited: that record cannot be written; see ``audit.Looking``.

    Raises:
        UsageError: nothing is there, a key cannot be used, or something is in the way; StoreError; MissingPackageError.
    """
    opener = Opener(keys)
    found = [one for name in dict.fromkeys(what) for one in _sealed_of(name, folder)]
    if not found:
        raise UsageError(f"{', '.join(what)}: nothing sealed is there")
    for one in found:
        if (out / Path(plain_name(one.name)).name).exists():
            raise UsageError(f"{out / Path(plain_name(one.name)).name}: is there already; give another folder with --out")
    _note(found, {name for name in what if not Path(name).exists()}, errand, unaudited=unaudited)
    failed = 0
    for one in found:
        try:
            content = one.read()
            plain = opener.open(content, one.name) if one.picture is None else opener.open_picture(content, one.picture)
        except (UsageError, StoreError) as error:
            failed += 1
            sys.stderr.write(f"{error}\n")
            continue
        _write(out / Path(plain_name(one.name)).name, plain)
    sys.stderr.write(f"{out}: {len(found) - failed} opened" + (f", {failed} NOT" if failed else "") + "\n")
    return int(failed > 0)


def _note(found: Sequence[_Found], events: set[str], errand: Errand, *, unaudited: bool) -> None:
    """Put it into the audit logs of the records, before anything is shown."""
    for record in {one.record for one in found if one.record is not None}:
        named = tuple(sorted(events)) if len(events) <= NAMED else ()
        number = sum(one.record == record for one in found)
        Looking(record, errand, unaudited=unaudited).note("unseal", number, events=named)
    if any(one.record is None for one in found):
        sys.stderr.write("not audited: files that lie in no record\n")


def _sealed_of(name: str, folder: Path) -> Iterator[_Found]:
    """Give the sealed files that a name stands for. Raises UsageError: it stands for nothing; StoreError."""
    path = Path(name)
    if path.is_dir():
        yield from (_file(file) for file in sorted(path.rglob("*")) if file.is_file() and is_sealed(file.name))
    elif path.is_file() and is_sealed(path.name):
        yield _file(path)
    elif path.is_file() and zipfile.is_zipfile(path):
        yield from _in_package(path)
    elif path.is_file():
        raise UsageError(f"{path}: is neither sealed (its name does not end with .age) nor a package")
    else:
        yield from _of_event(name, folder)


def _file(file: Path) -> _Found:
    record = next((folder for folder in file.resolve().parents if (folder / STORE).is_file()), None)
    return _Found(str(file), partial(_read, file), None, record)


def _of_event(event_id: str, folder: Path) -> Iterator[_Found]:
    if not (folder / STORE).is_file():
        raise UsageError(f"{event_id}: there is no such file, and no event store in {folder}; name its folder with --folder")
    with Store(folder / STORE, read_only=True) as store:
        revisions = store.revisions(event_id)
    if not revisions:
        raise UsageError(f"{event_id}: there is no such file, and no such event in {folder}")
    pictures = {one["file"]: one for revision in revisions for one in json.loads(revision.line)["evidence"] if "sealed" in one}
    for name, picture in pictures.items():
        yield _Found(str(folder / name), partial(_read, folder / name), picture, folder.resolve())


def _in_package(file: Path) -> Iterator[_Found]:
    """Give those of a package. Raises UsageError if it is none; ``verify`` tells whether it is as it was made."""
    try:
        with zipfile.ZipFile(file) as archive:
            events = [json.loads(line) for line in archive.read(EVENTS).decode().splitlines()]
            pictures = {EVIDENCE + one["file"]: one for event in events for one in event["evidence"] if "sealed" in one}
            names = [name for name in archive.namelist() if name in pictures]
    except (KeyError, ValueError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"{file}: is no package of this program") from error
    yield from (_Found(name, partial(_member, file, name), pictures[name], None) for name in names)


def _member(file: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.read(name)
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"{file}: {name} cannot be read: {error}") from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise StoreError(f"{file}: cannot be read: {error.strerror or error}") from error


def _write(file: Path, content: bytes) -> None:
    try:
        private.make_folder(file.parent)
        private.write_whole(file, content)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror or error}") from error
