"""``plate-streamer export``: events in a sealed package that can be checked on another machine."""

from __future__ import annotations

import getpass
import hashlib
import json
import sys
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

from streamer import audit, private
from streamer.errors import StoreError, UsageError
from streamer.eventreport import html_of, pdf_of
from streamer.events import Event, utc_text
from streamer.package import EVIDENCE, MANIFEST, OPENED, SEAL, Proven, seal
from streamer.packagestamps import stamp_files
from streamer.sealing import Opener, plain_name
from streamer.signing import PUBLIC, signer_in
from streamer.store import STORE, Store, StoredEvent
from streamer.store.timestamps import Timestamps


def run_export(folder: Path, event_ids: Sequence[str], *, out: Path, purpose: str, by: str | None, keys: Sequence[Path] = ()) -> int:
    """Make a package of events; the program may be recording meanwhile. ``keys``: of sealed pictures, to put opened ones in beside them.

    Raises UsageError: no such event, or something is in the way; StoreError: a picture or the store cannot be read or the package written.
    """
    if not (folder / STORE).is_file():
        raise UsageError(f"{folder / STORE}: there is no event store")
    if out.exists():
        raise UsageError(f"{out}: is there already; give another name with --out")
    purpose = audit.purpose_of(purpose)
    with Store(folder / STORE, read_only=True) as store:
        found = [_revisions(store, event_id, folder) for event_id in dict.fromkeys(event_ids)]
        proven = [Proven(one.line, tuple(store.proof(json.loads(one.line)["chain"]["entry"]))) for revisions in found for one in revisions]
        stamps = Timestamps(store)
        stamped, unstamped = stamp_files([one.entries[-1].number for one in proven], stamps.speaking_for, stamps.links)
        last: list[Event] = [json.loads(revisions[-1].line) for revisions in found]
        names = [picture["file"] for event in last for picture in event["evidence"]]
        kept = store.recorded_files(names)
    pictures = _pictures(folder, [one for event in last for one in event["evidence"] if one["file"] in kept])
    sealed = {one["file"]: one for event in last for one in event["evidence"] if "sealed" in one and one["file"] in kept}
    opener = Opener(keys) if keys else None
    opened = {name: opener.open_picture(pictures[name], one) for name, one in sealed.items()} if opener is not None else {}
    shown = {name: content for name, content in pictures.items() if name not in sealed} | opened
    now = datetime.now(UTC)
    told = {
        "made at": utc_text(now),
        "by": by or getpass.getuser(),
        "purpose": purpose,
        "program": f"plate-streamer {version('plate-streamer')}",
    }
    files = {
        **stamped,
        **{EVIDENCE + name: content for name, content in pictures.items()},
        **{OPENED + plain_name(name): content for name, content in opened.items()},
        "report.html": html_of(last, shown, told, sealed),
        "report.pdf": pdf_of(last, shown, told, sealed),
    }
    # Before anything leaves: what is not in the audit log is not handed out.
    audit.note(folder, audit.Action("export", audit.person(by), purpose, len(found), events=tuple(dict.fromkeys(event_ids))), now)
    content = seal(proven, files, told, signer_in(folder), _read(folder / PUBLIC))
    try:
        private.make_folder(out.parent)
        private.write_whole(out, _zipped(content))
    except OSError as error:
        raise StoreError(f"{out}: the package cannot be written: {error.strerror or error}") from error
    erased = len(set(names) - kept)
    what = f"{len(found)} events, {len(proven)} revisions, {len(pictures)} pictures" + (f" ({erased} were erased)" if erased else "")
    if sealed:
        what += f", {len(sealed)} of them sealed" + (" and opened" if opened else "; --key opens them")
    if stamped:
        what += ", timestamps" + (f" (none yet for {unstamped} revisions)" if unstamped else "")
    sys.stderr.write(f"{out}: {what}. Check it with: plate-streamer verify {out}\n")
    return 0


def _revisions(store: Store, event_id: str, folder: Path) -> list[StoredEvent]:
    revisions = store.revisions(event_id)
    if not revisions:
        raise UsageError(f"{event_id}: there is no such event in {folder}")
    return revisions


def _pictures(folder: Path, evidence: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """Read pictures by their names; what was changed is not sealed: `verify` would refuse the package."""
    found = {}
    for one in evidence:
        found[one["file"]] = _read(folder / one["file"])
        if hashlib.sha256(found[one["file"]]).hexdigest() != one["sha256"]:
            raise StoreError(f"{folder / one['file']}: was changed since it was recorded; see plate-streamer verify {folder}")
    return found


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise StoreError(f"{file}: cannot be read: {error.strerror or error}") from error


def _zipped(content: dict[str, bytes]) -> bytes:
    """Pack the files, what people look at first. Pictures are compressed already."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(content, key=lambda name: (not name.startswith("report"), name not in (MANIFEST, SEAL), name)):
            archive.writestr(name, content[name])
    return buffer.getvalue()
