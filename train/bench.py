"""Speed on the shipped clips, beside the plain way, in one run: ``make bench``.

Each way runs in a process of its own, one after the other, so that neither pays for the other's imports or memory; loading the
models is not counted. The ratios are what to compare: machines are noisy.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

CLIPS = Path(__file__).resolve().parents[1] / "tests" / "data" / "clips"


@dataclass(slots=True)
class Result:
    """What one way came to on the clips."""

    frames: int
    seconds: float
    media_s: float
    decode_s: float
    detect_s: float
    read_s: float
    crops: int
    cpu_s: float
    peak_mb: float
    texts: list[str]
    """Distinct texts that a user would be given."""


class _Timed:
    """Stands for a part and measures the calls of one of its methods."""

    def __init__(self, part: Any, method: str) -> None:
        self._part, self._method = part, method
        self.seconds, self.items = 0.0, 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return self._measured(found) if name == self._method else found

    def _measured(self, call: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
        def run(items: Sequence[Any]) -> Any:
            begin = time.perf_counter()
            try:
                return call(items)
            finally:
                self.seconds += time.perf_counter() - begin
                self.items += len(items)

        return run


def run_ours(paths: list[Path]) -> Result:
    """Replay the clips with the program as it ships, without writing events."""
    from streamer import build_pipeline, load_config
    from streamer.config import FileSource
    from streamer.replay import replay, sources_of_paths

    decode_s = sum(map(_decode_alone, paths))
    config = load_config()
    pipeline = build_pipeline(config)
    detector, reader = _Timed(pipeline.detector, "detect"), _Timed(pipeline.reader, "read")
    pipeline.detector, pipeline.reader = detector, reader  # type: ignore[assignment]
    sources = sources_of_paths([str(path) for path in paths], lambda path: FileSource(path=path))
    texts: list[str] = []

    class Listener:
        def record(self, passages: Sequence[Any]) -> list[dict[str, Any]]:
            texts.extend(p.plate for p in passages if p.state == "final" and p.plate is not None)
            return []

    cpu = time.process_time()
    summary = replay(sources, pipeline, Listener(), threading.Event(), batch=config.batch)  # type: ignore[arg-type]
    return Result(
        summary.frames, summary.elapsed_s, summary.media_s, decode_s, detector.seconds, reader.seconds, reader.items,
        time.process_time() - cpu, _peak_mb(), texts,
    )  # fmt: skip


def run_plain(paths: list[Path]) -> Result:
    """Go through the clips the plain way."""
    from train import plain

    way = plain.Plain()
    cpu, begin = time.process_time(), time.perf_counter()
    result = way.run(paths)
    seconds = time.perf_counter() - begin
    return Result(
        result.frames, seconds, 0.0, result.decode_s, result.detect_s, result.read_s, result.crops,
        time.process_time() - cpu, _peak_mb(), list(result.texts),
    )  # fmt: skip


def _decode_alone(path: Path) -> float:
    from streamer.sources import RecordedFile

    source = RecordedFile(path, start=datetime.now(UTC), clock="option")
    begin = time.perf_counter()
    source.open()
    while (picture := source.read()) is not None:
        picture.convert()
    source.close()
    return time.perf_counter() - begin


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _child(way: str, paths: list[Path]) -> Result:
    command = [sys.executable, "-m", "train.bench", way, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).resolve().parents[1])
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return Result(**json.loads(done.stdout.splitlines()[-1]))


def _known_plates(names: set[str]) -> set[str]:
    with (CLIPS.parent / "truth.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if Path(row["file"]).name in names]
    return {plate for row in rows for plate in row["plates"].split("|")}


def _table(ours: Result, plain: Result, known: set[str]) -> Table:
    table = Table(title=f"{ours.frames} frames of {ours.media_s:.1f} s, {len(os.sched_getaffinity(0))} cores", title_justify="left")
    for name in ("", "plate-streamer", "the plain way", "ratio"):
        table.add_column(name, justify="left" if not name else "right")

    def per_s(items: int, seconds: float) -> float:
        return items / seconds if seconds else 0.0

    rows: list[tuple[str, float, float]] = [
        ("decode, frames/s (alone)", per_s(ours.frames, ours.decode_s), per_s(plain.frames, plain.decode_s)),
        ("detect, frames/s", per_s(ours.frames, ours.detect_s), per_s(plain.frames, plain.detect_s)),
        ("read, crops/s", per_s(ours.crops, ours.read_s), per_s(plain.crops, plain.read_s)),
        ("crops read", ours.crops, plain.crops),
        ("total, frames/s", per_s(ours.frames, ours.seconds), per_s(plain.frames, plain.seconds)),
        ("real-time factor", ours.media_s / ours.seconds, ours.media_s / plain.seconds),
        ("CPU seconds", ours.cpu_s, plain.cpu_s),
        ("peak memory, MB", ours.peak_mb, plain.peak_mb),
        ("known plates right", len(known & set(ours.texts)), len(known & set(plain.texts))),
        ("other texts given", len(set(ours.texts) - known), len(set(plain.texts) - known)),
    ]
    for name, a, b in rows:
        table.add_row(name, f"{a:.4g}", f"{b:.4g}", f"{a / b:.2f}" if b else "-")
    return table


def main() -> None:
    """Compare both ways, or run one of them and print its result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", nargs="?", choices=("both", "ours", "plain"), default="both")
    parser.add_argument("clips", nargs="*", type=Path, default=sorted(CLIPS.glob("*.mp4")))
    arguments = parser.parse_args()
    if arguments.way != "both":
        result = (run_ours if arguments.way == "ours" else run_plain)(arguments.clips)
        print(json.dumps(asdict(result)))
        return
    console = Console()
    with console.status("plate-streamer"):
        ours = _child("ours", arguments.clips)
    with console.status("the plain way (takes minutes)"):
        plain = _child("plain", arguments.clips)
    known = _known_plates({clip.name for clip in arguments.clips})
    console.print(_table(ours, plain, known))
    share = 100 * ours.detect_s / ours.seconds
    console.print(f"What limits it: the detector's network takes {share:.0f} % of the time. Known plates: {', '.join(sorted(known))}")


if __name__ == "__main__":
    main()
