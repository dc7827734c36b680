"""How good the record is, in the words of contracts, from what people reviewed (pure).

What the rates mean is told in ``qualitywords``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import hypot

from streamer.quality import (
    Answer,
    Point,
    Rate,
    Reliability,
    abstain,
    best_within,
    inverse,
    mean_of,
    part_of,
    product,
    reliability,
    weighted,
    wilson,
)
from streamer.review import NO_PASSAGE, Exclusion, Material, Reviewed, Stratum

Which = Callable[[Reviewed], bool]


@dataclass(frozen=True, slots=True)
class Figures:
    """Rates of one camera and day, of a camera, or of all."""

    camera: str | None
    """None: of all."""
    day: str | None
    """UTC; None: of all days."""
    events: int
    given: int
    """Events with a plate."""
    queued: int
    """Events in the sample."""
    reviewed: int
    spoken_for: int
    """Events of kinds of which at least one was reviewed."""
    vehicles: int | None
    """As somebody else counted them; None if nobody did."""
    surplus: int
    """So many more events than vehicles there are."""
    rates: Mapping[str, Rate | None]
    """By the names of ``qualitywords.RATES``; None where it cannot be told."""
    exclusions: Mapping[Exclusion, int]
    """Reviewed events by the reason why they are left out."""


@dataclass(frozen=True, slots=True)
class Miss:
    """Passages without a plate."""

    camera: str
    day: str
    reason: str
    events: int


@dataclass(frozen=True, slots=True)
class MissedReason:
    """Passages without a plate for one reason, and whether a person can read them."""

    reason: str
    events: int
    readable: Rate | None


@dataclass(frozen=True, slots=True)
class Report:
    """How good the record is."""

    since: str | None
    until: str | None
    made_at: str
    figures: tuple[Figures, ...]
    """All, then each camera, then each of its days."""
    misses: tuple[Miss, ...]
    missed: tuple[MissedReason, ...]
    reliability: Reliability
    curve: tuple[Point, ...]
    """Yield and error as plates with low scores are withheld, by threshold."""
    allowed_error: float
    best: Point | None
    """Where yield is largest with at most that error."""
    notes: tuple[str, ...]
    """What stands against the figures."""


def report_of(
    material: Material, counts: Mapping[tuple[str, str], int], *, since: str | None, until: str | None, allowed_error: float, made_at: str
) -> Report:
    """Give the report.

    Args:
        material: from the record.
        counts: vehicles by camera and day.
        since: first day.
        until: the day after the last one.
        allowed_error: 0..1, what the contract allows.
        made_at: now, UTC.
    """
    groups = _groups(material, counts)
    everything = groups[0]
    answers = everything.answers()
    readable = everything.readable()
    figures = tuple(group.figures() for group in groups)
    curve = tuple(abstain(answers, readable)) if readable else ()
    return Report(
        since,
        until,
        made_at,
        figures,
        tuple(Miss(*where, events) for where, events in sorted(material.misses.items())),
        tuple(_missed(material, everything)),
        reliability(answers),
        curve,
        allowed_error,
        best_within(curve, allowed_error),
        tuple(_notes(material, counts, figures[0])),
    )


class _Group:
    """Events that figures are about."""

    def __init__(self, camera: str | None, day: str | None) -> None:
        self._where = (camera, day)
        self._events: dict[Stratum, int] = {}
        self._queued = 0
        self._reviewed: list[Reviewed] = []
        self._counts: dict[tuple[str, str], int] = {}
        self._seen: Counter[Stratum] = Counter()

    def add_events(self, stratum: Stratum, events: int, queued: int) -> None:
        """Take what there is of a stratum, and how much of it is in the sample."""
        self._events[stratum] = events
        self._queued += queued

    def add_review(self, one: Reviewed) -> None:
        """Take a review; its stratum must be there."""
        self._reviewed.append(one)
        self._seen[one.stratum] += 1

    def add_count(self, camera: str, day: str, vehicles: int) -> None:
        """Take the number of vehicles that somebody else counted."""
        self._counts[camera, day] = vehicles

    def size(self, given: bool) -> int:
        """Give the number of events with or without a plate."""
        return sum(events for one, events in self._events.items() if one.given == given)

    def weight(self, stratum: Stratum) -> float:
        """Give how many events a reviewed one stands for."""
        return self._events[stratum] / self._seen[stratum]

    def rate(self, so: Which, among: Which) -> Rate | None:
        """Give the share of reviewed events among some."""
        return weighted((self.weight(one.stratum), so(one)) for one in self._reviewed if among(one))

    def answers(self) -> list[Answer]:
        """Give the plates that can be compared, with weights that sum up to the events with a plate, as far as these can be compared."""
        known = [one for one in self._reviewed if _is_comparable(one) and one.score is not None]
        looked_at = sum(self.weight(one.stratum) for one in self._reviewed if one.stratum.given)
        grown = self.size(given=True) / looked_at if looked_at else 1.0
        return [Answer(one.score or 0.0, one.outcome == "right", self.weight(one.stratum) * grown) for one in known]

    def readable(self) -> float | None:
        """Give how many events have a plate that a person can read; None if it cannot be told."""
        parts = [(self.size(given), self.rate(_is_readable, _kind(given))) for given in (True, False)]
        if any(size and rate is None for size, rate in parts):
            return None
        return sum(size * rate.value for size, rate in parts if rate is not None) or None

    def figures(self) -> Figures:
        """Work them out."""
        vehicles = sum(self._counts.values()) if self._counts else None
        counted = sum(events for one, events in self._events.items() if (one.camera, one.day) in self._counts)
        real = self._both(lambda one: one.exclusion not in NO_PASSAGE)
        capture, surplus = _capture(counted, vehicles, real)
        missed_readable = self.rate(_is_readable, _kind(given=False))
        yielded = part_of((self.size(given=True), self.rate(_is_readable, _kind(given=True))), (self.size(given=False), missed_readable))
        error = self.rate(lambda one: one.outcome != "right", _is_comparable)
        return Figures(
            *self._where,
            events=sum(self._events.values()),
            given=self.size(given=True),
            queued=self._queued,
            reviewed=len(self._reviewed),
            spoken_for=sum(events for one, events in self._events.items() if self._seen[one]),
            vehicles=vehicles,
            surplus=surplus,
            rates={
                "capture": capture,
                "excluded": self._both(lambda one: one.exclusion is not None),
                "unreadable": self._both(lambda one: not _is_readable(one) and one.exclusion is None),
                "yield": yielded,
                "error": error,
                "error_alike": self.rate(lambda one: one.outcome == "wrong", _is_comparable),
                "read_rate": product(yielded, inverse(error)) if yielded and error else None,
                "unconfirmed": self.rate(lambda one: one.outcome == "unconfirmed", _kind(given=True)),
                "missed_readable": missed_readable,
            },
            exclusions=dict(sorted(Counter(one.exclusion for one in self._reviewed if one.exclusion is not None).items())),
        )

    def _both(self, so: Which) -> Rate | None:
        return mean_of([(self.size(given), self.rate(so, _kind(given))) for given in (True, False)])


def _groups(material: Material, counts: Mapping[tuple[str, str], int]) -> list[_Group]:
    """Give all events, then each camera, then each of its days."""
    groups: dict[tuple[str | None, str | None], _Group] = {(None, None): _Group(None, None)}
    for stratum in sorted(material.events):
        for where in _wheres(stratum.camera, stratum.day):
            group = groups.setdefault(where, _Group(*where))
            group.add_events(stratum, material.events[stratum], material.queued.get(stratum, 0))
    for one in material.reviewed:
        for where in _wheres(one.stratum.camera, one.stratum.day):
            groups[where].add_review(one)
    for (camera, day), vehicles in counts.items():
        for where in _wheres(camera, day):
            if where in groups:
                groups[where].add_count(camera, day, vehicles)
    return list(groups.values())


def _wheres(camera: str, day: str) -> tuple[tuple[str | None, str | None], ...]:
    return (None, None), (camera, None), (camera, day)


def _kind(given: bool) -> Which:
    return lambda one: one.stratum.given == given


def _is_comparable(one: Reviewed) -> bool:
    return one.stratum.given and _is_readable(one)


def _missed_for(reason: str) -> Which:
    return lambda one: not one.stratum.given and one.reason == reason


def _is_readable(one: Reviewed) -> bool:
    return one.outcome in ("right", "alike", "wrong", "missed")


def _capture(events: int, vehicles: int | None, real: Rate | None) -> tuple[Rate | None, int]:
    """Give the share of vehicles that became events, and how many more events than vehicles there are.

    Two things are not sure: how many events are vehicles (the sample), and how many of so many vehicles a camera captures another time
    (Wilson); both are put together like the parts of a sum.
    """
    if not vehicles:
        return None, 0
    passed = events * (real.value if real else 1.0)
    share = min(1.0, passed / vehicles)
    low, high = wilson(share, vehicles)
    down = up = 0.0
    if real:
        down = share - min(share, events * real.low / vehicles)
        up = max(share, min(1.0, events * real.high / vehicles)) - share
    low, high = max(0.0, share - hypot(share - low, down)), min(1.0, share + hypot(high - share, up))
    return Rate(share, low, high, real.of if real else 0), max(0, round(passed) - vehicles)


def _missed(material: Material, group: _Group) -> Iterator[MissedReason]:
    totals: Counter[str] = Counter()
    for (_, _, reason), events in material.misses.items():
        totals[reason] += events
    for reason in sorted(totals, key=lambda one: (-totals[one], one)):
        yield MissedReason(reason, totals[reason], group.rate(_is_readable, _missed_for(reason)))


def _notes(material: Material, counts: Mapping[tuple[str, str], int], everything: Figures) -> Iterator[str]:
    queued, reviewed = sum(material.queued.values()), len(material.reviewed)
    if not reviewed:
        yield "nobody has reviewed any of these events: no rate but capture can be told. Run `plate-streamer review`"
    elif reviewed + material.erased < queued:
        yield f"{queued - reviewed - material.erased} events of the sample are not reviewed yet"
    if reviewed and everything.spoken_for < everything.events:
        yield f"{everything.events - everything.spoken_for} events are of cameras and days of which nobody reviewed any such event"
    if material.erased:
        yield f"{material.erased} events of the sample were erased before anybody reviewed them"
    if not counts:
        yield "nobody counted the vehicles (--counts): how many were never noticed is not known"
    known = {(stratum.camera, stratum.day) for stratum in material.events}
    for camera, day in sorted(set(counts) - known):
        yield f"{camera} {day}: {counts[camera, day]} vehicles were counted, and there is no event"
