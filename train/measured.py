"""What weights/manifest.json says about a model: the figures that promote measured, on what, when and by which command (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from train.evaluate.figures import ALL, Part, Slice

_OF_THE_MACHINE = ("ms_per_crop", "cpu_ms_per_crop")


def measured(parts: Mapping[str, Part], leading: Mapping[str, str], slices: Sequence[str], command: str, day: date) -> dict[str, Any]:
    """Give for each part the rates over all, in percent, other values, and how many plates; the leading rate of ``slices``.

    Times are left out: they say more about the machine. ``leading``: the rate that a part is judged by.
    """
    figures: dict[str, Any] = {"date": day.isoformat(), "command": command}
    for name, part in parts.items():
        if ALL not in part.slices:
            continue
        lead = leading[name]
        hard = {
            known: {"plates": part.slices[known].rates[lead].total} | _rates(part.slices[known], (lead,))
            for known in slices
            if known in part.slices and known != ALL and lead in part.slices[known].rates
        }
        figures[name] = _over_all(part.slices[ALL], lead) | ({"slices": hard} if hard else {})
    return figures


def _over_all(known: Slice, lead: str) -> dict[str, Any]:
    values = {key: round(value, 3) for key, value in known.values.items() if math.isfinite(value) and key not in _OF_THE_MACHINE}
    return {"plates": known.rates[lead].total if lead in known.rates else 0} | _rates(known, known.rates) | values


def _rates(known: Slice, names: Sequence[str] | Mapping[str, Any]) -> dict[str, float]:
    return {name: round(100 * known.rates[name].share, 1) for name in names if known.rates[name].total}
