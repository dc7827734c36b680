"""One camera and its fault, measured: what the tests of the table of faults are put together from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from streamer.errors import SourceReason
from streamer.testcamera import TestCamera
from tests.e2e.livecamera import Rig, Turn
from tests.e2e.livecamera_process import CameraProcess, thread_cpu_s


@dataclass(frozen=True, slots=True)
class Measured:
    """One fault: after how long it was noticed and why, after how long the camera was live again, and all faults in between."""

    noticed_s: float
    reason: SourceReason | None
    back_s: float
    faults: list[Turn] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    """How long each attempt to connect took that failed."""
    more: dict[str, float] = field(default_factory=dict)


Scenario = Callable[["Stage"], Measured]


class Stage:
    """One camera with its fault."""

    def __init__(self, rig: Rig, name: str, server: TestCamera | CameraProcess | None) -> None:
        self.rig = rig
        self.name = name
        self._server = server

    @property
    def server(self) -> TestCamera:
        assert isinstance(self._server, TestCamera)
        return self._server

    @property
    def process(self) -> CameraProcess:
        assert isinstance(self._server, CameraProcess)
        return self._server

    def fault(self, begin: Callable[[], object], end: Callable[[], object], lasts_s: float, **more: float) -> Measured:
        """Let a live camera have a fault for a while, measured from the beginning and the end of it."""
        self.rig.live(self.name)
        began = time.monotonic()
        begin()
        noticed = self.rig.fault(self.name, began)
        time.sleep(max(0.0, began + lasts_s - time.monotonic()))
        ended = time.monotonic()
        end()
        back_s = self.rig.live(self.name, ended) - ended
        return self.measured(began, noticed, back_s, **more)

    def measured(self, began: float, noticed: Turn, back_s: float, **more: float) -> Measured:
        return Measured(noticed.at - began, noticed.reason, back_s, self.rig.faults(self.name, began), self.attempts(began), more)

    def attempts(self, after: float) -> list[float]:
        """How long each failed attempt took, from the beginning of connecting."""
        turns = [turn for turn in list(self.rig.turns[self.name]) if turn.at >= after]
        return [b.at - a.at for a, b in pairwise(turns) if (a.state, b.state) == ("connecting", "fault")]

    def gaps(self, after: float) -> list[float]:
        """How long each wait between two attempts was."""
        turns = [turn for turn in list(self.rig.turns[self.name]) if turn.at >= after]
        return [b.at - a.at for a, b in pairwise(turns) if (a.state, b.state) == ("backoff", "connecting")]


def killed(stage: Stage) -> Measured:
    clip, port = stage.process.clip, stage.process.port
    returned: list[CameraProcess] = []
    try:
        stage.rig.live(stage.name)
        began = time.monotonic()
        stage.process.kill()
        noticed = stage.rig.fault(stage.name, began)
        time.sleep(max(0.0, began + 4.0 - time.monotonic()))
        returned.append(CameraProcess(clip, port))
        ended = time.monotonic()
        return stage.measured(began, noticed, stage.rig.live(stage.name, ended) - ended)
    finally:
        for process in returned:
            stage.rig.at_end(process.close)


def frozen(stage: Stage) -> Measured:
    return stage.fault(stage.process.freeze, stage.process.go_on, 3.0)


def of(begin: str, end: str, lasts_s: float = 3.0) -> Scenario:
    """A fault of the test camera, named by the lines that begin and end it."""

    def lines(stage: Stage, text: str) -> None:
        for line in text.split(";"):
            stage.server.faults.apply(line)

    return lambda stage: stage.fault(lambda: lines(stage, begin), lambda: lines(stage, end), lasts_s)


def at_once(line: str) -> Scenario:
    """A fault that is over at once."""

    def run(stage: Stage) -> Measured:
        stage.rig.live(stage.name)
        began = time.monotonic()
        stage.server.faults.apply(line)
        noticed = stage.rig.fault(stage.name, began)
        return stage.measured(began, noticed, stage.rig.live(stage.name, noticed.at) - began)

    return run


def flapping(begin: str, end: str) -> Scenario:
    """A fault with which a camera still becomes live, each time for a while."""

    def run(stage: Stage) -> Measured:
        stage.rig.live(stage.name)
        began = time.monotonic()
        stage.server.faults.apply(begin)
        noticed = stage.rig.fault(stage.name, began)
        stage.rig.live(stage.name, noticed.at)
        ended = time.monotonic()
        stage.server.faults.apply(end)
        time.sleep(5.0)
        lives = [turn.at for turn in stage.rig.turns[stage.name] if turn.state == "live"]
        assert stage.rig.of(stage.name).state == "live"
        return stage.measured(began, noticed, max(0.0, lives[-1] - ended))

    return run


def hole(stage: Stage) -> Measured:
    began = stage.rig.wait(lambda: stage.rig.first(stage.name, "connecting", 0.0)).at
    stage.rig.wait(lambda: len(stage.attempts(0.0)) >= 3)
    return stage.measured(began, stage.rig.fault(stage.name), 0.0)


def closed(stage: Stage) -> Measured:
    stage.rig.live(stage.name)
    began = time.monotonic()
    stage.server.faults.offline()
    noticed = stage.rig.fault(stage.name, began)
    spent, since = thread_cpu_s(f"camera {stage.name}"), time.monotonic()
    time.sleep(8.0)
    share = (thread_cpu_s(f"camera {stage.name}") - spent) / (time.monotonic() - since)
    ended = time.monotonic()
    gaps = stage.gaps(began)
    stage.server.faults.online()
    back_s = stage.rig.live(stage.name, ended) - ended
    return stage.measured(began, noticed, back_s, cpu=share, **{f"gap {number}": gap for number, gap in enumerate(gaps)})


def no_picture(stage: Stage) -> Measured:
    began = stage.rig.wait(lambda: stage.rig.first(stage.name, "connecting", 0.0)).at
    stage.rig.wait(lambda: len(stage.attempts(0.0)) >= 2)
    assert stage.rig.first(stage.name, "live", 0.0) is None
    ended = time.monotonic()
    stage.server.faults.resume()
    return stage.measured(began, stage.rig.fault(stage.name), stage.rig.live(stage.name, ended) - ended)
