"""Clips come into the record: with their event, if their end is there by then; else as its next revision.

An event never waits for its clip. Most final events come so late anyway (``passages.same_plate_window_s``) that the clip comes with them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from logging import getLogger
from typing import Final, Protocol

from streamer.chain import new_salt
from streamer.clips import Later
from streamer.errors import DiskFullError, StoreError
from streamer.events import Event, EvidenceFile, Place
from streamer.evidence import EvidenceFolder
from streamer.revisions import clip_added
from streamer.shedding import Shed, Shedding
from streamer.store import Store
from streamer.types import EncodedPicture, Passage

_log = getLogger(__name__)

HELD_BYTES: Final = 64 * 2**20
"""Of clips that wait in memory to be recorded; what more there is waits in the rings."""

_Key = tuple[str, str]


class Cutter(Protocol):
    """Who makes clips."""

    def cut(self, passage: Passage, *, ending: bool) -> EncodedPicture | Later | None:
        """Give the clip of a passage; Later if its end has not come yet (never with ``ending``); None if there is none."""

    def recorded(self, source_id: str, clip: EncodedPicture) -> None:
        """Take note of a clip that is in the record."""


@dataclass(slots=True)
class _Late:
    """An event that waits for its clip."""

    passage: Passage
    event_id: str
    clip: EncodedPicture | None = None
    file: EvidenceFile | None = None
    """Where the clip is, once it is written: sealed anew, it would be another file."""


class LateClips:
    """For one thread, the one that records."""

    def __init__(
        self, cutter: Cutter, store: Store, evidence: EvidenceFolder, *, clock: Callable[[], datetime], shedding: Shedding | None = None
    ) -> None:
        """Take built parts; ``evidence`` and ``shedding`` are the recorder's own; ``clock`` gives now, aware."""
        self._shedding = shedding or Shedding(0, lambda: 0)
        self._cutter = cutter
        self._store = store
        self._evidence = evidence
        self._clock = clock
        self._cut: dict[_Key, EncodedPicture | Later] = {}
        """Of passages that are being recorded: what was cut once stays, however often the store fails."""
        self._late: dict[_Key, _Late] = {}

    @property
    def waiting(self) -> int:
        """Events that wait for their clip."""
        return len(self._late)

    def with_clip(self, passage: Passage) -> Passage:
        """Give the passage with its clip, if it is over, pictures of it may be kept and the clip is there; ``recorded`` follows."""
        if passage.state != "final" or passage.crop.size == 0:
            return passage
        key = (passage.source_id, passage.key)
        if key not in self._cut:
            found = Later() if self._held() > HELD_BYTES else self._cutter.cut(passage, ending=False)
            if found is None:
                return passage
            self._cut[key] = found
        clip = self._cut[key]
        return passage if isinstance(clip, Later) else replace(passage, pictures=(*passage.pictures, clip))

    def recorded(self, passage: Passage, event: Event) -> None:
        """Take note that the passage is in the record, as this event."""
        key = (passage.source_id, passage.key)
        clip = self._cut.pop(key, None)
        kinds = {one["kind"] for one in event["evidence"]}
        if isinstance(clip, Later) and kinds:  # with no picture left there was no room for its crop, let alone a clip
            self._late[key] = _Late(passage, event["event_id"])
        elif isinstance(clip, EncodedPicture) and "clip" in kinds:
            self._cutter.recorded(passage.source_id, clip)

    def add(self, *, ending: bool) -> Iterator[tuple[Passage, Event]]:
        """Record the clips that are there now, all of them with ``ending``; gives each revision as soon as it is durable.

        Raises StoreError: this clip and those after it are not recorded; the next call tries it again.
        """
        for key, late in list(self._late.items()):
            if late.clip is None:
                found = self._cutter.cut(late.passage, ending=ending)
                if isinstance(found, Later):
                    continue
                late.clip = found
            event = self._record(late, late.clip) if late.clip is not None else None
            del self._late[key]
            if event is not None and late.clip is not None:
                if late.file is not None:
                    self._cutter.recorded(late.passage.source_id, late.clip)
                yield late.passage, event

    def _held(self) -> int:
        return sum(len(clip.content) for clip in self._cut.values() if isinstance(clip, EncodedPicture))

    def _record(self, late: _Late, clip: EncodedPicture) -> Event | None:
        """Record the revision that has the clip; None if the event was erased meanwhile: then the clip is, too."""
        revisions = self._store.revisions(late.event_id)
        last: Event | None = json.loads(revisions[-1].line) if revisions else None
        if last is None or not self._kept(last):
            _log.info("an event or its pictures were erased before its clip came: the clip is dropped")
            self._evidence.discard(self._store.recorded_files)
            return None
        late.file, shed = (late.file, ()) if late.file is not None else self._saved(late.passage, clip)
        picture = late.file
        (event,) = self._store.append([lambda place: self._revision(last, picture, shed, place)])
        self._evidence.settled()
        self._shedding.count(shed)
        return event

    def _saved(self, passage: Passage, clip: EncodedPicture) -> tuple[EvidenceFile | None, tuple[Shed, ...]]:
        """Save a clip if there is room for it. Raises StoreError."""
        why = self._shedding.leaves_out("clip")
        if why is None:
            try:
                return self._evidence.add(passage, clip), ()
            except DiskFullError as error:
                if not self._shedding.found_full(error):
                    raise
                why = "full_disk"
        return None, (Shed("clip", why),)

    def _revision(self, last: Event, clip: EvidenceFile | None, shed: Sequence[Shed], place: Place) -> Event:
        # Now, while nobody can record or erase: pictures that were erased must not be claimed again.
        kept = self._kept(last)
        if not kept:
            raise StoreError(f"event {last['event_id']}: its pictures were erased before its clip came")
        self._evidence.check([] if clip is None else [clip])
        told = [(one.kind, one.why) for one in shed]
        return clip_added(last, kept, clip, place, shed=told, salt=new_salt(), written_at=self._clock())

    def _kept(self, event: Event) -> list[Event]:
        """Give those pictures of an event that nobody has erased; there is always one where there may be any."""
        recorded = self._store.recorded_files([picture["file"] for picture in event["evidence"]])
        return [picture for picture in event["evidence"] if picture["file"] in recorded]
