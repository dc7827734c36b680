"""What a model card says about the forms of a model: files, sizes, agreement, speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

CARD = "card.md"
"""Beside export.json."""


def card(report: Mapping[str, Any]) -> str:
    """Give the fragment in Markdown; ``report``: as in export.json."""
    tolerance = ", ".join(f"{name} {value:g}" for name, value in report["tolerance"].items())
    cores = f"{report['threads']} threads" if report["threads"] else "one thread per core"
    size = f", {report['size']} pixels" if report["size"] else ""
    lines = [
        f"- **Forms** of {report['weights']}, compared with the original on {report['pictures']} pictures (tolerance: {tolerance}),",
        f"  timed one picture at a time on {cores}{size}:",
        "",
        "  | form | files | MB | answers | figures | ms | times as fast |",
        "  |---|---|---|---|---|---|---|",
        *("  | " + " | ".join(_cells(form)) + " |" for form in report["forms"]),
    ]
    return "\n".join(lines) + "\n"


def _cells(form: Mapping[str, Any]) -> Sequence[str]:
    figures = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in form["figures"].items())
    answers = form["state"] + (f": {form['why']}" if form["why"] else "")
    speed = ("" if form[key] is None else f"{form[key]:.{digits}f}" for key, digits in (("milliseconds", 1), ("times_as_fast", 2)))
    size = f"{form['megabytes']:.1f}" if form["files"] else ""
    return (form["form"], ", ".join(f"`{name}`" for name in form["files"]), size, answers.replace("|", "/"), figures, *speed)
