"""Hours of cameras with random faults: ``python -m train.soak --hours 2``. Memory and threads must stay flat, and every vehicle right.

Four RTSP cameras show the shipped clips in a loop. First they run without faults: the plates that are reported in every round, and
where in the round, are the truth. Then faults are drawn at random, of a kind, a length and a camera. A vehicle counts as *seen
through* if its camera was undisturbed, by this program's own knowledge of the faults, from its first moment in view to its last; it
must be reported exactly once. What is reported of the others is counted, but promised nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import yaml

from streamer.testcamera import Camera, CameraServer, Clip, join_clips, load_clip
from train.bench_live import running

CLIPS = Path(__file__).resolve().parents[1] / "tests" / "data" / "clips"
NAMES = ("north", "east", "south", "west")
PROCESS_FPS = 6.0
PAUSE_S = 15.0
"""Still picture at the end of a round: longer than the windows in which the same plate is the same passage."""
GAP_S = 3.0
"""Still picture between the clips: a real camera does not cut from one vehicle's plate to another's, in the same place of the picture."""
MARGIN_S = 1.0
"""A fault so shortly before or after a vehicle disturbs it, too: connections have delays."""
RECOVERY_S = 22.0
"""So long after a fault's end a camera may take to be back: the longest wait between attempts (set to 10 s), opening, a key frame."""
FAULTS = {
    "stall": ("stall", "resume"),
    "novideo": ("novideo", "video"),
    "mute": ("mute", "unmute"),
    "refuse": ("code 503", "code"),
    "gone": ("drop", ""),
    "reset": ("reset", ""),
    "loss": ("loss 0.02", "loss 0"),
    "garbage": ("garbage", "garbage off"),
    "fuzz": ("fuzz 0.01", "fuzz 0"),
    "time": ("ptsjump 100", ""),
    "time back": ("ptsjump -200", ""),
    "frozen stamps": ("freezestamps", "thawstamps"),
}
"""Name, and the lines that begin and end it."""


@dataclass(slots=True)
class Vehicle:
    """A plate and where in a round it is seen, seconds from the round's beginning."""

    plate: str
    begin: float
    end: float


@dataclass(slots=True)
class Disturbances:
    """When each camera was disturbed, monotonic seconds."""

    spans: dict[str, list[tuple[float, float, str]]] = field(default_factory=lambda: defaultdict(list))

    def touch(self, camera: str, begin: float, end: float) -> bool:
        """Tell whether something disturbed the camera between two times."""
        return any(start - MARGIN_S < end and begin < stop + MARGIN_S for start, stop, _ in self.spans[camera])

    def before(self, camera: str, when: float) -> str:
        """Say what disturbed the camera last, and how long before."""
        past = [(stop, kind) for _, stop, kind in self.spans[camera] if stop < when]
        return f"{when - max(past)[0]:.0f} s after the recovery from {max(past)[1]}" if past else "never disturbed"


def scene(folder: Path) -> Clip:
    """Give a round: a clip, nothing moving for a little while, the other clip, nothing moving for a while."""
    from train.bench_live import still_clip

    stills = []
    for name, seconds in (("gap", GAP_S), ("pause", PAUSE_S)):
        still_clip(folder / f"{name}.mp4", size=(1280, 720), seconds=seconds)
        stills.append(load_clip(folder / f"{name}.mp4"))
    return join_clips([load_clip(CLIPS / "vn_toll_gate_720p.mp4"), stills[0], load_clip(CLIPS / "gb_one_car_720p.mp4"), stills[1]])


def finals(log: Path) -> Iterator[dict[str, Any]]:
    """Give the final events of a log."""
    if log.exists():
        for line in log.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            if event["state"] == "final":
                yield event


def monotonic_of(text: str) -> float:
    """Give an event's time on the monotonic clock."""
    return time.monotonic() - (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()


def begins(camera: Camera, round_s: float) -> list[float]:
    """Give when each round that has begun did so, monotonic seconds."""
    first = camera.timeline.due(0)
    return [first + number * round_s for number in range(int((time.monotonic() - first) / round_s) + 1)]


def learn(log: Path, cameras: list[Camera], round_s: float, rounds: int) -> list[Vehicle]:
    """Give the vehicles that every camera reported exactly once in every round but the first, where streams begin."""
    seen: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for camera in cameras:
        start = begins(camera, round_s)[0]
        for event in finals(log):
            if event["source"] == camera.name and event["plate"]:
                times = [monotonic_of(event[end]["time"]) - start for end in ("first", "last")]
                if times[0] >= round_s and times[1] < rounds * round_s:
                    seen[event["plate"]].append((times[0] % round_s, times[1] % round_s))
    wanted = (rounds - 1) * len(cameras)
    return [
        Vehicle(plate, min(a for a, _ in times), max(b for _, b in times))
        for plate, times in sorted(seen.items())
        if len(times) == wanted and max(b for _, b in times) < round_s - PAUSE_S / 2
    ]


def disturb(
    cameras: list[Camera], until: float, dice: random.Random, known: Disturbances, watch: list[tuple[float, float, int, int]], pid: int
) -> Counter[str]:
    """Draw faults until the time is over, one camera at a time or several; note memory, threads and descriptors every ten seconds."""
    process = psutil.Process(pid)
    running_until: dict[str, tuple[float, str]] = {}
    next_at = {camera.name: time.monotonic() + dice.uniform(5, 60) for camera in cameras}
    begun: dict[str, tuple[float, str]] = {}
    drawn: Counter[str] = Counter()
    looked = 0.0
    while (now := time.monotonic()) < until or running_until:
        for camera in cameras:
            name = camera.name
            if name in running_until and now >= running_until[name][0]:
                if end := running_until.pop(name)[1]:
                    camera.faults.apply(end)
                start, kind = begun.pop(name)
                known.spans[name].append((start, now + RECOVERY_S, kind))
                next_at[name] = now + RECOVERY_S + dice.expovariate(1 / 90)
            elif name not in running_until and now >= next_at[name] and now < until:
                kind = dice.choice(sorted(FAULTS))
                drawn[kind] += 1
                begun[name] = now, kind
                camera.faults.apply(FAULTS[kind][0])
                running_until[name] = (now + dice.choice([0.5, 2, 5, 8, 20]), FAULTS[kind][1])
        if now - looked >= 10:
            looked = now
            watch.append((now, process.memory_info().rss / 1e6, process.num_threads(), process.num_fds()))
        time.sleep(0.1)
    return drawn


def judge(
    log: Path, cameras: list[Camera], vehicles: list[Vehicle], round_s: float, since: float, until: float, known: Disturbances
) -> tuple[dict[str, int], list[str]]:
    """Count, of the vehicles that were seen through, those reported once, not at all, and more than once; and what came of the others.

    Also gives a line for each that was missed or reported twice, with the time of day, to be looked up in the log and the events.
    """
    reported: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in finals(log):
        if event["plate"]:
            reported[event["source"], event["plate"]].append(monotonic_of(event["best"]["time"]))
    counts: Counter[str] = Counter(once=0, missed=0, twice=0)
    wrong: list[str] = []
    epoch = time.time() - time.monotonic()
    for camera in cameras:
        for start in begins(camera, round_s):
            for vehicle in vehicles:
                begin, end = start + vehicle.begin, start + vehicle.end
                if begin < since or end + PAUSE_S > until:
                    continue
                times = [t for t in reported[camera.name, vehicle.plate] if begin - 2 <= t <= end + 2]
                if known.touch(camera.name, begin, end):
                    counts["disturbed, reported" if times else "disturbed, not reported"] += 1
                    counts["disturbed, twice"] += len(times) > 1
                else:
                    outcome = "once" if len(times) == 1 else "twice" if times else "missed"
                    counts[outcome] += 1
                    if outcome != "once":
                        at = datetime.fromtimestamp(epoch + begin, UTC).isoformat(timespec="milliseconds")
                        wrong.append(f"{at} {camera.name} {vehicle.plate} {outcome}, {known.before(camera.name, begin)}")
    return dict(counts), wrong


def main() -> None:
    """Run and print what came of it; exit code 1 if a vehicle was missed or reported twice, or memory grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3, help="without faults, to learn what there is to see")
    parser.add_argument("--out", type=Path, help="keep events and logs here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = given.out or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        clip = scene(folder)
        round_s = clip.duration / 90_000
        cameras = [Camera(name, clip, seed=given.seed + number) for number, name in enumerate(NAMES)]
        servers = [CameraServer([camera]) for camera in cameras]
        options = {"process_fps": PROCESS_FPS, "backoff_max_s": 10.0}
        decode = dict(zip(NAMES, ("all", "all", "key_frames_while_idle", "key_frames_while_idle"), strict=True))
        config = {
            "cameras": {camera.name: {"url": camera.url, "decode": decode[camera.name], **options} for camera in cameras},
            "health": {"port": 0},
            "events": {"directory": str(folder)},
        }
        (folder / "soak.yaml").write_text(yaml.safe_dump(config))
        try:
            with running(folder / "soak.yaml", folder / "log.txt") as (process, url):
                code = _soak(given, folder / "events.jsonl", cameras, round_s, process, url)
        finally:
            for server in servers:
                server.close()
    sys.exit(code)


def _soak(given: argparse.Namespace, log: Path, cameras: list[Camera], round_s: float, process: psutil.Process, url: str) -> int:
    time.sleep(given.rounds * round_s + 20)
    vehicles = learn(log, cameras, round_s, given.rounds)
    print(
        f"a round lasts {round_s:.1f} s; without faults every camera reports, each time, {[vehicle.plate for vehicle in vehicles]}",
        flush=True,
    )
    known, watch = Disturbances(), list[tuple[float, float, int, int]]()
    since = time.monotonic()
    until = since + 3600 * given.hours
    dice = random.Random(given.seed)  # noqa: S311 - repeatable on purpose
    drawn = disturb(cameras, until, dice, known, watch, process.pid)
    time.sleep(RECOVERY_S + PAUSE_S)
    counts, wrong = judge(log, cameras, vehicles, round_s, since, time.monotonic(), known)
    with urllib.request.urlopen(f"{url}/status", timeout=10) as answer:  # noqa: S310 (our own program)
        status = json.loads(answer.read())
    early, late = watch[len(watch) // 4 : len(watch) // 2], watch[-len(watch) // 4 :]
    before, after = ([sum(row[k] for row in part) / max(len(part), 1) for k in (1, 2, 3)] for part in (early, late))
    print("faults:", ", ".join(f"{kind} {count}" for kind, count in sorted(drawn.items())))
    print("vehicles:", counts)
    print(*wrong, sep="\n")
    for what, one, other in zip(("memory, MB", "threads", "descriptors"), before, after, strict=True):
        print(f"{what}: second quarter {one:.1f}, last quarter {other:.1f}")
    for camera in status["cameras"]:
        print(
            camera["source_id"],
            camera["state"],
            "offered",
            camera["offered"],
            "analysed",
            camera["analysed"],
            camera["dropped"],
            "faults",
            camera["faults"],
        )
    grown = after[0] > 1.1 * before[0] + 10 or after[1] > before[1] + 2 or after[2] > before[2] + 5
    return int(bool(counts["missed"] or counts["twice"] or grown or not vehicles))


if __name__ == "__main__":
    main()
