"""The program that runs for months: builds the parts, starts them in order, takes changed configurations over, stops them in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from logging import getLogger
from pathlib import Path
from typing import Final

from streamer.app import build_pipeline, build_rules, configuration_of, sealer_from
from streamer.camerasources import check_cameras, source_of
from streamer.clips import LiveClips, rules_of
from streamer.config import Camera, Config
from streamer.config_file import load_config
from streamer.delivery import SinkThreads
from streamer.errors import ConfigError, UsageError
from streamer.events import Event, Making
from streamer.evidence import EvidenceFolder
from streamer.forgetting import Forgetting
from streamer.health import HealthServer
from streamer.lateclips import LateClips
from streamer.live.capture import LiveCapture
from streamer.live.changes import WHILE_RUNNING, changes
from streamer.live.health_state import Health, QueueState
from streamer.live.hostclock import HostClock
from streamer.live.motion import MotionGate
from streamer.live.recording import RecordingState, RecordingThread
from streamer.live.service import LiveService
from streamer.live.stats import CameraStats
from streamer.mailbox import Mailbox
from streamer.metrics import Metrics
from streamer.pipeline import Pipeline
from streamer.recorder import Recorder
from streamer.routes import build_sinks
from streamer.shedding import shedding_of
from streamer.signing import signer_in
from streamer.sinks.jsonl import JsonlSink
from streamer.store import STORE, Store
from streamer.timestamping import StampThread, stamping_of
from streamer.types import Passage, RawFrame

_log = getLogger(__name__)

VERSION: Final = version("plate-streamer")
LEAST_DRAIN_S: Final = 1.0
"""What sinks get to deliver the last events, however long the cameras took to end."""

Stamp = tuple[int, int]
"""Modification time (ns) and size of a file."""


class Daemon:
    """All parts of a running program. Used by one thread, but for ``health``, which any may call, also before ``start``."""

    def __init__(
        self,
        config: Config,
        directory: Path,
        *,
        file: Path | None = None,
        read_at: Stamp | None = None,
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> None:
        """Take the configuration, where events go, the file that ``reload`` reads again, and who is told of each recorded event.

        ``read_at``: ``modified`` of the file before it was read; without it, as it is now.

        Raises UsageError: no cameras, or a password cannot be had.
        """
        check_cameras(config)
        self.config = config
        self._directory = directory
        self._file = file
        self._read_at = self._seen = modified(file) if read_at is None else read_at
        self._on_event = on_event
        self._parts = ExitStack()
        self._began = time.monotonic()
        self._stopping = False
        self._service: LiveService | None = None
        self._recording: RecordingThread | None = None
        self._pipeline: Pipeline | None = None
        self._host_clock = HostClock()
        self._metrics = Metrics(VERSION)
        self._sinks = SinkThreads(())
        self._clips = LiveClips(rules_of(config))
        self._late_clips: LateClips | None = None
        self._forgetting: Forgetting | None = None
        self._stamping: StampThread | None = None
        self._shedding = shedding_of(config.evidence.keep_free_mb, directory)
        self._evidence = EvidenceFolder(directory)
        self._server: HealthServer | None = None
        self._recorder_in_use: Recorder | None = None

    @property
    def address(self) -> str | None:
        """URL of the health server, None where there is none."""
        return self._server.address if self._server is not None else None

    def start(self) -> None:
        """Start everything. Raises UsageError, WeightsError, MissingPackageError, StoreError, SinkError; what had begun is stopped."""
        with ExitStack() as undo:
            undo.callback(self._parts.close)
            self._evidence.sealer = sealer_from(self.config)  # before the models, which take long
            if self.config.health.enabled:  # first, so that who looks sees it start
                self._server = HealthServer(self.config.health, self._metrics, self.health)
                self._parts.callback(self._server.close)
                self._server.start()
            self._pipeline = build_pipeline(self.config, lambda frame, plates: self._running.observe(frame, plates))
            self._metrics.tell_models(detector=self._pipeline.detector.info, reader=self._pipeline.reader.info)
            recorder = self._recorder(self._pipeline)
            self._recording = RecordingThread(recorder, on_event=self._recorded, clips=self._late_clips)
            self._service = LiveService(
                self._pipeline,
                self._recording,
                self._capture_of,
                self._metrics,
                self.config.live,
                batch=self.config.batch,
                hold_s=self.config.passages.longest_window_s,
            )
            self._metrics.watch(self._service.snapshots)
            self._metrics.watch_queue("recording", self._queue)
            self._metrics.watch_sinks(self._sinks.snapshots)
            self._metrics.watch_disk(self._shedding.state)
            self._metrics.watch_clips(self._clips.states)
            self._metrics.watch_host_clock(self._host_clock.latest)
            self._sinks.start()
            if self._forgetting is not None:
                self._forgetting.start()
            if self._stamping is not None:
                self._metrics.watch_timestamps(self._stamping.state)
                self._stamping.start()
            self._service.start(self.config.cameras)
            undo.pop_all()

    def tick(self) -> None:
        """Look after everything: to be called about once a second. Raises what ended the analysis, a fault of the program."""
        self._running.supervise()
        self._host_clock.refresh()

    def changed(self) -> bool:
        """Say whether the configuration file is another one than the one in use; a file that is being written is waited for."""
        seen, self._seen = self._seen, modified(self._file)
        return self._seen != self._read_at and self._seen == seen

    def reload(self) -> None:
        """Read the configuration again and take over what can change while running; a bad one is refused, with its mistakes in the log."""
        if self._file is None:
            return
        self._read_at = modified(self._file)
        try:
            new = load_config(self._file)
            check_cameras(new)
            sealer = sealer_from(new)
        except (ConfigError, UsageError) as error:
            _log.error("the changed configuration is refused, the old one stays in use: %s", error)
            return
        found = changes(self.config, new)
        _log.info("configuration read again: %s", found)
        if sealer is None and self._evidence.sealer is not None:
            _log.warning("evidence is not sealed any more: evidence.seal_to is empty")
        self._evidence.sealer = sealer
        if found.rules:
            make_tracker, make_book = build_rules(new)
            self._running.adopt(lambda pipeline: pipeline.adopt(make_tracker, make_book))
        self._running.hold(new.passages.longest_window_s)
        self._clips.adopt(rules_of(new.model_copy(update={"privacy": self.config.privacy})))  # before a camera shows what it now hides
        self._running.apply(new.cameras)
        self._clips.forget(found.removed)
        for name in found.removed:
            self._metrics.forget(name)
        self.config = self.config.model_copy(update={section: getattr(new, section) for section in WHILE_RUNNING})
        if self._recorder_in_use is not None:
            self._recorder_in_use.adopt(configuration_of(self.config))

    def stop(self) -> list[str]:
        """Drain and stop everything; gives the names of threads that did not end in time. Raises what ended the analysis."""
        self._stopping = True
        deadline = time.monotonic() + self.config.live.drain_s
        with self._parts:
            left = self._service.stop(self.config.live.drain_s) if self._service is not None else []
            return left + self._sinks.stop(max(deadline - time.monotonic(), LEAST_DRAIN_S))

    def health(self) -> Health:
        """Say how everything is. Any thread."""
        service, recording = self._service, self._recording
        state = recording.state() if recording is not None else None
        heartbeat = service.heartbeat if service is not None else None
        dead = self._dead_threads(state)
        return Health(
            version=VERSION,
            uptime_s=time.monotonic() - self._began,
            stopping=self._stopping,
            detector=self._pipeline.detector.info if self._pipeline is not None else None,
            reader=self._pipeline.reader.info if self._pipeline is not None else None,
            inference_age_s=time.monotonic() - heartbeat if heartbeat is not None else None,
            recorder=self._queue(),
            recorder_error=state.failure if state is not None else None,
            dead_threads=dead,
            cameras=tuple(service.snapshots()) if service is not None else (),
            host_clock=self._host_clock.latest(),
            sinks=self._sinks.snapshots(),
            shedding=self._shedding.state(),
        )

    def _dead_threads(self, recording: RecordingState | None) -> tuple[str, ...]:
        if self._stopping or recording is None:
            return ()
        forgetting = self._forgetting
        alive = {"recording": recording.alive, "purge": forgetting is None or forgetting.alive}
        alive["timestamps"] = self._stamping is None or self._stamping.alive
        return tuple(name for name, lives in alive.items() if not lives)

    @property
    def _running(self) -> LiveService:
        assert self._service is not None, "start() comes first"
        return self._service

    def _recorder(self, pipeline: Pipeline) -> Recorder:
        store = Store(self._directory / STORE, signer_in(self._directory))
        self._parts.callback(store.close)
        self._forgetting = Forgetting(self.config, store, self._directory)
        self._parts.callback(self._forgetting.close)
        self._stamping = stamping_of(self.config.timestamps, store)
        if self._stamping is not None:
            self._parts.callback(self._stamping.close)
        self._sinks = build_sinks(self.config, store, self._directory)
        self._parts.callback(self._sinks.stop, 0.0)
        sink = JsonlSink(self._directory, self.config.events)
        self._parts.callback(sink.close)
        self._late_clips = LateClips(self._clips, store, self._evidence, clock=lambda: datetime.now(UTC), shedding=self._shedding)
        self._recorder_in_use = Recorder(
            store,
            self._evidence,
            sink,
            Making(pipeline.detector.info, pipeline.reader.info, VERSION),
            configuration=configuration_of(self.config),
            states=self.config.events.states,
            clock=lambda: datetime.now(UTC),
            host_clock=self._clock_of_event,
            disclose=self._forgetting.disclosure.of,
            left_out=self._left_out,
            shedding=self._shedding,
            clips=self._late_clips,
        )
        return self._recorder_in_use

    def _clock_of_event(self) -> dict[str, object] | None:
        state = self._host_clock.latest()
        if state is None:
            return None
        return {"synchronised": state.synchronised, "source": state.source, "offset_s": state.offset_s, "error_s": state.error_s}

    def _recorded(self, passage: Passage, event: Event) -> None:
        stats = self._running.stats(passage.source_id)
        new = event["revision_reason"] != "clip"
        if stats is not None and new and event["state"] == "final":
            stats.record(plate=passage.plate is not None)
        ago_s = self._running.seen_ago_s(passage)
        if ago_s is not None and new and event["state"] != "withdrawn":
            self._metrics.event_latency(passage.source_id, event["state"], max(ago_s, 0.0))
        self._sinks.wake(event["sequence"])
        self._on_event(event)

    def _capture_of(self, name: str, config: Camera, mailbox: Mailbox[RawFrame], stats: CameraStats, first_session: int) -> LiveCapture:
        gate = MotionGate if config.motion_gate else None
        ring = self._clips.ring(name)
        source = source_of(name, config, ring)
        return LiveCapture(source, config, mailbox, stats, first_session=first_session, make_gate=gate, ring=ring)

    def _left_out(self, passage: Passage) -> None:
        """Count what must not be recorded."""
        stats = self._running.stats(passage.source_id)
        if stats is not None and passage.state == "final":
            stats.record(plate=passage.plate is not None)

    def _queue(self) -> QueueState:
        if self._recording is None:
            return QueueState(0, 0.0)
        state = self._recording.state()
        return QueueState(state.waiting, state.oldest_s)


def modified(file: Path | None) -> Stamp | None:
    """Tell one content of a file from another; None if it is not there."""
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
