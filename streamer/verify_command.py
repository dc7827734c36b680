"""``plate-streamer verify``: is the record what was recorded?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from streamer.errors import UsageError
from streamer.package import check_package
from streamer.signing import PUBLIC, Verifier, verifier_of
from streamer.stampwitness import Witness
from streamer.store import STORE, Store
from streamer.store.timestamps import Timestamps
from streamer.verify import Fault, Verified, check

SHOWN: Final = 20


def run_verify(place: Path, *, keys: Sequence[Path], as_json: bool, tsa_ca: Path | None = None) -> int:
    """Check the record in a folder, which a program may be writing meanwhile, or a sealed package. Exit code 1 if it was changed.

    ``tsa_ca``: certificates of the authority whose timestamps there must be; without it, it is only looked at what they are of.

    Raises UsageError: there is nothing to check, or no key to check it with; MissingPackageError; StoreError.
    """
    verifier = verifier_of(*keys) if keys else None
    seen, faults = Verified(), list[Fault]()
    witness = Witness(tsa_ca)
    console = Console(stderr=True)
    if place.is_file():
        found = check_package(place, verifier, seen, witness)
        whose = "the one in the package: it says nothing about who sealed it"
    elif place.is_dir():
        own = place / PUBLIC
        if verifier is None and not own.exists():
            raise UsageError(f"{own}: the public key is missing; give it with --key")
        verifier = verifier or verifier_of(own)
        found = _check_folder(place, verifier, seen, console, witness)
        whose = "the one beside the record: who changed both is not noticed"
    else:
        raise UsageError(f"{place}: there is no such folder or package")
    for fault in chain(found, witness.missing()):
        faults.append(fault)
        if len(faults) <= SHOWN and not as_json:
            console.print(f"[red]{'first break' if len(faults) == 1 else 'and'}[/]: {escape(str(fault))}", highlight=False, soft_wrap=True)
    if as_json:
        sys.stdout.write(json.dumps(asdict(seen) | {"timestamps": witness.as_json(), "faults": [asdict(fault) for fault in faults]}) + "\n")
    else:
        _tell(console, seen, len(faults), witness)
        if not keys:
            console.print(f"The key was {whose}. Keep a copy of it elsewhere and give it with --key.", soft_wrap=True)
    return int(bool(faults))


def _tell(console: Console, seen: Verified, faults: int, witness: Witness) -> None:
    if faults:
        console.print(f"[red]NOT as it was recorded[/]: {faults} faults in {seen.entries} entries", highlight=False)
    else:
        told = f"{seen.entries} entries, {seen.events} events, {seen.revisions} revisions, {seen.erased} erased"
        told += f", {seen.pictures} looks at pictures, {seen.signatures} signatures"
        console.print(f"[green]as it was recorded[/]: {told}", highlight=False, soft_wrap=True)
    for line in witness.lines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _check_folder(folder: Path, verifier: Verifier, seen: Verified, console: Console, witness: Witness) -> Iterator[Fault]:
    with Store(folder / STORE, read_only=True) as store:
        stamps = Timestamps(store)
        newest = stamps.newest()  # before the head: what is stamped meanwhile is not looked at
        head = store.head()
        rows = store.count_rows(head[0])
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            pairs = bar.track(store.entries(head[0]), total=head[0], description="checking")
            along = witness.along(stamps.all(newest))
            yield from check(along.watch(pairs), head, rows, verifier, lambda file: folder / file, seen)
            yield from along.faults()
