"""The product's own event logs with the corrections that people made: crops with the text that a person saw.

Corrections: CSV with the columns ``event_id`` and ``plate``. The plate as it really is (the same text confirms it), empty where the
crop shows no plate, ``?`` where nobody can read it. Events that nobody looked at are left out, because a reader that learns its own
mistakes keeps them; ``--trust`` takes those whose score is high enough.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streamer.errors import UsageError
from streamer.eventlog import read_log
from train.collect.found import Found, Item, Mark, Options, Skipped, plate_text


def read_events(source: Path, options: Options) -> Iterator[Item]:
    """Read a log file, or all of a folder. Raises UsageError."""
    folder = source if source.is_dir() else source.parent
    corrections = _corrections(options.corrections) if options.corrections else {}
    events = [vehicle.event for vehicle in read_log(source)]
    last = {event["event_id"]: event["revision"] for event in events}
    for event in events:
        number = str(event["event_id"])
        if last[event["event_id"]] != event["revision"]:
            yield Skipped(f"event {number}", "event", "an earlier revision of the event")
            continue
        said = event["correction"]
        yield _item(event, corrections.pop(number, None if said is None else said["plate"] or ""), folder, options)
    for number in corrections:
        yield Skipped(f"event {number}", "correction", "is not in the log")


def _item(event: Mapping[str, Any], seen: str | None, folder: Path, options: Options) -> Item:
    where = f"event {event['event_id']}"
    crop = next((picture for picture in event["evidence"] if picture["kind"] == "crop"), {})
    if event["state"] == "withdrawn" and seen is None:
        return Skipped(where, "event", "was withdrawn")
    if not crop.get("file"):
        return Skipped(where, "event", "has no crop")
    score = event.get("score") or 0.0
    if seen is None and options.trust is not None and event["plate"] and score >= options.trust:
        seen = str(event["plate"])
    if seen is None:
        return Skipped(where, "event", f"nobody looked at it ({event['plate'] or 'no plate'}, score {score:.2f})")
    text, _, wrong = plate_text(seen, options.letters)
    if wrong:
        return Skipped(where, "correction", wrong)
    vehicle = f"plate {text}" if text else f"{event['source']} {event.get('session')} {event.get('passage')}"
    return Found(
        folder / crop["file"], where, (Mark(text=seen),) if seen else (), kind="crop", source=options.source or str(event["source"]),
        region=str(event.get("country") or ""), group=vehicle, sha256=str(crop.get("sha256") or ""),
    )  # fmt: skip


def _corrections(file: Path) -> dict[str, str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            table = csv.DictReader(lines)
            if not {"event_id", "plate"} <= set(table.fieldnames or ()):
                raise UsageError(f"{file}:1: needs the columns event_id and plate")
            return {(row["event_id"] or "").strip(): (row["plate"] or "").strip() for row in table}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{file}: cannot be read ({error})") from error
