"""Which pictures train and which validate: by group, told by a hash, so that more data move next to nothing that was there (pure)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from train.manifest import Split

_OFF = 1 / 3
"""By this part of it, chance may miss the share that validates; in small sets it would miss by more (of ten groups, half)."""


class Member(Protocol):
    """A picture, as far as splitting needs it."""

    @property
    def group(self) -> str:
        """Vehicle, clip or source: pictures of one group never come apart."""

    @property
    def split(self) -> Split | None:
        """Where its data set puts it; None: not said."""


def assign(members: Sequence[Member], share: float, seed: int) -> tuple[list[Split], list[str]]:
    """Give the split of each member, in order, and remarks for people.

    A given split is kept. A member without one follows its group, if others of the group have one; else the group's hash
    decides, as ``divide`` says; given groups count there. If that leaves nothing to validate on, the group with the lowest hash
    is taken for it, and if every split was given and none is ``val``, the training groups are divided anew. ``share``: of the
    groups that go to ``val``, 0..1. One single group cannot be divided: then there is no ``val`` and the caller decides what that
    means.
    """
    remarks = []
    by_group: dict[str, set[Split]] = {}
    for member in members:
        by_group.setdefault(member.group, set()).update({member.split} if member.split else ())
    if torn := sorted(group for group, splits in by_group.items() if len(splits) > 1):
        remarks.append(f"{len(torn)} groups were given in several splits and are kept so: {_few(torn)}")
    given: dict[str, Split] = {group: _first(splits) for group, splits in by_group.items() if splits}
    free = [group for group in by_group if group not in given]
    already = count(given.values())
    drawn: dict[str, Split] = divide(free, share, seed, need_val=not already["val"], train=already["train"])
    fixed: list[Split | None] = [member.split for member in members]
    if share and "val" not in (*drawn.values(), *(split for split in fixed if split)):
        train = [group for group in by_group if given.get(group, "train") == "train"]
        drawn = divide(train, share, seed, need_val=True)
        fixed = [None if split == "train" else split for split in fixed]
        given = {group: split for group, split in given.items() if split != "train"}
        if "val" in drawn.values():
            remarks.append(
                f"nothing was given to validate on: {sum(v == 'val' for v in drawn.values())} of {len(train)} groups are taken for it"
            )
    return [split or given.get(member.group) or drawn[member.group] for member, split in zip(members, fixed, strict=True)], remarks


def divide(groups: Iterable[str], share: float, seed: int, *, need_val: bool, train: int = 0) -> dict[str, Split]:
    """Give ``train`` or ``val`` for each group. ``need_val``: at least one is val, if there are two; one always trains.

    Every group has its place in 0..1, which depends on its name and the seed only; those whose place is below a border validate.
    The border is ``share``, and then no other group ever moves a group. Only where that puts more than a third too many or too few
    groups into ``val`` does the border move until it does not: among ten groups often, among some hundred seldom, among a thousand
    never. So when groups are added, one changes its side only if its place lies between the old border and the new one.
    ``train``: other groups that train already; what validates may be its share of them too.
    """
    order = sorted((place(group, seed), group) for group in set(groups))
    least = math.floor((1 - _OFF) * share * len(order))
    most = math.ceil((1 + _OFF) * share * (len(order) + train))
    number = min(max(sum(at < share for at, _ in order), least), most)
    number = min(max(number, int(need_val and share > 0)), len(order) - (not train))
    return {group: "val" if rank < number else "train" for rank, (_, group) in enumerate(order)}


def place(group: str, seed: int) -> float:
    """Give a number in 0..1 that depends on the group's name and the seed only."""
    digest = hashlib.sha256(f"{seed}/{group}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def count(splits: Iterable[Split]) -> Mapping[Split, int]:
    """Count the pictures of each split, train first."""
    counts: dict[Split, int] = {"train": 0, "val": 0}
    for split in splits:
        counts[split] = counts.get(split, 0) + 1
    return counts


def _first(splits: set[Split]) -> Split:
    return "train" if "train" in splits else min(splits)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
