"""Rates and curves: intervals that cover, curves that fall, and nothing that depends on the order."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamer.quality import (
    Answer,
    Rate,
    abstain,
    best_within,
    effective_size,
    inverse,
    mean_of,
    part_of,
    product,
    reliability,
    weighted,
    wilson,
)
from streamer.qualityreport import report_of
from streamer.review import Candidate, Material, Reviewed, Stratum, allocate, draw

SHARES = st.floats(0, 1)
WEIGHTS = st.floats(0.01, 1e6)
DRAWS = st.lists(st.tuples(WEIGHTS, st.booleans()), min_size=1, max_size=60)
RATES = st.builds(lambda share, trials: Rate(share, *wilson(share, trials), round(trials)), SHARES, st.floats(1, 5000))
ANSWERS = st.lists(st.builds(Answer, st.sampled_from([0.1, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0]), st.booleans(), WEIGHTS), max_size=80)


def holds(rate: Rate) -> bool:
    return -1e-12 <= rate.low <= rate.value + 1e-9 and rate.value - 1e-9 <= rate.high <= 1 + 1e-12


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    # As R's prop.test gives them without correction; the last two are R. G. Newcombe's examples (1998).
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)],
)
def test_wilson_is_what_others_work_out(right: int, of: int, low: float, high: float) -> None:
    assert wilson(right / of, of) == pytest.approx((low, high), abs=5e-5)


@given(SHARES, st.floats(1, 1e9), st.floats(1.1, 100))
def test_more_trials_make_an_interval_around_the_share_narrower(share: float, trials: float, more: float) -> None:
    low, high = wilson(share, trials)
    assert holds(Rate(share, low, high, 1))
    closer = wilson(share, trials * more)
    assert low - 1e-12 <= closer[0]
    assert closer[1] <= high + 1e-12


@given(st.lists(WEIGHTS, min_size=1, max_size=50))
def test_the_effective_size_is_at_most_the_number_and_that_for_equal_weights(weights: list[float]) -> None:
    assert 1 - 1e-9 <= effective_size(weights) <= len(weights) * (1 + 1e-9)
    assert effective_size([weights[0]] * len(weights)) == pytest.approx(len(weights))


@given(DRAWS, st.randoms(), st.floats(0.001, 1000))
def test_a_weighted_share_knows_neither_order_nor_unit(draws: list[tuple[float, bool]], dice: random.Random, unit: float) -> None:
    rate = weighted(draws)
    assert rate is not None
    assert holds(rate)
    mixed = list(draws)
    dice.shuffle(mixed)
    assert weighted(mixed) == rate
    other = weighted((weight * unit, so) for weight, so in draws)
    assert other is not None
    assert (other.value, other.low, other.high) == pytest.approx((rate.value, rate.low, rate.high))


@given(st.lists(st.tuples(st.integers(0, 10_000), RATES), min_size=1, max_size=3), st.randoms())
def test_shares_of_kinds_make_the_share_of_all(parts: list[tuple[int, Rate]], dice: random.Random) -> None:
    total = sum(size for size, _ in parts)
    rate = mean_of(parts)
    if not total:
        assert rate is None
        return
    assert rate is not None
    assert holds(rate)
    assert rate.value == pytest.approx(sum(size * part.value for size, part in parts) / total)
    mixed = list(parts)
    dice.shuffle(mixed)
    again = mean_of(mixed)
    assert again is not None
    assert (again.value, again.low, again.high) == pytest.approx((rate.value, rate.low, rate.high))
    assert mean_of([*parts, (1, None)]) is None


@given(st.integers(1, 10_000), RATES, st.integers(1, 10_000), RATES)
def test_a_part_and_the_other_part_are_one(n1: int, one: Rate, n0: int, other: Rate) -> None:
    rate, rest = part_of((n1, one), (n0, other)), part_of((n0, other), (n1, one))
    if one.value * n1 + other.value * n0 == 0:
        assert rate is None
        return
    assert rate is not None
    assert rest is not None
    assert holds(rate)
    assert (rate.value, rate.low, rate.high) == pytest.approx((1 - rest.value, 1 - rest.high, 1 - rest.low), abs=1e-6)


def test_what_cannot_be_told_is_not_told() -> None:
    sure = Rate(0.9, 0.8, 0.95, 50)
    assert weighted([]) is None
    assert part_of((10, None), (5, sure)) is None
    assert part_of((0, None), (0, None)) is None
    assert part_of((10, sure), (0, None)) == Rate(1.0, pytest.approx(1.0), pytest.approx(1.0), 50)
    assert mean_of([(10, sure), (5, None)]) is None
    assert mean_of([(10, sure), (0, None)]) == Rate(pytest.approx(0.9), pytest.approx(0.8), pytest.approx(0.95), 50)
    assert reliability([]).expected_error is None
    assert abstain([], 5) == []
    assert best_within([], 0.5) is None


@given(RATES, RATES)
def test_a_product_lies_below_both(one: Rate, other: Rate) -> None:
    rate = product(one, other)
    assert holds(rate)
    assert rate.value <= min(one.value, other.value) + 1e-12
    assert holds(inverse(one))


@given(ANSWERS, st.randoms())
def test_bins_hold_every_answer_once(answers: list[Answer], dice: random.Random) -> None:
    found = reliability(answers)
    assert sum(one.right.of for one in found.bins) == len(answers)
    assert all(one.least - 1e-9 <= one.score <= one.most + 1e-9 and holds(one.right) for one in found.bins)
    assert all(before.most < after.least for before, after in pairwise(found.bins))
    if answers:
        assert found.expected_error is not None
        assert 0 <= found.expected_error <= 1
    mixed = list(answers)
    dice.shuffle(mixed)
    assert reliability(mixed) == found


@given(ANSWERS, st.floats(1, 10), st.randoms())
def test_yield_falls_as_the_threshold_rises(answers: list[Answer], more: float, dice: random.Random) -> None:
    assume(answers)
    readable = more * sum(answer.weight for answer in answers)
    points = abstain(answers, readable)
    assert points[0].threshold == 0
    assert points[0].share == pytest.approx(1 / more)
    for before, after in pairwise(points):
        assert before.threshold < after.threshold
        assert before.share >= after.share
        assert before.error.of >= after.error.of
    assert all(holds(point.error) for point in points)
    mixed = list(answers)
    dice.shuffle(mixed)
    assert abstain(mixed, readable) == points
    best = best_within(points, 0.3)
    assert best is None or (best.error.value <= 0.3 and best.share == max(p.share for p in points if p.error.value <= 0.3))


def test_scores_that_are_right_as_often_as_they_say_have_no_calibration_error() -> None:
    answers = [Answer(0.75, number % 4 != 0, 1.0) for number in range(400)] + [Answer(1.0, True, 1.0)] * 100
    assert reliability(answers).expected_error == pytest.approx(0.0)
    assert reliability([Answer(1.0, number % 2 == 0, 1.0) for number in range(100)]).expected_error == pytest.approx(0.5)


def sample_of(dice: random.Random, *, size: int) -> tuple[Material, dict[str, float]]:
    """Give a sample of days with unequal traffic, and the true rates."""
    readable, wrong, excluded = {True: 0.96, False: 0.4}, 0.03, 0.03
    events: dict[str, tuple[Stratum, str]] = {}
    for day in range(4):
        busy = dice.choice([0.3, 1.0, 2.5])
        for given_, number in ((True, 120), (False, 40)):
            for n in range(int(number * busy)):
                out, can_be_read, differs = dice.random() < excluded, dice.random() < readable[given_], dice.random() < wrong
                kept = can_be_read and not out
                outcome = ("wrong" if differs else "right") if kept and given_ else "missed" if kept else "x" if out else "no"
                events[f"{day}{given_}{n}"] = (Stratum("gate", f"2026-05-0{day + 1}", given_), outcome)
    sizes = Counter(stratum for stratum, _ in events.values())
    candidates = [Candidate(name, stratum, 0.9 if stratum.given else None, None) for name, (stratum, _) in events.items()]
    drawn = draw(candidates, allocate(sizes, {}, size), str(dice.random()))
    said = {"x": "unconfirmed", "no": "no_plate"}
    reviewed = [
        Reviewed(c.stratum, c.score, c.reason, said.get(o := events[c.event_id][1], o), "other" if o == "x" else None)  # type: ignore[arg-type]
        for c in drawn
    ]
    n1, n0 = (sum(n for stratum, n in sizes.items() if stratum.given == kind) for kind in (True, False))
    a, b = n1 * (1 - excluded) * readable[True], n0 * (1 - excluded) * readable[False]
    truth = {"yield": a / (a + b), "error": wrong, "excluded": excluded, "read_rate": a * (1 - wrong) / (a + b)}
    return Material(dict(sizes), dict(Counter(c.stratum for c in drawn)), 0, tuple(reviewed), {}), truth


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    dice = random.Random(5)  # noqa: S311
    inside: Counter[str] = Counter()
    rounds = 100
    for _ in range(rounds):
        material, truth = sample_of(dice, size=120)
        report = report_of(material, {}, since=None, until=None, allowed_error=0.005, made_at="")
        for name, value in truth.items():
            rate = report.figures[0].rates[name]
            assert rate is not None
            inside[name] += rate.low <= value <= rate.high
    # 95 % is promised; 100 rounds tell it to within 5 % or so.
    assert all(inside[name] / rounds >= 0.88 for name in truth), inside
