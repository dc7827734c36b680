"""The curves of a report as pictures; no plate stands in them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from streamer.errors import MissingPackageError
from streamer.qualityreport import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES: Final = (8.0, 5.5)
_DPI: Final = 110
_REASONS: Final = 8
_LEAST_TOLD: Final = 20
"""Of fewer plates the interval is so wide that it would flatten the rest of the curve."""
_CAMERAS: Final = 20
"""That have a bar of their own; those with the most passages without a plate."""


def draw(report: Report) -> Mapping[str, bytes]:
    """Give the pictures by name, PNG; those for which there is nothing to show are left out.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure  # without pyplot, which holds state and looks for a screen
    except ImportError as error:
        raise MissingPackageError("pictures need a package: pip install 'plate-streamer[plots]'; tables and --json need none") from error
    wanted: tuple[tuple[str, bool, Callable[[Axes, Report], None]], ...] = (
        ("yield-error", bool(report.curve), _abstain),
        ("reliability", bool(report.reliability.bins), _reliability),
        ("misses", bool(report.misses), _misses),
    )
    pictures = {}
    for name, there, plot in wanted:
        if there:
            figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
            FigureCanvasAgg(figure)
            plot(figure.add_subplot(), report)
            pictures[name] = _png(figure)
    return pictures


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _reliability(axes: Axes, report: Report) -> None:
    bins = report.reliability.bins
    scores, right = [one.score for one in bins], [one.right.value for one in bins]
    below = [max(0.0, one.right.value - one.right.low) for one in bins]
    above = [max(0.0, one.right.high - one.right.value) for one in bins]
    axes.plot([0, 1], [0, 1], "--", color="grey", label="a score that is a probability")
    axes.errorbar(scores, right, yerr=[below, above], fmt="o-", capsize=3, label="how often plates of this score are right")
    for one in bins:
        axes.annotate(str(one.right.of), (one.score, one.right.value), textcoords="offset points", xytext=(6, -10), fontsize=8)
    error = report.reliability.expected_error
    axes.set(title=f"What a score is worth; expected calibration error {error or 0.0:.3f}", xlabel="score", ylabel="share that is right")
    axes.set(xlim=(-0.01, 1.02), ylim=(-0.01, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")


def _abstain(axes: Axes, report: Report) -> None:
    shares = [100 * point.share for point in report.curve]
    axes.fill_between(
        shares,
        [100 * point.error.low for point in report.curve],
        [100 * point.error.high for point in report.curve],
        alpha=0.2,
        label="interval of 95 %",
    )
    axes.plot(shares, [100 * point.error.value for point in report.curve], ".-", label="as the score that is asked for rises, to the left")
    axes.axhline(100 * report.allowed_error, color="tab:red", linestyle=":", label=f"allowed: {100 * report.allowed_error:g} %")
    if report.best is not None:
        at = (100 * report.best.share, 100 * report.best.error.value)
        axes.plot(*at, "o", color="tab:red", label=f"score of {report.best.threshold:.3f} or more: {at[1]:.2f} % wrong at {at[0]:.1f} %")
    axes.set(
        title="Yield against error", xlabel="yield: plates given of those that a person can read, %", ylabel="error: wrong of those, %"
    )
    told = [point.error.high for point in report.curve if point.error.of >= _LEAST_TOLD] or [1.0]
    axes.set_ylim(0, min(100.0, 110 * max(*told, report.allowed_error)))
    axes.grid(alpha=0.3)
    axes.legend()


def _misses(axes: Axes, report: Report) -> None:
    by_camera: dict[str, dict[str, int]] = {}
    for miss in report.misses:
        reasons = by_camera.setdefault(miss.camera, {})
        reasons[miss.reason] = reasons.get(miss.reason, 0) + miss.events
    shown = sorted(by_camera, key=lambda camera: -sum(by_camera[camera].values()))[:_CAMERAS]
    left = [0] * len(shown)
    for reason in [one.reason for one in report.missed][:_REASONS]:
        counts = [by_camera[camera].get(reason, 0) for camera in shown]
        axes.barh(range(len(shown)), counts, left=left, label=reason.replace("_", " "))
        left = [a + b for a, b in zip(left, counts, strict=True)]
    # A dollar would begin a formula.
    axes.set_yticks(range(len(shown)), [camera.replace("$", r"\$") for camera in shown])
    axes.invert_yaxis()
    axes.set(title="Passages without a plate, and why", xlabel="events")
    axes.legend()
