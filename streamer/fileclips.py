"""Clips of recordings: cut out of the files themselves, nothing is kept in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from logging import getLogger
from typing import Final

from streamer.clips import Chosen, Looks, Missing, Wanted, choose, clip_of
from streamer.errors import SourceError
from streamer.events import Event
from streamer.packetring import PlacedFrame, Stretch
from streamer.sources import Recording
from streamer.sources.file_packets import packets_between
from streamer.types import EncodedPicture, Passage, Stamp

_log = getLogger(__name__)

NO_CLIP: Final[Mapping[Missing, str]] = {
    "gone": "the look was not found in the recording: its time stamps had to be put right, or clips need more evidence.clip.memory_mb",
    "no_packets": "pictures are no video",
    "unusable": "the recording cannot be cut there",
}
"""What the causes mean here."""
_SAME_S: Final = 0.0015
"""A look and its packet are no further apart, unless the recording's time stamps were put right."""


class FileClips:
    """Adds clips to the passages of a replay (recorder.Clips). For one thread."""

    def __init__(
        self, recordings: Mapping[str, Sequence[Recording]], wanted: Wanted, *, most_bytes: int, without: Collection[str] = ()
    ) -> None:
        """Take the recordings of each source, by session; how long clips are; how large, bytes; sources of which there are none."""
        self._recordings = recordings
        self._wanted = wanted
        self._most_bytes = most_bytes
        self._without = frozenset(without)
        self.missing: Counter[tuple[str, Missing]] = Counter()
        """Events without a clip, by source and cause."""

    def with_clip(self, passage: Passage) -> Passage:
        """Give the passage with its clip, if it is over, pictures of it may be kept and there is one."""
        if passage.state != "final" or passage.crop.size == 0 or passage.source_id in self._without:
            return passage
        found = self._cut(passage)
        if isinstance(found, EncodedPicture):
            return replace(passage, pictures=(*passage.pictures, found))
        self.missing[passage.source_id, found] += 1
        return passage

    def recorded(self, passage: Passage, event: Event) -> None:
        """Nothing is left to do."""

    def _cut(self, passage: Passage) -> EncodedPicture | Missing:
        recordings = self._recordings.get(passage.source_id, ())
        if passage.session >= len(recordings) or recordings[passage.session].pictures:
            return "no_packets"
        looks = Looks(passage.first, passage.best, passage.last)
        end_s = (passage.last.t if _same_file(passage, passage.last) else passage.first.t + self._wanted.longest_s) + self._wanted.after_s
        begin_s = max(passage.first.t - self._wanted.before_s, end_s - self._wanted.longest_s)
        try:
            stretch = packets_between(recordings[passage.session].path, begin_s, end_s, self._most_bytes)
            placed = [frame for look in (looks.first, looks.best, looks.last) for frame in _placed(stretch, passage, look)]
            frames = sorted(set(placed), key=lambda frame: frame.number)
            found = choose([replace(stretch, placed=tuple(frames))], looks, self._wanted, ending=True)
            return clip_of(found) if isinstance(found, Chosen) else "gone"
        except SourceError as error:
            _log.warning("%s: an event without a clip: %s", passage.source_id, error)
            return "unusable"


def _same_file(passage: Passage, look: Stamp) -> bool:
    """Say whether a look is of the passage's first file: those of one file count from one moment on."""
    return look.wall - timedelta(seconds=look.t) - (passage.first.wall - timedelta(seconds=passage.first.t)) == timedelta(0)


def _placed(stretch: Stretch, passage: Passage, look: Stamp) -> list[PlacedFrame]:
    """Find the packet of a look."""
    if not _same_file(passage, look):
        return []
    near = [packet for packet in stretch.packets if packet.stamp_s is not None and abs(packet.stamp_s - look.t) <= _SAME_S]
    return [PlacedFrame(packet.number, passage.session, look.index, look.t, look.wall, None, by_stamps=True) for packet in near[:1]]
