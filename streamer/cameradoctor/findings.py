"""What the doctor says: one finding for each thing that was looked at (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Verdict = Literal["good", "fair", "poor", "unknown"]
"""``unknown``: there was nothing, or too little, to judge by."""

VIEW: Final = "view.jpg"
CROPS: Final = "crops.jpg"
BLUR: Final = "blur.jpg"
LIGHT: Final = "exposure.jpg"

READING: Final = "plates read"
"""Name of the finding that all others serve."""

POOR: Final = 1
"""Exit code: something is poor, or no vehicle passed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    value: str
    """What was measured, with units."""
    verdict: Verdict
    advice: str
    """Which setting to change, and to what; empty if there is nothing to do."""
    picture: str | None = None
    """File beside the report that shows it."""


def grade(value: float, good: float, fair: float) -> Verdict:
    """Judge a value by two limits, both still within; if ``good`` is the larger one, more is better, else less is."""
    if good >= fair:
        return "good" if value >= good else "fair" if value >= fair else "poor"
    return "good" if value <= good else "fair" if value <= fair else "poor"


def exit_code(findings: Sequence[Finding]) -> int:
    """Give 0 if the view can be trusted: nothing is poor, and there were vehicles to judge it by; else POOR."""
    if any(finding.verdict == "poor" for finding in findings):
        return POOR
    return POOR if any(finding.name == READING and finding.verdict == "unknown" for finding in findings) else 0
