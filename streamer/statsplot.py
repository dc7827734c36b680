"""Statistics as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streamer import private
from streamer.errors import MissingPackageError, UsageError
from streamer.store.statistics import BUCKETS, Period, Statistics

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES: Final = (14.0, 9.0)
_DPI: Final = 110
_TICKS: Final = 16
"""Periods that are named on the axis at most."""
_CAMERAS: Final = 9
"""That get a colour of their own; the others share one."""
_MOST_TIMES: Final = 30


def check_plots() -> None:
    """Raise MissingPackageError if pictures cannot be drawn."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingPackageError("pictures need a package: pip install 'plate-streamer[plots]'") from error


def plot(found: Statistics, by: Period, file: Path) -> None:
    """Draw counts over time, scores, reasons and visits into a PNG file, for its owner only. No plates are named.

    Raises:
        MissingPackageError: matplotlib is not installed.
        UsageError: the file cannot be written.
    """
    check_plots()
    from matplotlib.figure import Figure  # without pyplot, which holds state and looks for a screen

    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.subplot_mosaic([["time", "time", "time"], ["score", "reason", "visits"]])
    _draw_periods(axes["time"], found, by)
    _draw_bars(axes["score"], [n / BUCKETS for n in range(BUCKETS)], list(found.by_score), 1 / BUCKETS, "score", "events")
    reasons = {"read": found.events - sum(found.by_reason.values())} | dict(found.by_reason)
    axes["reason"].barh(list(reasons)[::-1], list(reasons.values())[::-1])
    axes["reason"].set(title="plates, and why there is none", xlabel="events")
    axes["reason"].locator_params(axis="x", nbins=4)
    times: dict[int, int] = {}
    for seen, plates in found.visitors.by_times.items() if found.visitors else ():
        times[min(seen, _MOST_TIMES)] = times.get(min(seen, _MOST_TIMES), 0) + plates
    _draw_bars(
        axes["visits"], [seen - 0.5 for seen in times], list(times.values()), 1.0, f"times seen (last: {_MOST_TIMES} or more)", "plates"
    )
    axes["visits"].set_yscale("symlog")
    try:
        private.make_file(file)
        figure.savefig(file, format="png")
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror or error}") from error


def _draw_periods(axes: Axes, found: Statistics, by: Period) -> None:
    """Draw a stack of cameras for each period."""
    periods = list(dict.fromkeys(period for period, _ in found.by_period))
    totals: dict[str, int] = {}
    for (_, source), events in found.by_period.items():
        totals[source] = totals.get(source, 0) + events
    shown = sorted(totals, key=lambda source: -totals[source])[:_CAMERAS]
    places = {period: place for place, period in enumerate(periods)}
    stacks: dict[str, list[int]] = {}
    for (period, source), events in found.by_period.items():
        stack = stacks.setdefault(source if source in shown else "others", [0] * len(periods))
        stack[places[period]] += events
    below = [0] * len(periods)
    for source in sorted(stacks, key=lambda name: (name == "others", -sum(stacks[name]))):
        axes.bar(range(len(periods)), stacks[source], bottom=below, label=source.encode("utf-8", "backslashreplace").decode(), width=0.9)
        below = [a + b for a, b in zip(below, stacks[source], strict=True)]
    step = max(1, -(-len(periods) // _TICKS))
    axes.set_xticks(range(0, len(periods), step), [period.replace("T", "\n") for period in periods[::step]])
    axes.set(title=f"events by {by.replace('_', ' ')} (UTC) and camera", ylabel="events")
    if stacks:
        axes.legend(fontsize="small")


def _draw_bars(axes: Axes, left: list[Any], heights: list[int], width: float, xlabel: str, ylabel: str) -> None:
    axes.bar(left, heights, width=width, align="edge", edgecolor="white", linewidth=0.3)
    axes.set(xlabel=xlabel, ylabel=ylabel)
