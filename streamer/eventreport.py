"""What a sealed package says to people: one HTML page with its pictures inside, and the same as PDF."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from streamer.events import Event, plate_label, plate_that_holds
from streamer.sealing import plain_name

if TYPE_CHECKING:
    from fpdf import FPDF

_STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1f2328}"
    "table{border-collapse:collapse}td{padding:.2rem .8rem .2rem 0;vertical-align:top}td:first-child{color:#57606a;white-space:nowrap}"
    "img,video{max-width:100%;border:1px solid #d0d7de}section{margin:3rem 0}h2{font-size:1.8rem;letter-spacing:.08em}"
    "figcaption{color:#57606a}"
)
PDF_WIDTH_MM: Final = 170.0
PDF_HEIGHT_MM: Final = 62.0
"""Of a picture at most: crop, vehicle and scene stand on one page."""
_LABELS: Final = {"crop": "The plate as it was read", "vehicle": "The vehicle", "scene": "The scene", "clip": "Clip, as the camera sent it"}

Pictures = Mapping[str, bytes]
"""Contents by the name that the event gives."""


def facts_of(event: Event) -> Iterator[tuple[str, str]]:
    """Give what an event says, as names and texts, what matters most first."""
    yield "state", f"{event['state']}, revision {event['revision']}"
    if event["correction"] is not None:
        said = event["correction"]
        yield "corrected", f"by {said['by']}, {said['time']}{', ' + said['why'] if said['why'] else ''}"
    yield "decided by the program", event["plate"] or f"no plate ({event['reason']})"
    yield "best single read", event["raw"] or "none"
    if event["score"] is not None:
        yield (
            "agreement of the looks",
            f"{event['score']:.2f}; "
            + " ".join(f"{c} {score:.2f}" for c, score in zip(event["plate"], event["char_scores"], strict=False)),
        )
    if event["alternatives"]:
        yield "other readings", ", ".join(f"{one['plate']} ({one['score']:.2f})" for one in event["alternatives"])
    yield "country, format", ", ".join(filter(None, (event["country"], event["format"]))) or "unknown"
    yield "camera or recording", event["source"]
    for name, key in (("first seen", "first"), ("picture taken", "best"), ("last seen", "last")):
        yield name, f"{event[key]['time']} (frame {event[key]['frame']}, {event[key]['media_time_s']:.3f} s)"
    yield "clock", _clock(event)
    yield "looks, reads", f"{event['looks']}, {event['reads']}"
    for part in ("detector", "reader"):
        model = event["models"][part]
        yield part, f"{model['name']}, {model['backend']}, SHA-256 {model['sha256']}"
    yield "program", event["program_version"]
    yield "event", event["event_id"]
    yield "entry in the chain", str(event["chain"]["entry"])
    for picture in event["evidence"]:
        if "clip" in picture:
            yield "clip", clip_text(picture["clip"])
        yield f"{picture['kind']}, SHA-256", picture["sha256"]
        if "sealed" in picture:
            yield (
                f"{picture['kind']}, opened",
                f"SHA-256 {picture['sealed']['plain_sha256']}; sealed to {', '.join(picture['sealed']['to'])}",
            )
        if any(picture.get("redacted", {}).values()):
            yield f"{picture['kind']}, painted over", redacted_text(picture["redacted"])


def sealed_text(picture: Event) -> str:
    """Say that a picture cannot be shown."""
    return f"{_LABELS[picture['kind']]}: sealed; only the holder of a key can open evidence/{picture['file']}, with `plate-streamer unseal`"


def redacted_text(hidden: Mapping[str, int]) -> str:
    """Say what was painted over in a picture before it was stored."""
    words = {"other_plates": "plates of others", "windows": "windows", "regions": "marked regions"}
    return ", ".join(f"{count} {words[kind]}" for kind, count in hidden.items() if count)


def clip_text(clip: Event) -> str:
    """Say what a clip shows."""
    frame = (
        "the look that was read is not in it" if clip["best_frame"] is None else f"the look that was read is its frame {clip['best_frame']}"
    )
    short = "" if clip["complete"] else "; it is shorter than was asked for"
    span = f"from {clip['begin']['time']} to {clip['end']['time']}"
    return f"{clip['duration_s']:.1f} s, {clip['frames']} frames, {clip['codec']}, {span}; {frame}, from 0 on{short}"


def html_of(events: Sequence[Event], pictures: Pictures, told: Mapping[str, str], sealed: Collection[str] = ()) -> bytes:
    """Give the page: UTF-8, needs nothing from elsewhere. ``sealed``: names of pictures that are there, but not opened."""
    parts = [f"<!doctype html><html lang=en><meta charset=utf-8><title>Plate events</title><style>{_STYLE}</style><h1>Plate events</h1>"]
    parts.append(_table(told.items()))
    for event in events:
        parts.append(f"<section><h2>{escape(_title(event))}</h2>{_table(facts_of(event))}")
        for picture in event["evidence"]:
            if picture["file"] in pictures:
                kind = mimetypes.guess_type(plain_name(picture["file"]))[0] or "application/octet-stream"
                data = base64.b64encode(pictures[picture["file"]]).decode()
                caption = f"{_LABELS[picture['kind']]}, {picture['width']} x {picture['height']} pixels"
                source = f'src="data:{kind};base64,{data}"'
                shown = f"<video controls preload=metadata {source}></video>" if picture["kind"] == "clip" else f'<img alt="" {source}>'
                parts.append(f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>")
            elif picture["file"] in sealed:
                parts.append(f"<figure><figcaption>{escape(sealed_text(picture))}</figcaption></figure>")
        parts.append("</section>")
    return "\n".join(parts).encode("utf-8", "backslashreplace")


def pdf_of(events: Sequence[Event], pictures: Pictures, told: Mapping[str, str], sealed: Collection[str] = ()) -> bytes:
    """Give the same as PDF, A4. Its fonts know Latin letters only: others become question marks; the HTML page and the events have them."""
    from fpdf import FPDF
    from fpdf.enums import WrapMode

    pdf = FPDF(format="A4")
    pdf.set_margin(20)
    pdf.set_auto_page_break(True, 20)
    pdf.add_page()
    pdf.set_font("helvetica", "B", 18)
    pdf.cell(text="Plate events", new_x="LMARGIN", new_y="NEXT")
    _rows(pdf, told.items())
    for number, event in enumerate(events):
        if number:
            pdf.add_page()
        pdf.ln(6)
        pdf.set_font("helvetica", "B", 22)
        pdf.cell(text=_latin(_title(event)), new_x="LMARGIN", new_y="NEXT")
        pdf.ln(3)
        _rows(pdf, facts_of(event))
        for picture in event["evidence"]:
            if picture["file"] in pictures and picture["kind"] != "clip":  # which stands among the facts
                _figure(pdf, pictures[picture["file"]], picture)
            elif picture["file"] in sealed:
                pdf.ln(4)
                pdf.set_font("helvetica", "", 8)
                pdf.multi_cell(PDF_WIDTH_MM, 4, text=_latin(sealed_text(picture)), new_x="LMARGIN", new_y="NEXT", wrapmode=WrapMode.CHAR)
    return bytes(pdf.output())


def _figure(pdf: FPDF, content: bytes, picture: Mapping[str, object]) -> None:
    import io

    width, height = int(str(picture["width"])), int(str(picture["height"]))
    shown_mm = min(PDF_WIDTH_MM, PDF_HEIGHT_MM * width / height, width * 25.4 / 72)
    if pdf.will_page_break(shown_mm * height / width + 12):
        pdf.add_page()
    pdf.ln(4)
    pdf.image(io.BytesIO(content), w=shown_mm, alt_text="")
    pdf.set_font("helvetica", "", 8)
    pdf.ln(1)
    pdf.cell(text=_latin(f"{_LABELS[str(picture['kind'])]}, {width} x {height} pixels"), new_x="LMARGIN", new_y="NEXT")


def _rows(pdf: FPDF, facts: Iterable[tuple[str, str]]) -> None:
    from fpdf.enums import WrapMode

    for name, text in facts:
        pdf.set_font("helvetica", "", 9)
        pdf.set_text_color(90)
        pdf.cell(48, 5, text=_latin(name))
        pdf.set_text_color(0)
        pdf.multi_cell(PDF_WIDTH_MM - 48, 5, text=_latin(text), new_x="LMARGIN", new_y="NEXT", wrapmode=WrapMode.CHAR)


def _title(event: Event) -> str:
    plate = plate_that_holds(event)
    return plate_label(plate, event["unread_chars"]) if plate else "no plate"


def _clock(event: Event) -> str:
    text = str(event["clock"])
    if event["clock_offset_s"] is not None:
        text += f", {event['clock_offset_s']:.3f} s from exposure to arrival"
    if event["host_clock"] is not None:
        host = event["host_clock"]
        text += f"; this machine's: {'synchronised' if host['synchronised'] else 'not known to be synchronised'} ({host['source']})"
    return text


def _table(facts: Iterable[tuple[str, str]]) -> str:
    rows = (f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in facts)
    return f"<table>{''.join(rows)}</table>"


def _latin(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1")
