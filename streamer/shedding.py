"""What becomes of evidence when the disk gets full: pictures are left out before any event is, in a fixed order, told and counted."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from streamer.errors import DiskFullError
from streamer.events import EvidenceKind
from streamer.types import Passage

_log = logging.getLogger(__name__)

ORDER: Final[tuple[EvidenceKind, ...]] = ("clip", "scene", "vehicle", "crop")
"""Largest first. The first is left out below the whole of what is to be kept free, the last below a quarter: that quarter is for events."""
RELIEF: Final = 1.1
"""What is left out comes back when this times the limit is free: otherwise each picture would turn it."""
FULL_S: Final = 60.0
"""So long after a picture found no room all are left out, however much seems to be free: there are quotas, and inodes run out."""

_MEGABYTE: Final = 1_000_000

ShedReason = Literal["low_disk", "full_disk"]
"""Less is free than ``evidence.keep_free_mb``; a picture found no room."""


@dataclass(frozen=True, slots=True)
class Shed:
    """A picture that was left out of an event."""

    kind: EvidenceKind
    why: ShedReason


@dataclass(frozen=True, slots=True)
class SheddingState:
    """How it stands."""

    kinds: tuple[EvidenceKind, ...]
    """What is left out now."""
    free_bytes: int | None
    """Of the disk, for this user, when it was last looked at; None: it was not, yet."""
    keep_free_bytes: int
    shed: Mapping[EvidenceKind, int]
    """Pictures that were left out of events that are recorded, since the program began; every kind is named."""


def limits(keep_free_bytes: int) -> dict[EvidenceKind, float]:
    """Give for each kind how many bytes must be free that it is kept."""
    return {kind: keep_free_bytes * (len(ORDER) - place) / len(ORDER) for place, kind in enumerate(ORDER)}


def without(passage: Passage, kinds: Collection[EvidenceKind], why: ShedReason) -> tuple[Passage, tuple[Shed, ...]]:
    """Give a passage without pictures of some kinds, and what was left out of it."""
    left: list[EvidenceKind] = [one.kind for one in passage.pictures if one.kind in kinds]
    pictures = tuple(one for one in passage.pictures if one.kind not in kinds)
    if "crop" in kinds and passage.crop.size:
        # Without its crop a passage has no pictures at all, see ``evidence``.
        left, pictures = ["crop", *(one.kind for one in passage.pictures)], ()
        passage = replace(passage, crop=np.zeros((0, 0, 3), np.uint8))
    return replace(passage, pictures=pictures) if left else passage, tuple(Shed(kind, why) for kind in left)


def shedding_of(keep_free_mb: float, folder: Path) -> Shedding:
    """Give what decides for a folder's evidence, by ``evidence.keep_free_mb``."""
    return Shedding(int(keep_free_mb * _MEGABYTE), lambda: free_bytes(folder))


def free_bytes(folder: Path) -> int:
    """Give how much of a folder's disk is free for this user. Raises OSError."""
    there = next(level for level in (folder, *folder.parents) if level.exists())
    return shutil.disk_usage(there).free


class Shedding:
    """Decides what is left out. One thread decides, any may ask for the state."""

    def __init__(self, keep_free_bytes: int, free: Callable[[], int], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Take how much is to be kept free (0: nothing is ever left out), what tells how much is, and monotonic seconds."""
        self._keep_free = keep_free_bytes
        self._limits = limits(keep_free_bytes)
        self._free = free
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: frozenset[EvidenceKind] = frozenset()
        self._free_bytes: int | None = None
        self._full_at: float | None = None
        self._shed: Counter[EvidenceKind] = Counter()

    def trim(self, passages: Sequence[Passage]) -> list[tuple[Passage, tuple[Shed, ...]]]:
        """Give passages as far as there is room for their pictures, each with what was left out."""
        if not self._keep_free or not passages:
            return [(passage, ()) for passage in passages]
        self._look()
        return [without(passage, self._kinds, self._why) for passage in passages]

    def leaves_out(self, kind: EvidenceKind) -> ShedReason | None:
        """Say why a picture that came later is left out; None if there is room for it."""
        if self._keep_free:
            self._look()
        return self._why if kind in self._kinds else None

    def found_full(self, error: DiskFullError) -> bool:
        """Take that pictures found no room; False if nothing may be left out, or everything is already."""
        if not self._keep_free or self._kinds == frozenset(ORDER):
            return False
        self._full_at = self._clock()
        self._turn(frozenset(ORDER), self._free_bytes, str(error))
        return True

    def count(self, shed: Sequence[Shed]) -> None:
        """Take what was left out of an event that is recorded."""
        with self._lock:
            self._shed.update(one.kind for one in shed)

    def state(self) -> SheddingState:
        """Say how it stands. Any thread."""
        with self._lock:
            kinds = tuple(kind for kind in ORDER if kind in self._kinds)
            return SheddingState(kinds, self._free_bytes, self._keep_free, {kind: self._shed[kind] for kind in ORDER})

    @property
    def _why(self) -> ShedReason:
        return "low_disk" if self._full_at is None else "full_disk"

    def _look(self) -> None:
        try:
            free = self._free()
        except OSError as error:
            _log.warning("nobody knows how much of the disk is free: %s; evidence is kept", error.strerror or error)
            return
        if self._full_at is not None and self._clock() - self._full_at < FULL_S:
            return
        self._full_at = None
        low = {kind for kind, limit in self._limits.items() if free < limit * (RELIEF if kind in self._kinds else 1.0)}
        self._turn(frozenset(low), free, f"{free // _MEGABYTE} MB are free, and evidence.keep_free_mb is {self._keep_free // _MEGABYTE}")

    def _turn(self, kinds: frozenset[EvidenceKind], free: int | None, why: str) -> None:
        with self._lock:
            before, self._kinds, self._free_bytes = self._kinds, kinds, free
        if kinds == before:
            return
        if kinds:
            named = ", ".join(kind for kind in ORDER if kind in kinds)
            _log.warning("evidence is left out of events from now on: %s: %s", named, why)
        else:
            _log.warning("all evidence is kept again: %s", why)
