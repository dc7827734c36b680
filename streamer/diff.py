"""Two event logs, vehicle by vehicle: for regression, and to compare two sets of weights."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from rapidfuzz.distance import Levenshtein

from streamer.eventlog import Vehicle, read_log

TOLERANCE_S: Final = 2.0
"""Two passages further apart in time are not the same vehicle."""

UNLIKE: Final = 0.7
"""Nor are two whose texts differ in more than this part of their characters."""

UNREAD_COST: Final = 0.5
"""How unlike a text and none are."""

TIME_COST: Final = 0.25
"""How much the times count beside the texts, where they are a tolerance apart."""

ALONE_COST: Final = 1.0
"""What a vehicle of A without one in B costs: more than any pair, less than two poor pairs that would break up a good one."""

_RUN_FIELDS: Final = ("schema_version", "program_version", "models", "configuration")
"""Told once for the logs, not again for every vehicle."""

_IGNORED_FIELDS: Final = ("event_id", "sequence", "written_at", "salt", "chain", *_RUN_FIELDS)


@dataclass(frozen=True, slots=True)
class CharChange:
    """Where two plates differ."""

    at: int
    """Position in A's plate, from 1."""
    a: str
    """Empty if B has more here."""
    b: str
    """Empty if A has more here."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field, or one inside it (``best.time``), that differs."""

    name: str
    a: object
    b: object


@dataclass(frozen=True, slots=True)
class Pair:
    """The same vehicle in both logs."""

    a: Vehicle
    b: Vehicle
    characters: tuple[CharChange, ...]
    """How the plates differ; empty too if only one log has a plate."""
    fields: tuple[FieldChange, ...]
    """All differences but ids, sequence numbers, times of writing and what the logs differ in as a whole."""

    @property
    def plate_differs(self) -> bool:
        """True also if only one log has a plate."""
        return bool(self.a.event["plate"] != self.b.event["plate"])


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two logs have in common and what not; each list in the order of A's, then B's times."""

    same: tuple[Pair, ...]
    changed: tuple[Pair, ...]
    """The same plate, other fields differ."""
    plate_differs: tuple[Pair, ...]
    only_a: tuple[Vehicle, ...]
    only_b: tuple[Vehicle, ...]
    runs: tuple[FieldChange, ...]
    """Program version, models and schema version, where the logs differ in them."""

    @property
    def same_vehicles(self) -> bool:
        """True if both logs have the same vehicles with the same plates."""
        return not (self.plate_differs or self.only_a or self.only_b)

    @property
    def identical(self) -> bool:
        """True if the logs differ in ids, sequence numbers and times of writing at most."""
        return self.same_vehicles and not self.changed and not self.runs


def compare(a: Path, b: Path, *, states: Sequence[str] = ("final",), tolerance_s: float = TOLERANCE_S) -> Comparison:
    """Compare two logs.

    Args:
        a: an event log, or the folder of one with all its rotated files.
        b: the same.
        states: events in other states do not count.
        tolerance_s: how far apart the times of a vehicle may be, above 0.

    Raises:
        UsageError: a log is missing or a line of it is no event, with file and line number.
    """
    left = [vehicle for vehicle in read_log(a) if _counts(vehicle.event, states)]
    right = [vehicle for vehicle in read_log(b) if _counts(vehicle.event, states)]
    return compare_vehicles(left, right, tolerance_s=tolerance_s)


def _counts(event: Mapping[str, Any], states: Sequence[str]) -> bool:
    """Say whether a line tells of a vehicle: one that only brings a clip repeats what was told."""
    return event["state"] in states and event.get("revision_reason") != "clip"


def compare_vehicles(left: Sequence[Vehicle], right: Sequence[Vehicle], *, tolerance_s: float = TOLERANCE_S) -> Comparison:
    """Compare what two logs hold (pure)."""
    left, right = sorted(left, key=_order), sorted(right, key=_order)
    matches = _matches(left, right, tolerance_s)
    pairs = [_pair(left[i], right[j]) for i, j in sorted(matches.items())]
    alike = [pair for pair in pairs if not pair.plate_differs]
    taken = set(matches.values())
    return Comparison(
        same=tuple(pair for pair in alike if not pair.fields),
        changed=tuple(pair for pair in alike if pair.fields),
        plate_differs=tuple(pair for pair in pairs if pair.plate_differs),
        only_a=tuple(vehicle for i, vehicle in enumerate(left) if i not in matches),
        only_b=tuple(vehicle for j, vehicle in enumerate(right) if j not in taken),
        runs=_run_changes(left, right),
    )


def lines(comparison: Comparison) -> list[str]:
    """Word a comparison for people: what differs, line by line, and the sum of it at the end."""
    words = [f"{change.name} differs: {change.a} | {change.b}" for change in comparison.runs]
    for pair in comparison.plate_differs:
        words.append(f"plate    {_title(pair.a)} | {pair.b.event['plate'] or '-'}")
        words += [f"         character {change.at}: {change.a or 'nothing'} | {change.b or 'nothing'}" for change in pair.characters]
    for pair in comparison.changed:
        words.append(f"changed  {_title(pair.a)}")
        words += [f"         {change.name}: {change.a} | {change.b}" for change in pair.fields]
    words += [f"only A   {_title(vehicle)}" for vehicle in comparison.only_a]
    words += [f"only B   {_title(vehicle)}" for vehicle in comparison.only_b]
    counts = {
        "same": comparison.same,
        "the same plate but other details": comparison.changed,
        "another plate": comparison.plate_differs,
        "only in A": comparison.only_a,
        "only in B": comparison.only_b,
    }
    return [*words, "; ".join(f"{len(found)} {what}" for what, found in counts.items())]


def _order(vehicle: Vehicle) -> tuple[str, int, float, float, str]:
    source, session = vehicle.timeline
    return (source, -1 if session is None else session, vehicle.start_s, vehicle.end_s, vehicle.text or "")


def _matches(left: Sequence[Vehicle], right: Sequence[Vehicle], tolerance_s: float) -> dict[int, int]:
    """Give for vehicles of A the one of B that each is, so that all together cost the least (sparse linear assignment)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    if not left:
        return {}
    costs = dict(_possible(left, right, tolerance_s))
    costs |= {(i, len(right) + i): ALONE_COST for i in range(len(left))}  # every vehicle of A may stay alone
    rows, columns = np.array(list(costs)).T
    weights = np.array(list(costs.values())) + 1.0  # a weight of 0 means "not possible"; all get the same on top
    graph = csr_array((weights, (rows, columns)), shape=(len(left), len(right) + len(left)))
    found = zip(*(indices.tolist() for indices in min_weight_full_bipartite_matching(graph)), strict=True)
    return {i: j for i, j in found if j < len(right)}


def _possible(left: Sequence[Vehicle], right: Sequence[Vehicle], tolerance_s: float) -> Iterator[tuple[tuple[int, int], float]]:
    """Give the pairs that may be one vehicle, with their cost: those whose times overlap, found in one pass over all beginnings."""
    entries = [(vehicle, side, index) for side, log in enumerate((left, right)) for index, vehicle in enumerate(log)]
    entries.sort(key=lambda entry: _order(entry[0])[:3])
    for _, group in itertools.groupby(entries, key=lambda entry: entry[0].timeline):
        present: tuple[list[tuple[Vehicle, int]], list[tuple[Vehicle, int]]] = ([], [])
        for vehicle, side, index in group:
            others = present[1 - side]
            others[:] = [other for other in others if other[0].end_s >= vehicle.start_s - tolerance_s]
            present[side].append((vehicle, index))
            for other, other_index in others:
                distance = _distance(vehicle.text, other.text)
                if distance <= UNLIKE:
                    apart_s = abs(vehicle.start_s - other.start_s) + abs(vehicle.end_s - other.end_s)
                    pair = (index, other_index) if side == 0 else (other_index, index)
                    yield pair, distance + TIME_COST * min(1.0, apart_s / (2 * tolerance_s))


def _distance(a: str | None, b: str | None) -> float:
    """Give how unlike two texts are, 0..1."""
    if a is None or b is None:
        return 0.0 if a is b else UNREAD_COST
    return Levenshtein.normalized_distance(a, b)


def _pair(a: Vehicle, b: Vehicle) -> Pair:
    ours = {key: value for key, value in a.event.items() if key not in _IGNORED_FIELDS}
    theirs = {key: value for key, value in b.event.items() if key not in _IGNORED_FIELDS}
    return Pair(a, b, _char_changes(a.event["plate"], b.event["plate"]), tuple(_field_changes("", ours, theirs)))


def _char_changes(a: str | None, b: str | None) -> tuple[CharChange, ...]:
    if a is None or b is None:
        return ()
    steps = Levenshtein.opcodes(a, b)
    return tuple(
        CharChange(step.src_start + 1, a[step.src_start : step.src_end], b[step.dest_start : step.dest_end])
        for step in steps
        if step.tag != "equal"
    )


def _field_changes(name: str, a: object, b: object) -> Iterator[FieldChange]:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in dict.fromkeys([*a, *b]):
            yield from _field_changes(f"{name}.{key}" if name else str(key), a.get(key), b.get(key))
    elif a != b:
        yield FieldChange(name, a, b)


def _run_changes(left: Sequence[Vehicle], right: Sequence[Vehicle]) -> tuple[FieldChange, ...]:
    """Compare what the logs as a whole were made with; a log may have been written by several versions."""
    if not left or not right:
        return ()
    ours, theirs = ({field: _values(side, field) for field in _RUN_FIELDS} for side in (left, right))
    return tuple(FieldChange(field, ours[field], theirs[field]) for field in _RUN_FIELDS if ours[field] != theirs[field])


def _values(vehicles: Sequence[Vehicle], field: str) -> str:
    return ", ".join(sorted({json.dumps(vehicle.event.get(field), sort_keys=True) for vehicle in vehicles}))


def _title(vehicle: Vehicle) -> str:
    event = vehicle.event
    return f"{event['source']}  {event['first']['time']}  {event['plate'] or '-'}"
