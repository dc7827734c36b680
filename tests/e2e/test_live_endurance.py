"""What only shows after long: a thousand reconnects, and streams of noise. A crash of libav would end the process, so it is a child."""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from streamer.testcamera import Camera, CameraServer, MjpegCamera, load_clip
from tests.e2e.livecamera import Rig, camera
from tests.e2e.livecamera_clip import FPS, make_clip
from tests.e2e.livecamera_fuzz import BadLine
from tests.e2e.livecamera_process import ROOT, CameraProcess, descriptors, rss_mb

AT_ONCE = 5
"""Cameras that are dropped at the same time."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips"))


def reconnect(rig: Rig, server: CameraProcess, name: str, times: int) -> None:
    for number in range(times):
        began = time.monotonic()
        server.apply("reset" if number % 3 == 2 else "drop")
        rig.fault(name, began)
        rig.live(name, began)


def usage(rig: Rig) -> tuple[int, int, float]:
    """Descriptors, threads and MB, once it is quiet."""
    rig.wait(lambda: all(snapshot.state == "live" for snapshot in rig.service.snapshots()))
    time.sleep(0.5)
    gc.collect()
    return descriptors(), threading.active_count(), rss_mb()


@pytest.mark.parametrize("times", [100, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])])
def test_16_reconnects_leave_nothing_behind(path: Path, times: int) -> None:
    with ExitStack() as stack:
        servers = {}
        for number in range(AT_ONCE):
            servers[f"cam{number}"] = server = CameraProcess(path)
            stack.callback(server.close)
            server.apply("rate 8")  # so that nobody waits for a key picture for long
        cameras = {
            name: camera(server.url, process_fps=1.0, backoff_min_s=0.01, backoff_max_s=0.02, transport="udp" if name == "cam0" else "tcp")
            for name, server in servers.items()
        }
        rig = stack.enter_context(Rig(cameras))
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))

        def all_reconnect(each: int) -> None:
            for done in [pool.submit(reconnect, rig, server, name, each) for name, server in servers.items()]:
                done.result()

        for name in servers:
            rig.live(name)
        all_reconnect(4)  # what is taken once: caches, arenas
        files, threads, memory = usage(rig)
        all_reconnect(times // AT_ONCE)
        assert sum(len(rig.faults(name)) for name in servers) >= times + 4 * AT_ONCE
        files_after, threads_after, memory_after = usage(rig)
        print(f"descriptors {files} -> {files_after}, threads {threads} -> {threads_after}, MB {memory:.1f} -> {memory_after:.1f}")
        assert files_after <= files
        assert threads_after <= threads
        assert memory_after - memory < 10.0


CHILD = """
import json, resource, sys, threading
from streamer.config import Camera
from tests.e2e.livecamera import Rig, camera
cameras = {name: camera(**fields) for name, fields in json.loads(sys.argv[1]).items()}
with Rig(cameras) as rig:
    for line in sys.stdin:
        told = {one.source_id: [one.state, one.offered, one.suspect, one.faults] for one in rig.service.snapshots()}
        mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        print(json.dumps({"cameras": told, "mb": mb, "threads": threading.active_count()}), flush=True)
        for seen in rig.seen.values():
            seen.clear()
    rig.stop(check=False)
print("stopped", flush=True)
"""


class Victim:
    """A service in a process of its own."""

    def __init__(self, cameras: dict[str, dict[str, object]]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", CHILD, json.dumps(cameras)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def ask(self) -> dict[str, dict[str, tuple[str, int, int, dict[str, int]]]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"it ended with {self.process.wait(10)}"
        return dict(json.loads(answer))

    def stop(self) -> str:
        out, _ = self.process.communicate(timeout=30)
        return out.strip()


def play_tricks(cameras: Sequence[Camera], dice: random.Random, seconds: float, victim: Victim) -> None:
    """Change what is wrong with each camera every second."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for one in cameras:
            one.faults.normal()
            for line in dice.choice(TRICKS).split(";"):
                one.faults.apply(line)
        time.sleep(1.0)
        assert victim.process.poll() is None


TRICKS = (
    "fuzz 0.02",
    "fuzz 0.2",
    "fuzz 1",
    "garbage payload",
    "garbage packets",
    "loss 0.3",
    "fuzz 0.3;loss 0.1",
    "fuzz 0.1;ptsjump -50",
    "fuzz 0.1;drop",
    "garbage payload;reset",
    "fuzz 0",
    "fuzz 0;reset",
    "stall",
    "freezestamps;fuzz 0.1",
)


@pytest.mark.parametrize("seconds", [20.0, pytest.param(600.0, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_noise_never_crashes_the_process(path: Path, seconds: float) -> None:
    """Random bytes in H.264, H.265 and JPEG over TCP, UDP and HTTP, and in the talk itself; beside them, a sound camera loses nothing."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # shown if it fails: a crash would have to be told
    dice = random.Random(seed)  # noqa: S311 (repeatable on purpose)
    clips = {codec: load_clip(path, codec=codec) for codec in ("h264", "h265", "mjpeg")}
    with ExitStack() as stack:
        cameras = [
            Camera(f"{codec}{number}", clip, seed=dice.getrandbits(32))
            for codec, clip in clips.items()
            if codec != "mjpeg"
            for number in range(3)
        ]
        stack.enter_context(CameraServer(cameras))
        http = stack.enter_context(MjpegCamera(clips["mjpeg"]))
        sound = stack.enter_context(CameraServer([Camera("cam", clips["h264"])]))
        lines = [stack.enter_context(BadLine(sound.port, seed=dice.getrandbits(32))) for _ in range(3)]
        good = sound.cameras["cam"]
        quick = {"backoff_min_s": 0.05, "backoff_max_s": 0.1, "process_fps": 5.0}
        watched: dict[str, dict[str, object]] = {
            one.name: {"url": one.url, "transport": "udp" if one.name.endswith("1") else "tcp", **quick} for one in cameras
        }
        watched |= {f"line{number}": {"url": line.url, **quick} for number, line in enumerate(lines)}
        watched |= {"http": {"url": http.url, **quick}, "good": {"url": good.url, "process_fps": 5.0}}
        victim = Victim(watched)
        try:
            while victim.ask()["cameras"]["good"][1] < FPS:
                time.sleep(0.1)
            offered, began = victim.ask()["cameras"]["good"][1], time.monotonic()
            play_tricks([*cameras, http], dice, seconds, victim)
            told, lasted = victim.ask(), time.monotonic() - began
            assert victim.stop() == "stopped"
        finally:
            victim.process.kill()
            victim.process.wait()
    print(told, [(line.connections, line.changed) for line in lines])
    assert victim.process.returncode == 0, f"seed {seed}"
    assert told["cameras"]["good"][1] - offered >= 0.95 * FPS * lasted
    assert told["cameras"]["good"][3] == {}
    assert all(line.connections > 1 and line.changed > 10 for line in lines)
    assert sum(one[2] for one in told["cameras"].values()) > 0
