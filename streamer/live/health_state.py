"""How a running program is: one moment of it, and what that means. Pure.

``Health`` is filled by whoever runs the parts; ``health`` serves it over HTTP, and the watchdog asks ``needs_restart``.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamer.live.stats import CameraSnapshot
from streamer.outgoing import SinkSnapshot
from streamer.shedding import SheddingState
from streamer.types import ModelInfo

INFERENCE_STUCK_S = 10.0
"""The inference thread shows life with every batch and, without frames, every second; a batch takes less than two on two cores."""

RECORD_STUCK_S = 30.0
"""A passage is recorded in milliseconds; a disk under load takes seconds."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """What waits in a queue."""

    depth: int
    oldest_s: float
    """Seconds that the oldest entry has waited; 0.0 if there is none."""


@dataclass(frozen=True, slots=True)
class HostClockState:
    """What this machine's time service says of its clock; None where it does not say."""

    source: str | None
    """``chrony``, ``systemd-timesyncd`` or ``kernel``."""
    synchronised: bool | None
    offset_s: float | None
    """Seconds that this machine's clock is ahead of true time, as estimated; negative if behind."""
    error_s: float | None
    """Largest error of the clock, as estimated, seconds."""


@dataclass(frozen=True, slots=True)
class Recent:
    """How the work has gone lately; None where there was none."""

    batch_frames: float | None = None
    """Mean of the last batches."""
    frame_age_p50_s: float | None = None
    frame_age_p95_s: float | None = None
    """Of the last frames, when their analysis began."""
    event_latency_p50_s: float | None = None
    event_latency_p95_s: float | None = None
    """Of the last events, from the vehicle's last frame to the record."""


@dataclass(frozen=True, slots=True)
class Health:
    """One moment of the whole program."""

    version: str
    uptime_s: float
    stopping: bool
    """It drains, or has ended."""
    detector: ModelInfo | None
    """None until it is loaded; so is ``reader``."""
    reader: ModelInfo | None
    inference_age_s: float | None
    """Seconds since the inference thread last showed life; None before it began."""
    recorder: QueueState
    recorder_error: str | None
    """Why events cannot be recorded now; None if they can."""
    dead_threads: tuple[str, ...]
    """Threads that should run and do not."""
    cameras: tuple[CameraSnapshot, ...]
    host_clock: HostClockState | None
    sinks: tuple[SinkSnapshot, ...] = ()
    """One that fails is no problem of the program: its events wait in the store, and the metrics tell."""
    shedding: SheddingState | None = None
    """Which evidence is left out because the disk gets full; None until the recording has begun."""


def needs_restart(health: Health) -> tuple[str, ...]:
    """Say what nothing but a restart would repair; empty if all is well. A watchdog must not be fed meanwhile."""
    found = [f"thread {name} has ended" for name in health.dead_threads]
    if health.inference_age_s is not None and health.inference_age_s > INFERENCE_STUCK_S and not health.stopping:
        found.append(f"the analysis has stood still for {health.inference_age_s:.0f} s")
    return tuple(found)


def problems(health: Health) -> tuple[str, ...]:
    """Say what keeps the work from going on; empty if all is well.

    A camera that is away is none: that is the roadside, and ``obstacles`` and the camera's own state tell it.
    """
    found = list(needs_restart(health))
    if health.recorder_error is not None:
        found.append(f"events cannot be recorded: {health.recorder_error}")
    if health.recorder.oldest_s > RECORD_STUCK_S:
        found.append(f"{health.recorder.depth} passages wait to be recorded, the oldest for {health.recorder.oldest_s:.0f} s")
    return tuple(found)


def degraded(health: Health) -> tuple[str, ...]:
    """Say what the program does without, while the work goes on; empty if that is nothing."""
    state = health.shedding
    if state is None or not state.kinds:
        return ()
    free = "?" if state.free_bytes is None else str(state.free_bytes // 1_000_000)
    keep = state.keep_free_bytes // 1_000_000
    kinds = ", ".join(state.kinds)
    return (f"evidence is left out of events ({kinds}): {free} MB are free on the disk, evidence.keep_free_mb is {keep}: free space",)


def obstacles(health: Health) -> tuple[str, ...]:
    """Say what is missing before vehicles can be seen; empty if nothing is."""
    found = list(problems(health))
    if health.inference_age_s is None:
        found.append("the analysis has not begun yet")
    if health.stopping:
        found.append("the program is stopping")
    if health.detector is None or health.reader is None:
        found.append("the models are not loaded yet")
    if health.cameras and all(camera.state != "live" for camera in health.cameras):
        found.append("no camera is live")
    return tuple(found)
