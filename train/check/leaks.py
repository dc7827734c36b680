"""What must not be in two splits: groups and plates (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from train.check.duplicates import by_split
from train.check.finding import Entry, Finding, Level

SURE_LENGTH = 5
"""Characters from which the same text in two splits is the same vehicle and no chance."""
_SHOWN = 6


def groups(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Find groups in several splits."""
    members: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.picture.group and entry.picture.split:
            members[entry.picture.group].append(entry)
    for name, many in sorted(members.items()):
        if len({entry.picture.split for entry in many}) > 1:
            yield Finding("error", "group in several splits", f"{name!r}: {_counts(many)}", _some(many), weight=len(many))


def texts(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Find plate texts in several splits; texts with characters outside the alphabet name no vehicle."""
    holders: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        for text in {plate.text for plate in entry.picture.plates if plate.text and "*" not in plate.text}:
            if entry.picture.split:
                holders[text].append(entry)
    for text, many in sorted(holders.items()):
        if len({entry.picture.split for entry in many}) > 1:
            level: Level = "error" if len(text) >= SURE_LENGTH else "warning"
            yield Finding(level, "plate in several splits", f"{text}: {_counts(many)}", _some(many), weight=len(many))


def licences(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Find sources to which several licences are given."""
    given: dict[str, dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        given[entry.picture.source].setdefault(entry.picture.licence, entry)
    for source, names in sorted(given.items()):
        if source and len(names) > 1:
            said = ", ".join(name or "not known" for name in sorted(names))
            yield Finding("warning", "several licences of a source", f"{source}: {said}", _some(list(names.values())))


def _counts(entries: Sequence[Entry]) -> str:
    return ", ".join(f"{split} {count}" for split, count in sorted(by_split(entries).items()))


def _some(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Give some files of every split in turn, so that pictures of both sides are shown."""
    splits: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        splits[entry.picture.split or "none"].append(entry.picture.file)
    chosen = [files[place] for place in range(_SHOWN) for files in splits.values() if place < len(files)]
    return tuple(chosen[:_SHOWN])
