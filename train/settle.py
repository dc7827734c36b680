"""Which rows of manifests train, validate and test, decided here for all commands (pure).

A command that measures must keep off what another one trained on, so the answer hangs on the rows of a manifest alone: not on
which of them a command can use, not on other manifests beside it, not on the seed of a training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, get_args

from streamer.errors import UsageError
from train.manifest import SPLITS, Picture, Split
from train.split import assign

VAL = 0.15
"""Share of the groups that validate, where nothing else is said."""
SEED = 0
"""Of the draw. Never that of a training: two runs could not be compared."""
ALL = "all"
Sort = Literal["boxed photo", "photo", "crop"]
"""What a row can be used for: a detector learns from photographs whose plates are all boxed, only a reader from the others."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Manifests whose rows all have a split."""

    manifests: tuple[tuple[Picture, ...], ...]
    """In the order in which they came."""
    drawn: Counter[Split]
    """Rows that came without a split, by the one they got."""
    remarks: tuple[str, ...]
    """For people."""

    @property
    def rows(self) -> tuple[Picture, ...]:
        """Those of all manifests."""
        return tuple(row for rows in self.manifests for row in rows)

    def told(self) -> list[str]:
        """Say how rows came to their splits."""
        if not self.drawn:
            return [*self.remarks]
        drawn = f"{self.drawn.total()} rows came without a split; it is drawn by group, alike in all commands: {counted(self.drawn)}"
        return [*self.remarks, drawn]


def settle(manifests: Sequence[Sequence[Picture]], share: float = VAL) -> Settled:
    """Give each row a split: its own, else that of its group, else one that is drawn as ``train.split.assign`` says.

    Each ``Sort``, with a licence and without, is drawn for itself, so that every command has something to validate on. If all
    splits were given and none is ``val``, the training groups of all manifests are divided anew: those of boxed photographs where
    none of these validates, those of crops where nothing does. ``share``: of the groups that validate, 0..1.
    """
    remarks: list[str] = []
    settled = [_of_manifest(rows, share, remarks) for rows in manifests]
    if not _validates(settled, "boxed photo"):
        _divide_anew(settled, "boxed photo", share, remarks)
    if not any(_validates(settled, sort) for sort in get_args(Sort)):
        _divide_anew(settled, "crop", share, remarks)
    remarks += _torn(settled)
    before, after = ([row for rows in some for row in rows] for some in (manifests, settled))
    drawn = Counter(new.split for old, new in zip(before, after, strict=True) if old.split is None and new.split)
    return Settled(tuple(map(tuple, settled)), drawn, tuple(dict.fromkeys(remarks)))


def chosen_split(word: str) -> Split | None:
    """Give the split that an option names; None for ``all``. Raises UsageError."""
    if word != ALL and word not in SPLITS:
        raise UsageError(f"--split {word}: must be {', '.join(SPLITS)} or {ALL}")
    return next((split for split in SPLITS if split == word), None)


def counted(splits: Counter[Split]) -> str:
    """Say how many rows of which split: ``8 train, 2 val``."""
    return ", ".join(f"{splits[split]} {split}" for split in SPLITS if splits[split])


@dataclass(frozen=True, slots=True)
class _Member:
    group: str
    split: Split | None


def group_of(row: Picture) -> str:
    """Give what a row never comes apart from; a row without a group stands alone."""
    return row.group or row.sha256 or row.file


def _of_manifest(rows: Sequence[Picture], share: float, remarks: list[str]) -> list[Picture]:
    settled = list(rows)
    for sort, licensed in product(get_args(Sort), (True, False)):
        places = [place for place in _places(settled, sort) if bool(settled[place].licence) == licensed]
        if all(settled[place].split for place in places):
            continue
        known = _known(settled)  # a crop follows the photograph of its vehicle
        members = [_Member(group := group_of(settled[place]), settled[place].split or known.get(group)) for place in places]
        _put(settled, places, members, share, remarks)
    return settled


def _validates(settled: Sequence[list[Picture]], sort: Sort) -> bool:
    return any(row.split == "val" and _sort(row) == sort for rows in settled for row in rows)


def _divide_anew(settled: Sequence[list[Picture]], sort: Sort, share: float, remarks: list[str]) -> None:
    rows = [row for some in settled for row in some]
    places = _places(rows, sort)
    _put(rows, places, [_Member(group_of(rows[place]), rows[place].split) for place in places], share, remarks)
    whole = iter(rows)
    for some in settled:
        some[:] = [next(whole) for _ in some]


def _known(rows: Sequence[Picture]) -> dict[str, Split]:
    known: dict[str, Split] = {}
    for row in rows:
        if row.split and known.get(group_of(row)) != "train":
            known[group_of(row)] = row.split
    return known


def _torn(manifests: Sequence[Sequence[Picture]]) -> Iterator[str]:
    if len(manifests) < 2:
        return
    found: dict[str, set[Split]] = {}
    for rows in manifests:
        for group, split in _known(rows).items():
            found.setdefault(group, set()).add(split)
    if torn := sorted(group for group, splits in found.items() if len(splits) > 1):
        yield f"{len(torn)} groups are in different splits in different manifests, such as {torn[0]}: give them one split"


def _sort(row: Picture) -> Sort:
    if row.kind == "crop":
        return "crop"
    return "photo" if any(plate.box is None and plate.corners is None for plate in row.plates) else "boxed photo"


def _places(rows: Sequence[Picture], sort: Sort) -> list[int]:
    return [place for place, row in enumerate(rows) if _sort(row) == sort]


def _put(rows: list[Picture], places: Sequence[int], members: Sequence[_Member], share: float, remarks: list[str]) -> None:
    splits, said = assign(members, share, SEED)
    remarks += said
    for place, split in zip(places, splits, strict=True):
        rows[place] = replace(rows[place], split=split)


def of_split(rows: Sequence[Picture], split: Split | None) -> Iterator[Picture]:
    """Give the rows of a split; None: all."""
    return (row for row in rows if split in (None, row.split))
