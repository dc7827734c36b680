"""Timestamps in sealed packages, with the links of the chain from what they speak for to what was stamped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final, Protocol

from streamer.chain import Entry, hash_of
from streamer.stampcheck import Stamp, StampCheck, Stamped
from streamer.verify import Fault

STAMPS: Final = "timestamps.json"
ANSWERS: Final = "timestamps/"
"""Here lie the answers of the authorities, as ``openssl ts`` reads them."""
MOST_LINKS: Final = 100_000
"""Entries between a revision and its timestamp: more would make a package of links."""


class Witnesses(Protocol):
    """Checks timestamps, see ``stampwitness.Witness``."""

    told: Stamped

    def along(self, stamps: Iterable[Stamp]) -> StampCheck:
        """Give what checks timestamps along a chain."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A timestamp in a package; a ``stampcheck.Stamp``."""

    entry: int
    time: str
    answer: bytes


def stamp_files(
    ends: Sequence[int], speaking_for: Callable[[Sequence[int]], Sequence[Any]], links: Callable[[int, int, int], Sequence[Entry]]
) -> tuple[dict[str, bytes], int]:
    """Give the files of a package that hold its timestamps, by name, and how many of the proofs none speaks for.

    Args:
        ends: numbers of the last entries of all proofs.
        speaking_for: gives the first timestamp that speaks for each of some entries (``store.timestamps``).
        links: gives the entries from one to another, none if they are too many.
    """
    files: dict[str, bytes] = {}
    rows: list[dict[str, Any]] = []
    left = sorted(set(ends))
    unstamped: list[int] = []
    for stamp in speaking_for(left):
        mine = [end for end in left if end <= stamp.entry]
        left = left[len(mine) :]
        between = links(mine[0], stamp.entry, MOST_LINKS)
        if not between:
            unstamped += mine
            continue
        row = {"entry": stamp.entry, "time": stamp.time, "authority": stamp.authority}
        rows.append(row | {"links": [_link(one) for one in between]})
        files[f"{ANSWERS}{stamp.entry}.tsr"] = stamp.answer
    if rows:
        files[STAMPS] = json.dumps(rows).encode()
    missing = {*left, *unstamped}
    return files, sum(end in missing for end in ends)


def check_stamps(content: Mapping[str, bytes], ends: Mapping[int, str], witness: Witnesses) -> Iterator[Fault]:
    """Give what is wrong with the timestamps of a package.

    Args:
        content: its files.
        ends: the last entries of its proofs: number and hash.
        witness: checks them, and is told what they say.

    Raises:
        ValueError, KeyError, TypeError: the file that lists them is none.
    """
    spoken_for: set[int] = set()
    for row in json.loads(content.get(STAMPS, b"[]")):
        stamp = Kept(int(row["entry"]), str(row["time"]), content[f"{ANSWERS}{int(row['entry'])}.tsr"])
        links = [Entry(**one, payload=None) for one in row["links"]]
        problem = _broken(links, ends, stamp.entry)
        if problem is not None:
            yield Fault(f"timestamp of entry {stamp.entry}", problem)
            continue
        one = witness.along([stamp])
        before = witness.told.stamps
        one.see(links[-1])
        yield from one.faults()
        if witness.told.stamps > before:
            spoken_for |= {link.number for link in links}
    witness.told.after = len(set(ends) - spoken_for)


def _broken(links: Sequence[Entry], ends: Mapping[int, str], entry: int) -> str | None:
    """Say why links do not lead from the end of a proof to an entry; None if they do."""
    if not links or links[-1].number != entry or links[0].number not in ends:
        return "nothing leads to it from the events of the package"
    for link, following in pairwise(links):
        own = hash_of(link.hash, following.number, following.kind, following.digest)
        if following.number != link.number + 1 or own != following.hash:
            return f"entry {following.number} does not follow from the one before it"
    wrong = [link.number for link in links if link.hash != ends.get(link.number, link.hash)]
    return f"entry {wrong[0]} is another one than in its proof" if wrong else None


def _link(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if name in ("number", "kind", "digest", "hash")}
