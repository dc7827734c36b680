"""Live cameras on this machine: ``make bench-live``.

Real RTSP cameras at 1080p and 25 frames a second are served by a process of their own; ``plate-streamer run`` watches 1, 2, 4 and 8 of
them. What it says of itself over HTTP is what a user sees, too; CPU and memory are the operating system's figures for its process.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

CLIP = Path(__file__).resolve().parents[1] / "tests" / "data" / "clips" / "vn_toll_gate_720p.mp4"
SIZE = (1920, 1080)
FPS = 25
BIT_RATE = 4_500_000
NOISE = 5.0
"""Standard deviation in grey levels: without it, an encoder sends next to nothing of a still scene, which no camera does."""
IDLE_S = 10.0
WARM_UP_S = 8.0
"""Until all cameras are live and rates have settled."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one run came to."""

    name: str
    cameras: int
    offered_fps: float
    """Per camera, as are the next."""
    analysed_fps: float
    least_fps: float
    """Of the camera that got least."""
    age_s: tuple[float, float, float]
    """p50, p95, p99 of a frame's age when its analysis began."""
    latency_s: tuple[float, float, float]
    """p50, p95, p99 from a vehicle's last frame to its preview in the record."""
    events: int
    cpu: float
    """Cores."""
    memory_mb: float
    dropped: dict[str, int]
    limited: bool
    """The adaptive rate was at work."""


def busy_clip(path: Path) -> None:
    """Write the shipped toll-gate clip as a camera would send it: 1080p, 25 frames a second, noise, about 4.5 Mbit/s."""
    import av
    import cv2

    def pictures() -> Iterator[np.ndarray[Any, Any]]:
        with av.open(str(CLIP)) as container:
            for frame in container.decode(video=0):
                yield cv2.resize(frame.to_ndarray(format="bgr24"), SIZE, interpolation=cv2.INTER_CUBIC)

    _encode(path, pictures())


def still_clip(path: Path, *, size: tuple[int, int] = SIZE, seconds: float = IDLE_S) -> None:
    """Write a scene in which nothing moves: a picture so blurred that nothing like a plate is left, with fresh noise in every frame."""
    import av
    import cv2

    with av.open(str(CLIP)) as container:
        first = next(container.decode(video=0)).to_ndarray(format="bgr24")
    still = cv2.GaussianBlur(cv2.resize(first, size), (0, 0), 25)
    _encode(path, (still for _ in range(int(seconds * FPS))))


def _encode(path: Path, pictures: Iterator[np.ndarray[Any, Any]]) -> None:
    import av

    noise: Any = None
    stream: Any = None
    with av.open(str(path), "w") as out:
        for number, picture in enumerate(pictures):
            height, width = picture.shape[:2]
            if stream is None:
                noise = np.random.default_rng(0).normal(0, NOISE, (height, width, 1)).astype(np.int8)
                options = {"preset": "veryfast", "tune": "zerolatency", "bf": "0", "g": str(FPS), "sc_threshold": "0"}
                stream = out.add_stream("libx264", rate=Fraction(FPS), options=options)
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                stream.bit_rate = BIT_RATE * width * height // (SIZE[0] * SIZE[1])
            grain = np.roll(noise, (number * 37, number * 101), (0, 1))
            grainy = np.clip(picture.astype(np.int16) + grain, 0, 255).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(grainy, format="bgr24")))
        out.mux(stream.encode(None))


def serve(clip: Path, count: int) -> None:
    """Be the process that serves the cameras until its standard input ends."""
    from streamer.testcamera import Camera, CameraServer, load_clip

    loaded = load_clip(clip)
    with CameraServer([Camera(f"cam{number}", loaded) for number in range(count)], port=0) as server:
        print(json.dumps({"port": server.port}), flush=True)
        sys.stdin.read()


@contextmanager
def _cameras(clip: Path, count: int) -> Iterator[int]:
    command = [sys.executable, "-m", "train.bench_live", "--serve", str(clip), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield json.loads(server.stdout.readline())["port"]
        finally:
            server.terminate()


@contextmanager
def running(config: Path, log: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Run ``plate-streamer run`` with a configuration; gives its process and where it tells its health."""
    program = Path(sys.executable).with_name("plate-streamer")
    with log.open("w") as stream, subprocess.Popen([program, "run", "-c", config], stderr=stream) as daemon:
        try:
            yield psutil.Process(daemon.pid), _address(log, daemon)
        finally:
            daemon.terminate()


def _configuration(folder: Path, port: int, count: int, options: dict[str, Any]) -> Path:
    cameras = {f"cam{number}": {"url": f"rtsp://127.0.0.1:{port}/cam{number}", **options} for number in range(count)}
    config = {"cameras": cameras, "health": {"port": 0}, "events": {"directory": str(folder / "out"), "states": "all"}}
    file = folder / "live.yaml"
    file.write_text(yaml.safe_dump(config))
    return file


def _address(log: Path, daemon: subprocess.Popen[bytes]) -> str:
    for _ in range(300):
        found = re.search(r"health: (http://\S+)", log.read_text())
        if found:
            return found[1]
        if daemon.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"plate-streamer run did not start:\n{log.read_text()}")


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (our own program)
        return str(answer.read().decode())


def _counts(text: str) -> dict[tuple[str, str], float]:
    """Read Prometheus's text: (name, labels) to value."""
    return {(m[1], m[2] or ""): float(m[3]) for m in re.finditer(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.M)}


def _quantiles(before: dict[tuple[str, str], float], after: dict[tuple[str, str], float], name: str) -> tuple[float, float, float]:
    """Give p50, p95, p99 of a histogram between two scrapes, over all cameras, by linear interpolation as Prometheus does."""
    buckets: dict[float, float] = {}
    for (metric, labels), value in after.items():
        if metric == f"plate_streamer_{name}_bucket" and 'state="final"' not in labels:
            edge = float(re.search(r'le="([^"]+)"', labels)[1].replace("+Inf", "inf"))  # type: ignore[index]
            buckets[edge] = buckets.get(edge, 0.0) + value - before.get((metric, labels), 0.0)
    edges = sorted(buckets)
    total = buckets[edges[-1]] if edges else 0.0

    def quantile(share: float) -> float:
        low, below = 0.0, 0.0
        for edge in edges:
            if buckets[edge] >= share * total:
                if edge == float("inf"):
                    return low
                inside = buckets[edge] - below
                return low + (edge - low) * ((share * total - below) / inside if inside else 1.0)
            low, below = edge, buckets[edge]
        return low

    return (quantile(0.5), quantile(0.95), quantile(0.99)) if total else (float("nan"),) * 3


def measure(name: str, clip: Path, count: int, seconds: float, options: dict[str, Any]) -> Row:
    """Watch ``count`` cameras for so many seconds, after the rates have settled."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(_cameras(clip, count))
        process, url = stack.enter_context(running(_configuration(folder, port, count, options), folder / "log.txt"))
        time.sleep(WARM_UP_S)
        begin = time.monotonic()
        first, scraped, cpu = json.loads(_get(f"{url}/status")), _counts(_get(f"{url}/metrics")), sum(process.cpu_times()[:2])
        time.sleep(seconds)
        last, rescraped = json.loads(_get(f"{url}/status")), _counts(_get(f"{url}/metrics"))
        elapsed = time.monotonic() - begin
        pairs = list(zip(first["cameras"], last["cameras"], strict=True))
        rates = [(b["analysed"] - a["analysed"]) / elapsed for a, b in pairs]
        causes = sorted({cause for _, b in pairs for cause in b["dropped"]})
        return Row(
            name=name,
            cameras=count,
            offered_fps=sum(b["offered"] - a["offered"] for a, b in pairs) / elapsed / count,
            analysed_fps=sum(rates) / count,
            least_fps=min(rates),
            age_s=_quantiles(scraped, rescraped, "frame_age_seconds"),
            latency_s=_quantiles(scraped, rescraped, "event_latency_seconds"),
            events=sum(b["events"] - a["events"] for a, b in pairs),
            cpu=(sum(process.cpu_times()[:2]) - cpu) / elapsed,
            memory_mb=process.memory_info().rss / 1e6,
            dropped={cause: sum(b["dropped"].get(cause, 0) - a["dropped"].get(cause, 0) for a, b in pairs) for cause in causes},
            limited=any(b["rate_limit_fps"] for _, b in pairs),
        )


def show(rows: Sequence[Row], seconds: float) -> None:
    """Print the table."""
    import cpuinfo  # type: ignore[import-untyped]

    table = Table(title=f"1080p cameras at {FPS} frames/s, {seconds:.0f} s each", title_justify="left", box=SIMPLE_HEAD)
    for column in (
        "cameras",
        "frames/s each",
        "analysed/s each",
        "least",
        "age ms p50/95/99",
        "latency ms p50/95/99",
        "events",
        "CPU cores",
        "MB",
        "dropped",
    ):
        table.add_column(column, justify="left" if column in ("cameras", "dropped") else "right")
    for row in rows:
        ages, latencies = ("/".join(f"{1000 * value:.0f}" for value in values) for values in (row.age_s, row.latency_s))
        dropped = ", ".join(f"{cause} {count}" for cause, count in row.dropped.items() if count)
        label = f"{row.cameras} {row.name}" + (", rate lowered" if row.limited else "")
        table.add_row(
            label, f"{row.offered_fps:.1f}", f"{row.analysed_fps:.1f}", f"{row.least_fps:.1f}", ages, latencies,
            str(row.events), f"{row.cpu:.2f}", f"{row.memory_mb:.0f}", dropped,
        )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 180).print(table)
    print(f"{len(os.sched_getaffinity(0))} cores, {cpuinfo.get_cpu_info()['brand_raw']}; the cameras are served by the same machine")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40.0, help="per run")
    parser.add_argument("--cameras", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--process-fps", type=float, default=10.0)
    parser.add_argument("--serve", nargs=2, metavar=("CLIP", "COUNT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(Path(given.serve[0]), int(given.serve[1]))
        return
    with tempfile.TemporaryDirectory() as place:
        busy, idle = Path(place, "busy.mp4"), Path(place, "idle.mp4")
        busy_clip(busy)
        still_clip(idle)
        rows = [
            measure("idle", idle, 1, given.seconds, {}),
            measure("idle, decode: all", idle, 1, given.seconds, {"decode": "all"}),
            measure("idle", idle, 4, given.seconds, {}),
        ]
        rows += [measure("busy", busy, count, given.seconds, {"process_fps": given.process_fps}) for count in given.cameras]
    show(rows, given.seconds)


if __name__ == "__main__":
    main()
