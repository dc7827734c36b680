"""``plate-streamer replay``: the recorded sources of a configuration or a command line, with progress, table and log."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from logging import getLogger
from pathlib import Path
from types import FrameType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from streamer.annotate import AnnotatedVideo
from streamer.app import build_pipeline, configuration_of, sealer_from
from streamer.clips import pictures_are_kept, wanted_of
from streamer.config import Config, FileSource
from streamer.errors import UsageError
from streamer.events import Event, Making, plate_label, to_line
from streamer.evidence import EvidenceFolder
from streamer.fileclips import NO_CLIP, FileClips
from streamer.forgetting import Forgetting
from streamer.outgoing import SinkSnapshot
from streamer.recorder import Recorder
from streamer.replay import Progress as Step
from streamer.replay import ReplaySource, Summary, replay, sources_of_config, sources_of_paths
from streamer.routes import build_sinks
from streamer.shedding import shedding_of
from streamer.signing import signer_in
from streamer.sinks.jsonl import JsonlSink
from streamer.store import STORE, Store

_log = getLogger(__name__)

DRAIN_S = 3600.0
"""How long sinks that go on may take at the end; one that fails is left after one attempt more."""
INTERRUPTED_DRAIN_S = 10.0
EVENTS_SHOWN = 200
"""Longest table; a log is the place for more."""


def run_replay(
    config: Config, paths: Sequence[str], *, out: Path | None, annotate: bool, as_json: bool, every: int | None, start: str | None
) -> int:
    """Replay; gives the exit code: 0, or 2 if a recording could not be read or not to its end."""
    sources = _sources(config, paths, every, start)
    directory = out or config.events.directory
    if annotate and config.privacy.mode != "full":
        raise UsageError("--annotate: a video with the plates drawn in cannot be made with privacy.mode: " + config.privacy.mode)
    sealer = sealer_from(config)
    if annotate and sealer is not None:
        raise UsageError("--annotate: writes a video that anybody can see, and evidence.seal_to says that only holders of a key may look")
    console = Console(stderr=True)
    stop = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(_stopped_by_signals(stop))
        video = AnnotatedVideo(directory) if annotate else None
        if video is not None:
            stack.callback(video.close)
        pipeline = build_pipeline(config, video)
        store = Store(directory / STORE, signer_in(directory))
        stack.callback(store.close)
        forgetting = Forgetting(config, store, directory)
        sinks = build_sinks(config, store, directory)
        stack.callback(sinks.stop, 0.0)
        sink = JsonlSink(directory, config.events)
        stack.callback(sink.close)
        clips = _clips(config, sources)
        shedding = shedding_of(config.evidence.keep_free_mb, directory)
        recorder = Recorder(
            store,
            EvidenceFolder(directory, sealer),
            sink,
            Making(pipeline.detector.info, pipeline.reader.info, version("plate-streamer")),
            configuration=configuration_of(config),
            states=config.events.states,
            clock=lambda: datetime.now(UTC),
            disclose=forgetting.disclosure.of,
            shedding=shedding,
            clips=clips,
        )
        sinks.start()
        bar = stack.enter_context(_progress(console, sources))

        def show(events: Sequence[Event]) -> None:
            if events:
                sinks.wake(events[-1]["sequence"])
            if as_json and events:
                sys.stdout.writelines(to_line(event) + "\n" for event in events)
                sys.stdout.flush()

        summary = replay(sources, pipeline, recorder, stop, batch=config.batch, on_progress=bar, on_events=show)
        sinks.stop(INTERRUPTED_DRAIN_S if summary.interrupted else DRAIN_S)
        waiting = [state for state in sinks.snapshots() if state.lag_events or state.dead_letters]
    out_console = console if as_json else _wide_enough(Console())
    _conclude(out_console, summary, directory, video)
    for (source_id, why), count in sorted(clips.missing.items()) if clips is not None else ():
        out_console.print(f"{source_id}: {count} events without a clip ({NO_CLIP[why]})", style="yellow", highlight=False, markup=False)
    shed = {kind: count for kind, count in shedding.state().shed.items() if count}
    if shed:
        told = ", ".join(f"{kind} {count}" for kind, count in shed.items())
        out_console.print(f"left out because the disk gets full (evidence.keep_free_mb): {told}", style="yellow", highlight=False)
    for state in waiting:
        out_console.print(f"sink {state.name}: {_left(state)}", style="yellow", highlight=False, markup=False)
    return 2 if any(report.error is not None or report.missing_s > 0 for report in summary.reports) else 0


def _clips(config: Config, sources: Sequence[ReplaySource]) -> FileClips | None:
    clip = config.evidence.clip
    if not clip.enabled or not pictures_are_kept(config):
        return None
    recordings = {source.source_id: source.recordings for source in sources}
    return FileClips(recordings, wanted_of(clip), most_bytes=round(clip.memory_mb * 1e6), without=clip.without)


def _left(state: SinkSnapshot) -> str:
    """Say what a sink did not get."""
    parts = [f"{state.lag_events} events not delivered yet ({state.failure or 'no time left'})"] if state.lag_events else []
    parts += [f"{state.dead_letters} dead letters"] if state.dead_letters else []
    return f"{', '.join(parts)}; see plate-streamer deliver --help"


def _sources(config: Config, paths: Sequence[str], every: int | None, start: str | None) -> list[ReplaySource]:
    given: dict[str, Any] = {}
    if every is not None:
        given["every"] = every
    if start is not None:
        try:
            given["start"] = datetime.fromisoformat(start)
        except ValueError as error:
            raise UsageError(f"--start {start}: is not a time such as 2026-05-01T08:00:00+02:00") from error
    if paths:
        named = sources_of_paths(paths, lambda path: FileSource(path=path, **given))
        for name in sorted(set(config.evidence.redact.regions) - {source.source_id for source in named}):
            what = "evidence.redact.regions: none of these recordings is called %s, so its regions hide nothing here; there are: %s"
            _log.warning(what, name, ", ".join(source.source_id for source in named))
        return named
    if not config.sources:
        raise UsageError("nothing to replay: name recordings, or a configuration with sources")
    return sources_of_config({name: source.model_copy(update=given) for name, source in config.sources.items()})


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Let the first Ctrl-C (or SIGTERM) drain: what was seen becomes events. The second leaves at once."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()
        for known, handler in before.items():
            signal.signal(known, handler)

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Bar:
    """The progress bar's callback."""

    def __init__(self, progress: Progress, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=total, fps="", factor="")

    def __call__(self, step: Step) -> None:
        seconds = max(step.elapsed_s, 1e-6)
        self._progress.update(
            self._task,
            completed=step.frames,
            description=step.source_id,
            fps=f"{step.frames / seconds:.1f} frames/s",
            factor=f"{step.media_s / seconds:.2f} x real time",
        )


@contextmanager
def _progress(console: Console, sources: Sequence[ReplaySource]) -> Iterator[_Bar]:
    expected = [source.expected_frames for source in sources]
    total = sum(count for count in expected if count is not None) if None not in expected else None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[fps]}"),
        TextColumn("{task.fields[factor]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress, total)


def _wide_enough(console: Console) -> Console:
    """Where the output is no terminal, rich assumes 80 columns and would break the table."""
    return console if console.is_terminal else Console(width=160)


def _conclude(console: Console, summary: Summary, directory: Path, video: AnnotatedVideo | None) -> None:
    finals = [event for event in summary.events if event["state"] == "final"]
    table = Table(title=f"{len(finals)} vehicle{'s' if len(finals) != 1 else ''}", title_justify="left", box=SIMPLE_HEAD)
    for name in ("source", "plate", "score", "from", "first seen (UTC)", "last seen", "looks", "reads"):
        table.add_column(name, justify="right" if name in ("score", "looks", "reads") else "left", no_wrap=name != "source")
    for event in finals[:EVENTS_SHOWN]:
        table.add_row(*_cells(event))
    console.print(table)
    if len(finals) > EVENTS_SHOWN:
        console.print(f"... and {len(finals) - EVENTS_SHOWN} more")
    seconds = max(summary.elapsed_s, 1e-6)
    console.print(
        f"{summary.frames} frames in {seconds:.1f} s: {summary.frames / seconds:.1f} frames/s, "
        f"{summary.media_s / seconds:.2f} x real time{' (interrupted)' if summary.interrupted else ''}",
        highlight=False,
    )
    for report in summary.reports:
        if report.trouble is not None:
            console.print(f"trouble: {report.trouble}", style="yellow", highlight=False, markup=False)
    places = [directory / "events.jsonl", directory / "crops", *(video.paths if video is not None else [])]
    console.print("see: " + "  ".join(str(place) for place in places if place.exists()), highlight=False, soft_wrap=True, markup=False)


def _cells(event: Event) -> list[str]:
    score, read = event["score"], f", read {event['raw']}" if event["raw"] else ""
    return [
        event["source"],
        plate_label(event["plate"], event["unread_chars"]) if event["plate"] else f"- ({event['reason']}{read})",
        "" if score is None else f"{score:.2f}",
        event["country"] or "",
        event["first"]["time"][:21].replace("T", " "),
        event["last"]["time"][11:21],
        str(event["looks"]),
        str(event["reads"]),
    ]
