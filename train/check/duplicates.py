"""Pictures that are there twice: the same file, or the same picture to the eye, mirrored too (pure).

Hashes choose which pairs are compared, because they are cheap; thumbnails decide, because plates and roads all look a little alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from train.check.finding import Entry, Finding, Level, Look
from train.check.look import mirror

BITS = 12
"""Of 64, by which the hashes of one picture in two compressions or sizes may differ."""
ALIKE = {"photo": 0.97, "crop": 0.985}
"""Correlation of thumbnails from which two pictures count as the same: crops all show letters on a plate."""
_BLOCK = 512


def exact(entries: Sequence[Entry], looks: Sequence[Look | str]) -> Iterator[Finding]:
    """Find files with the same bytes."""
    same: dict[str, list[Entry]] = defaultdict(list)
    for entry, look in zip(entries, looks, strict=True):
        if isinstance(look, Look):
            same[look.sha256].append(entry)
    for many in same.values():
        if len(many) > 1:
            level, kind = _grade(many, "same file", expected="warning")
            differ = "" if _agree(many) else ", and their labels differ"
            yield Finding(
                level if _agree(many) else "error", kind, f"{len(many)} times the same file{differ}", _files(many), weight=len(many)
            )


def perceptual(entries: Sequence[Entry], looks: Sequence[Look | str]) -> Iterator[Finding]:
    """Find pairs that look the same, apart from those whose files are the same."""
    seen = [(entry, look) for entry, look in zip(entries, looks, strict=True) if isinstance(look, Look) and not look.flat]
    for kind in ("photo", "crop"):
        chosen = [(entry, look) for entry, look in seen if entry.picture.kind == kind]
        for first, second, alike, mirrored in _pairs([look for _, look in chosen], ALIKE[kind]):
            one, other = chosen[first][0], chosen[second][0]
            if _texts_differ(one, other):
                continue
            level, name = _grade((one, other), "mirrored picture" if mirrored else "same picture")
            yield Finding(level, name, f"alike to {alike:.3f}", _files((one, other)), weight=alike)


def _pairs(looks: Sequence[Look], threshold: float) -> Iterator[tuple[int, int, float, bool]]:
    """Give pairs with their correlation, and whether one is the other's mirror image; each pair once, in its better form."""
    if not looks:
        return
    hashes = np.array([look.hashes for look in looks], np.uint64)
    turned = np.array([look.mirrored for look in looks], np.uint64)
    thumbnails = np.stack([look.thumbnail for look in looks])
    best: dict[tuple[int, int], tuple[float, bool]] = {}
    for mirrored, others, faces in ((False, hashes, thumbnails), (True, turned, mirror(thumbnails))):
        for start in range(0, len(looks), _BLOCK):
            near = _near(hashes[start : start + _BLOCK], others)
            alike = thumbnails[start : start + _BLOCK] @ faces.T
            rows, columns = np.nonzero(near & (alike >= threshold))
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                pair = (start + row, column)
                if pair[0] >= column or looks[pair[0]].sha256 == looks[column].sha256:
                    continue
                value = float(alike[row, column])
                if pair not in best or value > best[pair][0]:
                    best[pair] = value, mirrored
    for (first, second), (value, mirrored) in sorted(best.items()):
        yield first, second, value, mirrored


def _near(a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Tell for (n, 2) and (m, 2) hashes which pairs are near by either of them: (n, m)."""
    near = [np.bitwise_count(a[:, None, i] ^ b[None, :, i]) <= BITS for i in range(2)]
    return np.asarray(near[0] | near[1], np.bool_)


def _grade(entries: Sequence[Entry], name: str, expected: Level = "note") -> tuple[Level, str]:
    """Across splits it is a leak; that frames of one clip are alike is to be expected; else it counts double for no reason."""
    splits = {entry.picture.split for entry in entries} - {None}
    if len(splits) > 1:
        return "error", f"{name} across splits"
    groups = {entry.picture.group for entry in entries}
    return (expected, f"{name} in a group") if len(groups) == 1 and groups != {""} else ("warning", name)


def _texts_differ(one: Entry, other: Entry) -> bool:
    """Two plates that both have texts are one only if the texts are the same: the picture alone hardly tells crops apart."""
    texts = [sorted(plate.text for plate in entry.picture.plates if plate.text) for entry in (one, other)]
    return bool(texts[0] and texts[1] and texts[0] != texts[1])


def _agree(entries: Sequence[Entry]) -> bool:
    """Tell whether the labels are the same to a pixel."""
    labels: set[object] = set()
    for entry in entries:
        plates = entry.picture.plates
        labels.add(tuple((tuple(round(edge) for edge in plate.box) if plate.box else None, plate.text) for plate in plates))
    return len(labels) == 1


def _files(entries: Sequence[Entry]) -> tuple[str, ...]:
    return tuple(entry.picture.file for entry in entries)


def by_split(entries: Sequence[Entry]) -> Mapping[str, int]:
    """Count the splits of entries."""
    counts: dict[str, int] = defaultdict(int)
    for entry in entries:
        counts[entry.picture.split or "none"] += 1
    return counts
