"""Later revisions of an event, each made of the one before it (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from streamer.events import Event, EvidenceFile, EvidenceKind, Place, chain_of, utc_text


def interrupted(preview: Event, place: Place, *, salt: str, written_at: datetime) -> Event:
    """Give the revision that withdraws a preview whose passage an earlier run could not follow to its end."""
    return _next(preview, place, salt, written_at) | {
        "revision_reason": "interrupted",
        "state": "withdrawn",
    }


def clip_added(
    last: Event,
    kept: Sequence[Event],
    clip: EvidenceFile | None,
    place: Place,
    *,
    shed: Sequence[tuple[EvidenceKind, str]] = (),
    salt: str,
    written_at: datetime,
) -> Event:
    """Give the revision that has the clip of an event, which is as it was otherwise; somebody may have corrected it meanwhile.

    Args:
        last: the last revision, final or corrected.
        kept: its pictures that were not erased, as they stand in it.
        clip: the clip; None: it was left out, see ``shed``.
        place: where in the record it will stand.
        shed: as in ``event_of``.
        salt: see there, too.
        written_at: now, aware.
    """
    return _next(last, place, salt, written_at) | {
        "revision_reason": "clip",
        "evidence": [*kept, *([] if clip is None else [clip.entry()])],
        "evidence_shed": [*last.get("evidence_shed", ()), *({"kind": kind, "why": why} for kind, why in shed)],
    }


def corrected(last: Event, place: Place, *, plate: str | None, by: str, why: str, salt: str, written_at: datetime) -> Event:
    """Give the revision that says what somebody saw; what the program decided and read stays as it was.

    Args:
        last: the last revision, final or corrected.
        place: where in the record it will stand.
        plate: A-Z and 0-9; None: there is no plate that can be read.
        by: who says so.
        why: in a few words; may be empty.
        salt: see ``event_of``.
        written_at: now, aware.
    """
    return _next(last, place, salt, written_at) | {
        "revision_reason": "correction",
        "state": "corrected",
        "correction": {"plate": plate, "by": by, "time": utc_text(written_at), "why": why},
    }


def _next(last: Event, place: Place, salt: str, written_at: datetime) -> Event:
    """Give what every revision has of its own, and otherwise what the one before it says."""
    return last | {
        "revision": last["revision"] + 1,
        "sequence": place.sequence,
        "written_at": utc_text(written_at),
        "salt": salt,
        "chain": chain_of(place),
    }
