"""Sealed packages: events with their pictures and what proves them, in one ZIP file that can be checked without the store.

``manifest.json`` names every file with its SHA-256 and is signed (``manifest.sig``). ``proofs.json`` has, for each revision, the entries
of the chain from its own to the next signed one: whoever has the public key sees that the revision stood there when that was signed. What
the entries in between say is not in it, only their digests. Timestamps of the chain (``timestamps/``) have the links to them in
``timestamps.json``, see ``packagestamps``.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from streamer.chain import Entry, digest_of, hash_of
from streamer.packagestamps import Witnesses, check_stamps
from streamer.sealing import plain_name
from streamer.signing import Signer, Verifier, verifier_from
from streamer.verify import Fault, Verified

FORMAT: Final = "plate-streamer package 1"
MANIFEST, SEAL, KEY, EVENTS, PROOFS = "manifest.json", "manifest.sig", "public-key.pem", "events.jsonl", "proofs.json"
EVIDENCE: Final = "evidence/"
OPENED: Final = "opened/"
"""Here lies what is in sealed evidence, if whoever made the package had the key."""
MOST_BYTES: Final = 2**31
"""Of all files of a package: more is no package but an attack."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A revision and the entries that prove it."""

    line: str
    """Its JSON."""
    entries: tuple[Entry, ...]
    """From its own, with payloads left out, to the next signed one."""


def seal(
    revisions: Sequence[Proven], files: Mapping[str, bytes], told: Mapping[str, Any], signer: Signer, public_key: bytes
) -> dict[str, bytes]:
    """Give the files of a package, by name, the manifest last.

    Args:
        revisions: what is proven.
        files: pictures and reports by their names in the package.
        told: what else the manifest says (who made it, when, for which purpose).
        signer: seals it.
        public_key: the other half of its key, PEM.
    """
    lines = "".join(one.line + "\n" for one in revisions)
    proofs = [[asdict(replace(entry, payload=None)) for entry in one.entries] for one in revisions]
    content = {EVENTS: lines.encode(), PROOFS: json.dumps(proofs).encode(), KEY: public_key, **files}
    manifest = {
        "format": FORMAT,
        "signer": signer.key_id,
        **told,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(content.items())},
    }
    sealed = json.dumps(manifest, indent=1, ensure_ascii=False).encode()
    return content | {SEAL: signer.sign(hashlib.sha256(sealed).hexdigest()).encode(), MANIFEST: sealed}


def check_package(file: Path, verifier: Verifier | None, seen: Verified, witness: Witnesses | None = None) -> Iterator[Fault]:
    """Give what is wrong with a package: nothing if it is as it was sealed. ``witness`` checks its timestamps, if they are to be.

    ``verifier``: knows the keys; None: the key in the package is taken, which proves nothing about who sealed it. Never raises for what
    is in the file.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            if sum(info.file_size for info in infos) > MOST_BYTES:
                yield Fault(str(file), "is larger than any package")
                return
            content = {info.filename: archive.read(info) for info in infos}
            if len(content) != len(infos):
                yield Fault(str(file), "has two files of one name")
            manifest = json.loads(content[MANIFEST])
            yield from _check_seal(content, manifest, verifier or verifier_from(content[KEY]))
            proofs = json.loads(content[PROOFS])
            lines = content[EVENTS].decode().splitlines()
            if len(proofs) != len(lines):
                yield Fault(PROOFS, f"has {len(proofs)} proofs of {len(lines)} revisions")
            ends: dict[int, str] = {}
            for line, proof in zip(lines, proofs, strict=False):
                entries = [Entry(**entry) for entry in proof]
                ends[entries[-1].number] = entries[-1].hash
                yield from _check_revision(line, entries, content, verifier or verifier_from(content[KEY]), seen)
            seen.events = len({json.loads(line)["event_id"] for line in lines})
            if witness is not None:
                yield from check_stamps(content, ends, witness)
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError, IndexError, AttributeError, NotImplementedError) as error:
        yield Fault(str(file), f"is no sealed package ({type(error).__name__}: {error})")


def _check_seal(content: Mapping[str, bytes], manifest: Mapping[str, Any], verifier: Verifier) -> Iterator[Fault]:
    if manifest["format"] != FORMAT:
        yield Fault(MANIFEST, f"is of the kind {manifest['format']!r}, not {FORMAT!r}")
    seal_text, key_id = content[SEAL].decode().strip(), str(manifest["signer"])
    if key_id not in verifier.key_ids:
        yield Fault(SEAL, f"is of the key {key_id}, which is not among those that were given")
    elif not verifier.verify(hashlib.sha256(content[MANIFEST]).hexdigest(), seal_text, key_id):
        yield Fault(MANIFEST, "was changed: its signature is wrong")
    named = manifest["files"]
    for name in sorted(set(named) | (set(content) - {MANIFEST, SEAL})):
        if name not in content:
            yield Fault(name, "is missing")
        elif name not in named:
            yield Fault(name, "was added")
        elif hashlib.sha256(content[name]).hexdigest() != named[name]:
            yield Fault(name, "was changed")


def _check_revision(
    line: str, entries: Sequence[Entry], content: Mapping[str, bytes], verifier: Verifier, seen: Verified
) -> Iterator[Fault]:
    event = json.loads(line)
    where = f"event {event['event_id']}, revision {event['revision']}"
    seen.revisions += 1
    if entries[0].digest != digest_of(line):
        yield Fault(where, "was changed")
    previous = str(event["chain"]["previous"])
    for number, entry in enumerate(entries, start=int(event["chain"]["entry"])):
        seen.entries += 1
        if entry.number != number or hash_of(previous, entry.number, entry.kind, entry.digest) != entry.hash:
            yield Fault(where, f"entry {entry.number} of its proof does not follow from the one before it")
            return
        previous = entry.hash
    last = entries[-1]
    if last.signature is None or last.signer is None:
        yield Fault(where, "its proof ends without a signature")
    elif not verifier.verify(last.hash, last.signature, last.signer):
        yield Fault(where, "the signature of its proof is wrong, or of a key that was not given")
    else:
        seen.signatures += 1
    for picture in event["evidence"]:
        data = content.get(EVIDENCE + picture["file"])
        seen.pictures += data is not None
        if data is not None and hashlib.sha256(data).hexdigest() != picture["sha256"]:
            yield Fault(where, f"its picture {picture['file']} was changed")
        opened = content.get(OPENED + plain_name(picture["file"])) if "sealed" in picture else None
        if opened is not None and hashlib.sha256(opened).hexdigest() != picture["sealed"]["plain_sha256"]:
            yield Fault(where, f"{OPENED}{plain_name(picture['file'])} is not what was sealed")
