"""``plate-streamer verify``: is the record what was recorded?"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

from streamer.errors import UsageError
from streamer.signing import PUBLIC, verifier_of
from streamer.store import Store
from streamer.verify import Verified, check

STORE: Final = "events.sqlite"
SHOWN: Final = 20


def run_verify(folder: Path, *, keys: Sequence[Path], as_json: bool) -> int:
    """Check the record in a folder; a program may be writing it meanwhile. Exit code 1 if it is not what was recorded.

    Raises UsageError: there is no record, or no key to check it with; StoreError.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder")
    own = folder / PUBLIC
    if not keys and not own.exists():
        raise UsageError(f"{own}: the public key is missing; give it with --key")
    verifier = verifier_of(*(keys or [own]))
    seen, faults = Verified(), []
    console = Console(stderr=True)
    with Store(folder / STORE, read_only=True) as store:
        head = store.head()
        rows = store.count_rows(head[0])
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            pairs = bar.track(store.entries(head[0]), total=head[0], description="checking")
            for fault in check(pairs, head, rows, verifier, lambda file: folder / file, seen):
                faults.append(fault)
                if len(faults) <= SHOWN and not as_json:
                    console.print(f"[red]{'first break' if len(faults) == 1 else 'and'}[/]: {fault}", highlight=False, soft_wrap=True)
    if as_json:
        found = asdict(seen) | {"keys": verifier.key_ids, "faults": [asdict(fault) for fault in faults]}
        sys.stdout.write(json.dumps(found) + "\n")
    elif faults:
        console.print(f"[red]NOT as it was recorded[/]: {len(faults)} faults in {seen.entries} entries", highlight=False)
    else:
        told = f"{seen.entries} entries, {seen.events} events, {seen.erased} erased, {seen.pictures} pictures, {seen.signatures} signatures"
        console.print(f"[green]as it was recorded[/]: {told} (key {', '.join(verifier.key_ids)})", highlight=False)
        if not keys:
            console.print("The key lies beside the record: who changed both is not noticed. Keep a copy elsewhere and give it with --key.")
    return int(bool(faults))
