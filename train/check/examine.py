"""All checks over one or several manifests."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from streamer.errors import UsageError
from train.check import duplicates, leaks
from train.check.finding import LEVELS, Entry, Finding, Look
from train.check.look import look_at_all
from train.check.rows import Books, check_row
from train.manifest import read_manifest


@dataclass(frozen=True, slots=True)
class Examined:
    """What was looked at and what was found."""

    entries: tuple[Entry, ...]
    readable: int
    findings: tuple[Finding, ...]
    """Worst first."""


def load(manifests: Sequence[Path]) -> list[Entry]:
    """Give the rows of all manifests; their files are named relative to the first one's folder. Raises UsageError."""
    entries = []
    home = manifests[0].absolute().parent
    for manifest in manifests:
        for picture in read_manifest(manifest):
            path = manifest.parent / picture.file
            file = Path(os.path.relpath(path.absolute(), home)).as_posix() if len(manifests) > 1 else picture.file
            entries.append(Entry(replace(picture, file=file), path, manifest.name))
    if not entries:
        raise UsageError(f"{', '.join(map(str, manifests))}: holds no pictures; fill it with plate-train collect")
    return entries


def examine(entries: Sequence[Entry], tick: Callable[[], object] = lambda: None) -> Examined:
    """Run all checks; ``tick`` is called for every picture."""
    looks: list[Look | str] = []
    for look in look_at_all(entries):
        looks.append(look)
        tick()
    books = Books()
    findings = [finding for entry, look in zip(entries, looks, strict=True) for finding in check_row(entry, look, books)]
    findings += duplicates.exact(entries, looks)
    findings += duplicates.perceptual(entries, looks)
    for check in (leaks.groups, leaks.texts, leaks.licences):
        findings += check(entries)
    findings.sort(key=lambda found: (LEVELS.index(found.level), found.kind, -found.weight, found.files))
    return Examined(tuple(entries), sum(isinstance(look, Look) for look in looks), tuple(findings))
