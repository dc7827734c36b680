"""Recorded sources through the pipeline into the record: what ``plate-streamer replay`` does, without its printing."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streamer.capture import Capture, SessionReport
from streamer.config import FileSource
from streamer.errors import UsageError
from streamer.events import Event
from streamer.mailbox import Mailbox
from streamer.pipeline import Pipeline
from streamer.recorder import Recorder
from streamer.sources import Recording, StartRules, find_recordings, sessions_of
from streamer.types import Frame, Passage

WINDOW_S = 0.05
"""How long a batch that is not full waits for the decoder."""


@dataclass(frozen=True, slots=True)
class ReplaySource:
    """A source and its recordings, which become its sessions one after the other."""

    source_id: str
    config: FileSource
    recordings: tuple[Recording, ...]

    @property
    def expected_frames(self) -> int | None:
        """Frames that will be analysed, estimated by the containers; None if one does not say."""
        counts = [recording.look(self.config.picture_fps).frame_count for recording in self.recordings]
        return sum(-(-count // self.config.every) for count in counts if count) if all(counts) else None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is."""

    source_id: str
    frames: int
    """Analysed so far, over all sources."""
    media_s: float
    """Seconds of recordings so far."""
    elapsed_s: float


@dataclass(slots=True)
class Summary:
    """What a replay came to."""

    events: list[Event] = field(default_factory=list)
    """As recorded, in order."""
    reports: list[SessionReport] = field(default_factory=list)
    frames: int = 0
    media_s: float = 0.0
    elapsed_s: float = 0.0
    interrupted: bool = False


def sources_of_paths(paths: Sequence[str], settings: Callable[[Path], FileSource]) -> list[ReplaySource]:
    """Make a source of each path (file, folder or pattern), named after it. Raises UsageError naming what is not there."""
    sources: list[ReplaySource] = []
    taken: set[str] = set()
    for path in paths:
        source_id = _free_name(Path(path), taken)
        taken.add(source_id)
        sources.append(ReplaySource(source_id, settings(Path(path)), tuple(find_recordings([path]))))
    return sources


def sources_of_config(sources: dict[str, FileSource]) -> list[ReplaySource]:
    """Make the sources that a configuration names. Raises UsageError naming the source whose path is not there."""
    made = []
    for source_id, config in sources.items():
        try:
            made.append(ReplaySource(source_id, config, tuple(find_recordings([config.path]))))
        except UsageError as error:
            raise UsageError(f"sources.{source_id}: {error}") from error
    return made


def replay(
    sources: Sequence[ReplaySource],
    pipeline: Pipeline,
    recorder: Recorder,
    stop: threading.Event,
    *,
    batch: int,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_events: Callable[[Sequence[Event]], None] = lambda events: None,
) -> Summary:
    """Run the sources one after the other, so that the log has one order; every frame is analysed.

    ``stop`` ends it early: what was seen until then is still recorded. Troubles of single recordings are in the summary's
    reports. Raises what the parts raise for the rest.
    """
    summary = Summary()
    began = time.monotonic()
    for source in sources:
        if stop.is_set():
            break
        for passages in _run(source, pipeline, stop, batch, summary):
            events = recorder.record(passages)
            summary.events += events
            summary.elapsed_s = time.monotonic() - began
            on_events(events)
            on_progress(Progress(source.source_id, summary.frames, summary.media_s, summary.elapsed_s))
    summary.interrupted = stop.is_set()
    return summary


def _run(source: ReplaySource, pipeline: Pipeline, stop: threading.Event, batch: int, summary: Summary) -> Iterator[list[Passage]]:
    config = source.config
    # Two batches of room: the decoder works on the next one while this one is analysed.
    mailbox: Mailbox[Frame] = Mailbox(files=[source.source_id], depth=2 * batch)
    rules = StartRules(config.start, config.start_pattern, config.time_zone)
    capture = Capture(
        source.source_id,
        sessions_of(source.recordings, rules, picture_fps=config.picture_fps),
        mailbox,
        stop,
        every=config.every,
        on_report=summary.reports.append,
    )
    capture.start()
    try:
        last: dict[int, float] = {}
        before_s = summary.media_s
        while items := mailbox.take(batch, WINDOW_S):
            for item in items:
                if isinstance(item, Frame):
                    summary.frames += 1
                    last[item.session] = item.t
            summary.media_s = before_s + sum(last.values())
            yield pipeline.process(items)
            if stop.is_set():
                break
        yield pipeline.finish(source.source_id)
    finally:
        mailbox.close()
        capture.join()


def _free_name(path: Path, taken: set[str]) -> str:
    stem = path.stem if path.suffix and not path.is_dir() else path.name
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:56] or "source"
    candidates = (name if k == 1 else f"{name}-{k}" for k in range(1, len(taken) + 2))
    return next(candidate for candidate in candidates if candidate not in taken)
