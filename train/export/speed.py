"""How long several forms of a model take, in turn, so that other work on the machine hits all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def milliseconds(
    runs: Mapping[str, Callable[[Any], Any]], pictures: Sequence[Any], rounds: int = 5, limit_s: float = 60
) -> dict[str, float]:
    """Give the median time of a picture for each, one picture at a time, after one that warms up; fewer if it takes too long."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(pictures[0])
    until = time.perf_counter() + limit_s
    for round_ in range(rounds):
        for picture in pictures:
            if time.perf_counter() > until and round_:
                break
            for name, run in runs.items():
                begin = time.perf_counter()
                run(picture)
                times[name].append(1000 * (time.perf_counter() - begin))
    return {name: statistics.median(values) for name, values in times.items()}
