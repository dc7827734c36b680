"""Rows 19 and 20 of the table of fault tests: a USB camera in the running program, and recordings of every kind of damage in one replay."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.config import FileSource
from streamer.events import Event
from streamer.replay import replay, sources_of_paths
from streamer.types import Passage
from tests.e2e.livecamera import CAP_S, MIN_S, QUICK, Rig, T
from tests.e2e.livecamera_clip import LENGTH, make_clip
from tests.e2e.livecamera_process import ROOT

SELECT_S = 1.0
"""OpenCV's own time-out, see sources/usb.py."""

# The real service in a process of its own, for the pretended camera has to be preloaded; it tells every turn as it comes.
CHILD = """
import json, sys
from streamer.sources.usb import prepare_environment
prepare_environment()
from streamer.config import Camera
from streamer.sources.usb import UsbCamera
from tests.e2e.livecamera import Rig

class Told(list):
    def append(self, turn):
        super().append(turn)
        print(json.dumps({"at": turn.at, "state": turn.state, "reason": turn.reason}), flush=True)

with Rig({"usb": Camera.model_validate_json(sys.argv[1])}, source=UsbCamera, turns={"usb": Told()}) as rig:
    sys.stdin.readline()
    print(json.dumps({"stopped": rig.stop(), "state": rig.of("usb").state}), flush=True)
"""


class UsbRig:
    """The program and its pretended camera."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._folder = folder
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV")}
        environment |= {"LD_PRELOAD": str(library), "FAKE_V4L2_DIR": str(folder)}
        settings = json.dumps({"device": "/dev/video42", **QUICK})
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, settings], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )

    def next(self, after: float = 0.0, **fields: object) -> dict[str, Any]:
        """Give the next turn after a moment that has these fields."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told: dict[str, Any] = json.loads(line)
            if told.get("at", 0.0) >= after and all(told.get(name) == value for name, value in fields.items()):
                return told
        raise AssertionError("the program ended")

    def begin(self, fault: str) -> float:
        (self._folder / fault).touch()
        return time.monotonic()

    def end(self, fault: str) -> float:
        (self._folder / fault).unlink()
        return time.monotonic()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None or sys.platform != "linux":
        pytest.skip("the pretended camera needs a C compiler and Linux")
    built = tmp_path_factory.mktemp("fake") / "fakev4l2.so"
    source = str(ROOT / "tests" / "fakev4l2.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(built), source, "-ldl"], check=True, timeout=60)
    return built


@pytest.fixture
def usb(library: Path, tmp_path: Path) -> Iterator[UsbRig]:
    rig = UsbRig(library, tmp_path)
    yield rig
    rig.process.kill()
    rig.process.communicate()


def test_19_usb_stalled_pulled_out_busy_and_back(usb: UsbRig) -> None:
    usb.next(state="live")
    for fault, reason, noticed_s in (("stall", "timeout", T + SELECT_S + 0.5), ("unplug", "gone", 0.5)):
        began = usb.begin(fault)
        told = usb.next(began, state="fault")
        assert told["reason"] == reason
        assert told["at"] - began <= noticed_s
        time.sleep(max(0.0, began + 2.2 - time.monotonic()))
        back = usb.end(fault)
        assert usb.next(back, state="live")["at"] - back <= 1.2 * CAP_S + SELECT_S + 0.5
    usb.begin("busy")  # as another program has it, while it is out for a moment
    began = usb.begin("unplug")
    usb.next(began, state="fault", reason="gone")
    usb.end("unplug")
    assert usb.next(began, state="fault", reason="busy")
    back = usb.end("busy")
    assert usb.next(back, state="live")["at"] - back <= 1.2 * CAP_S + SELECT_S + 0.5


@pytest.mark.parametrize("fault", ["stall", *[pytest.param(fault, marks=pytest.mark.slow) for fault in (None, "unplug")]])
def test_15_stop_with_usb(usb: UsbRig, fault: str | None) -> None:
    usb.next(state="live")
    if fault is not None:
        usb.begin(fault)
        time.sleep(MIN_S)
    assert usb.process.stdin is not None
    usb.process.stdin.write("\n")
    usb.process.stdin.flush()
    told = usb.next(state="stopped")
    if "stopped" not in told:  # the turn comes before the summary
        told = usb.next(state="stopped")
    assert told["stopped"] <= SELECT_S + 1.0
    assert usb.process.wait(10) == 0


# recordings


class Nobody:
    """Records nothing."""

    def record(self, passages: Sequence[Passage]) -> list[Event]:
        return []


def copied(path: Path, to: Path) -> Path:
    """The same pictures in another container."""
    with av.open(str(path)) as source, av.open(str(to), "w") as sink:
        stream = sink.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                sink.mux(packet)
    return to


def test_20_recordings(tmp_path: Path) -> None:
    work, folder = tmp_path / "work", tmp_path / "folder"
    work.mkdir()
    folder.mkdir()
    whole = make_clip(work).read_bytes()
    mkv, stream = copied(work / "256x144.mp4", work / "a.mkv").read_bytes(), copied(work / "256x144.mp4", work / "a.ts").read_bytes()
    flipped = bytearray(mkv)
    for at in range(len(flipped) // 2, len(flipped) // 2 + 400, 40):
        flipped[at] ^= 0x55
    files = {
        "1-whole.mp4": whole,
        "2-cut.mkv": mkv[: len(mkv) // 2],
        "3-cut.mp4": whole[: len(whole) // 2],
        "4-empty.mp4": b"",
        "5-noise.mp4": os.urandom(20_000),
        "6-flipped.mkv": bytes(flipped),
        "7-growing.ts": stream[: 188 * (len(stream) // 188 // 2)],
        "8-whole.ts": stream,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    rig = Rig({})
    rig.seen["folder"] = []
    rig.service.observe = lambda frame, plates: None  # type: ignore[method-assign]  # no camera's frame
    sources = sources_of_paths([str(folder)], lambda path: FileSource(path=path))
    summary = replay(sources, rig.pipeline, Nobody(), threading.Event(), batch=8)  # type: ignore[arg-type]
    reports = {Path(report.name).name: report for report in summary.reports}
    assert list(reports) == sorted(files), "each one, and after each the next"
    for name in ("1-whole.mp4", "8-whole.ts"):
        assert (reports[name].frames, reports[name].trouble) == (LENGTH, None)
    for name in ("2-cut.mkv", "7-growing.ts"):
        assert 0.3 * LENGTH < reports[name].frames < 0.7 * LENGTH
    assert reports["2-cut.mkv"].missing_s > 1.0
    for name, reason in (("4-empty.mp4", "empty"), ("5-noise.mp4", "damaged"), ("3-cut.mp4", "damaged")):
        error = reports[name].error
        assert error is not None
        assert error.reason == reason
        assert reports[name].frames == 0
    assert reports["6-flipped.mkv"].frames > 0.5 * LENGTH
    assert summary.frames == sum(report.frames for report in reports.values())
