"""The report: JSON for programs, one HTML page with its pictures inside for people. All of it is for its owner's eyes only."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Final

import numpy as np

from streamer.cameradoctor.findings import Finding, Verdict
from streamer.cameradoctor.measures import Motion, Passing, PlateLook
from streamer.cameradoctor.notes import StreamNotes
from streamer.private import write_whole

PRIVATE: Final = "Plates are personal data: this folder shows them. Keep it no longer than you need it."
PERCENTILES: Final = (5, 10, 25, 50, 75, 90, 95)
JSON: Final = "report.json"
HTML: Final = "report.html"

_COLOURS: Final[dict[Verdict, str]] = {"good": "#1a7f37", "fair": "#9a6700", "poor": "#cf222e", "unknown": "#6e7781"}
_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1f2328}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{padding:.4rem .6rem;border-bottom:1px solid #d0d7de;text-align:left;vertical-align:top}"
    "img{max-width:100%;border:1px solid #d0d7de}.v{font-weight:600;white-space:nowrap}figure{margin:1.5rem 0}figcaption{color:#57606a}"
)
_CAPTIONS: Final = {
    "view.jpg": "The view, and where plates were seen",
    "crops.jpg": "Plates as they were cut out",
    "blur.jpg": "The fastest plates",
    "exposure.jpg": "What is clipped",
}


@dataclass(frozen=True, slots=True)
class Report:
    """All that a test found."""

    camera: str
    """Its name, or the recording's path."""
    began: datetime
    """UTC, aware."""
    seconds: float
    version: str
    findings: tuple[Finding, ...]
    passings: tuple[Passing, ...]
    measures: Mapping[str, Mapping[str, float] | None]
    """Percentiles of what was measured of plates; None where nothing was."""
    notes: StreamNotes

    def as_json(self) -> str:
        """Give the report as a JSON object."""
        content = asdict(self)
        content["began"] = self.began.isoformat()
        return json.dumps(content, indent=2, ensure_ascii=False)


def measures_of(looks: Sequence[PlateLook], motions: Sequence[Motion | None]) -> dict[str, Mapping[str, float] | None]:
    """Give percentiles of the looks' figures, by name with its unit."""
    values: dict[str, list[float]] = {
        "character_height_px": [look.text.height_px for look in looks],
        "plate_width_px": [look.box.width for look in looks],
        "tilt_deg": [look.text.tilt_deg for look in looks],
        "edge_x_px": [look.edges[0] for look in looks if look.edges is not None],
        "edge_y_px": [look.edges[1] for look in looks if look.edges is not None],
        "speed_px_s": [motion.speed_px_s for motion in motions if motion is not None],
        "clipped_white": [look.light.highlights for look in looks],
        "contrast": [look.light.contrast for look in looks],
    }
    return {name: _percentiles(found) for name, found in values.items()}


def _percentiles(values: Sequence[float]) -> Mapping[str, float] | None:
    if not values:
        return None
    found = np.percentile(values, PERCENTILES)
    return {"looks": float(len(values)), **{f"p{share}": round(float(value), 3) for share, value in zip(PERCENTILES, found, strict=True)}}


def write_report(folder: Path, report: Report, pictures: Mapping[str, bytes]) -> Report:
    """Write everything into an existing folder, files 0600; gives the report without names of missing pictures. Raises OSError."""
    findings = tuple(finding if finding.picture in pictures else replace(finding, picture=None) for finding in report.findings)
    report = replace(report, findings=findings)
    for name, data in pictures.items():
        write_whole(folder / name, data)
    write_whole(folder / JSON, report.as_json().encode())
    write_whole(folder / HTML, html_of(report, pictures).encode())
    return report


def html_of(report: Report, pictures: Mapping[str, bytes]) -> str:
    """Give the page: it needs no other file."""
    rows = "".join(_row(finding) for finding in report.findings)
    figures = "".join(
        f'<figure id="{escape(name)}"><img alt="" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'
        f"<figcaption>{escape(_CAPTIONS.get(name, name))}</figcaption></figure>"
        for name, data in pictures.items()
    )
    title = escape(f"Camera doctor: {report.camera}")
    tested = escape(f"{report.began:%Y-%m-%d %H:%M:%S} UTC, {report.seconds:.0f} s, plate-streamer {report.version}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1><p>{tested}</p>"
        f"<table><tr><th>what</th><th>verdict</th><th>measured</th><th>what to change</th></tr>{rows}</table>{figures}"
        f"<p><strong>{escape(PRIVATE)}</strong></p></html>\n"
    )


def _row(finding: Finding) -> str:
    name = escape(finding.name)
    if finding.picture is not None:
        name = f'<a href="#{escape(finding.picture)}">{name}</a>'
    verdict = f'<td class="v" style="color:{_COLOURS[finding.verdict]}">{finding.verdict}</td>'
    return f"<tr><td>{name}</td>{verdict}<td>{escape(finding.value)}</td><td>{escape(finding.advice)}</td></tr>"
