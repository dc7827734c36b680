"""Which events people are asked to look at, and what they may say about them (pure).

A stratum is what one camera saw in one day (UTC), with a plate or without. From each of them events are drawn without replacement: those
whose ids have the smallest random numbers, which a keyed hash of the id gives (permanent random numbers; E. Ohlsson, "Coordination of
samples using permanent random numbers", in "Business Survey Methods", Wiley 1995). So the order in which events are recorded does not
matter, the same seed gives the same sample, and nobody can prefer the good ones.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from streamer.errors import UsageError
from streamer.plates import fold, normalise

NOTHING: Final = "-"
EXCLUDED: Final = "x"
LEAST: Final = 2
"""Reviews that a stratum should have: one alone says nothing about how far events differ."""

TruthKind = Literal["text", "none", "excluded"]
"""A person can read the plate; there is none that a person can read; the event does not count, for a reason."""

Exclusion = Literal["no_vehicle", "double", "foreign", "temporary", "covered", "damaged", "other"]
EXCLUSIONS: Final[Mapping[Exclusion, str]] = {
    "no_vehicle": "there is no vehicle",
    "double": "the same passage is another event, too",
    "foreign": "a plate of a country that is not asked for",
    "temporary": "a temporary, dealer's or transit plate",
    "covered": "dirt, snow, a load or a hitch hides characters",
    "damaged": "the plate is bent, broken or worn",
    "other": "something else",
}
"""Why an event may be left out; contracts name theirs."""
NO_PASSAGE: Final[frozenset[Exclusion]] = frozenset({"no_vehicle", "double"})
"""These are no passage of a vehicle of its own."""

Outcome = Literal["right", "alike", "wrong", "missed", "unconfirmed", "no_plate"]
"""What the program said against what a person read: the same text; the same but for O and 0 or I and 1; another text; no plate though a
person reads one; a plate though a person reads none, or the event is excluded; no plate, and so says the person."""


@dataclass(frozen=True, slots=True, order=True)
class Stratum:
    """What events are drawn from."""

    camera: str
    day: str
    """UTC, ``2026-05-01``."""
    given: bool
    """Whether the program gave a plate."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event that may be drawn."""

    event_id: str
    stratum: Stratum
    score: float | None
    """Of the plate, 0..1; None without one."""
    reason: str | None
    """Why there is no plate; None with one."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What a person says about an event."""

    kind: TruthKind
    text: str | None = None
    """A-Z 0-9; set exactly for ``text``."""
    reason: Exclusion | None = None
    """Set exactly for ``excluded``."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What is left of a review for reports, even after the event was erased."""

    stratum: Stratum
    score: float | None
    """Of the plate, 0..1."""
    reason: str | None
    """Why there was no plate."""
    outcome: Outcome
    exclusion: Exclusion | None


@dataclass(frozen=True, slots=True)
class Material:
    """What a report is made of."""

    events: Mapping[Stratum, int]
    """How many passages there are, or were when a sample was drawn."""
    queued: Mapping[Stratum, int]
    erased: int
    """Events of the queue that were erased before anybody looked."""
    reviewed: tuple[Reviewed, ...]
    misses: Mapping[tuple[str, str, str], int]
    """Passages without a plate by camera, day and reason, without erased ones."""


def allocate(sizes: Mapping[Stratum, int], queued: Mapping[Stratum, int], total: int) -> dict[Stratum, int]:
    """Share a number of reviews out: ``LEAST`` to every stratum, the rest in proportion to what is left in each (largest remainders).

    Args:
        sizes: events of each stratum.
        queued: those that were drawn before.
        total: how many to draw now.

    Returns:
        How many to draw from each stratum; together ``total``, or all that there is.

    Raises:
        UsageError: it is not even one for each.
    """
    left = {stratum: size - queued.get(stratum, 0) for stratum, size in sorted(sizes.items())}
    for least in (LEAST, 1):
        wanted = {stratum: min(left[stratum], max(0, least - queued.get(stratum, 0))) for stratum in left}
        if sum(wanted.values()) <= total:
            break
    else:
        raise UsageError(
            f"{len(left)} kinds of events (camera, day, with or without a plate) need a review each, at least: ask for --size"
            f" {sum(wanted.values())} or more, or for fewer days or cameras"
        )
    spread = min(total, sum(left.values())) - sum(wanted.values())
    room = {stratum: left[stratum] - wanted[stratum] for stratum in left}
    all_room = sum(room.values())
    if spread > 0:
        shares = {stratum: spread * size / all_room for stratum, size in room.items()}
        for stratum, share in shares.items():
            wanted[stratum] += int(share)
        over = spread - sum(int(share) for share in shares.values())
        for stratum in sorted(shares, key=lambda one: (int(shares[one]) - shares[one], one))[:over]:
            wanted[stratum] += 1
    return wanted


def draw(candidates: Iterable[Candidate], wanted: Mapping[Stratum, int], seed: str) -> list[Candidate]:
    """Draw events; gives them in a random order, in which they should be reviewed.

    Args:
        candidates: in any order, each once.
        wanted: how many from each stratum.
        seed: any text.
    """
    key = hashlib.sha256(seed.encode()).digest()
    heaps: dict[Stratum, list[tuple[int, str, Candidate]]] = {}
    for candidate in candidates:
        size = wanted.get(candidate.stratum, 0)
        if not size:
            continue
        entry = (-_random_number(key, candidate.event_id), candidate.event_id, candidate)
        heap = heaps.setdefault(candidate.stratum, [])
        if len(heap) < size:
            heapq.heappush(heap, entry)
        elif entry > heap[0]:
            heapq.heapreplace(heap, entry)
    drawn = [entry for heap in heaps.values() for entry in heap]
    return [candidate for _, _, candidate in sorted(drawn, key=lambda entry: (-entry[0], entry[1]))]


def parse_truth(text: str, reason: str = "") -> Truth:
    """Give what somebody typed: a plate, ``-``, or ``x`` and a reason (behind it, or apart).

    Raises:
        UsageError: it is none of these; the message says what to type.
    """
    typed = text.strip()
    word, _, rest = typed.partition(" ")
    if typed == NOTHING:
        return Truth("none")
    if word.lower() == EXCLUDED:
        return Truth("excluded", reason=_exclusion(rest.strip() or reason.strip()))
    if reason.strip():
        raise UsageError(f"a reason ({reason.strip()}) is given for what is excluded only: write {EXCLUDED} as the truth, or no reason")
    if _spoilt_by_a_spreadsheet(typed):
        raise UsageError(f"{typed}: a spreadsheet took the plate for a number and changed it: format the column as text, and type it again")
    plate = normalise(typed)
    if not plate:
        raise UsageError(
            f"{typed!r}: type the plate, {NOTHING} if a person can read none, or {EXCLUDED} and a reason: {', '.join(EXCLUSIONS)}"
        )
    return Truth("text", plate)


def outcome_of(plate: str | None, truth: Truth) -> Outcome:
    """Compare what the program said with the truth."""
    if truth.text is None:
        return "no_plate" if plate is None else "unconfirmed"
    if plate is None:
        return "missed"
    if plate == truth.text:
        return "right"
    return "alike" if fold(plate) == fold(truth.text) else "wrong"


def _random_number(key: bytes, event_id: str) -> int:
    """Give the random number of an event, 64 bits."""
    return int.from_bytes(hashlib.blake2b(event_id.encode(), key=key, digest_size=8).digest())


def _exclusion(text: str) -> Exclusion:
    for reason in get_args(Exclusion):
        if text.lower().replace(" ", "_") == reason:
            found: Exclusion = reason
            return found
    raise UsageError(f"{text or 'no reason'}: what is excluded needs one of these reasons: {', '.join(EXCLUSIONS)}")


def _spoilt_by_a_spreadsheet(text: str) -> bool:
    """Say whether it looks like 1.2E+05, which spreadsheets make of a plate such as 12E4."""
    number, letter, power = text.upper().partition("E+")
    return bool(letter) and power.isdigit() and number.replace(".", "").replace(",", "").isdigit()
