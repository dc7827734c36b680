"""A busy machine is shared fairly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.live.load import EVERY_S, FLOOR_FPS, GIVEN_AWAY, LoadControl, shares

CAMERAS = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.floats(0.1, 30.0), st.floats(0.1, 10.0)), min_size=1)


def test_who_wants_little_gets_it_and_the_others_share_by_priority() -> None:
    given_to = shares({"idle": 1.0, "a": 10.0, "b": 10.0}, {"idle": 1.0, "a": 1.0, "b": 2.0}, 10.0)
    assert given_to == pytest.approx({"idle": 1.0, "a": 3.0, "b": 6.0})


@given(CAMERAS, st.floats(0.1, 300.0))
def test_nothing_is_wasted_and_nobody_gets_more_than_wanted(cameras: dict[str, tuple[float, float]], capacity: float) -> None:
    wanted = {name: want for name, (want, _) in cameras.items()}
    priority = {name: weight for name, (_, weight) in cameras.items()}
    given_to = shares(wanted, priority, capacity)
    assert all(given_to[name] <= wanted[name] + 1e-9 for name in wanted)
    assert sum(given_to.values()) == pytest.approx(min(capacity, sum(wanted.values())))
    # Nobody who got less than wanted is worse off, by priority, than anybody else.
    short = [given_to[name] / priority[name] for name in wanted if given_to[name] < wanted[name] - 1e-9]
    assert all(given_to[name] / priority[name] <= level + 1e-6 for level in short for name in wanted)


def control(frames: int, seconds: float) -> LoadControl:
    load = LoadControl(0.0)
    load.worked(frames, seconds)
    return load


def test_where_all_that_is_wanted_can_be_done_there_are_no_limits() -> None:
    assert control(40, 1.0).limits({"a": 10.0, "b": 10.0}, {"a": 1.0, "b": 1.0}, EVERY_S) == {"a": None, "b": None}


def test_where_not_everybody_gets_a_share_with_some_headroom() -> None:
    assert control(10, 1.0).limits({"a": 10.0, "b": 10.0}, {"a": 1.0, "b": 1.0}, EVERY_S) == pytest.approx(
        {"a": 5 * GIVEN_AWAY, "b": 5 * GIVEN_AWAY}
    )


def test_nobody_starves() -> None:
    limits = control(1, 1.0).limits({"a": 10.0, "b": 10.0}, {"a": 1.0, "b": 100.0}, EVERY_S)
    assert limits is not None
    assert limits["a"] == FLOOR_FPS


def test_shares_are_worked_out_now_and_then_only_and_measurements_are_smoothed() -> None:
    load = control(10, 1.0)
    assert load.limits({"a": 10.0}, {"a": 1.0}, EVERY_S / 2) is None
    assert load.limits({"a": 10.0}, {"a": 1.0}, EVERY_S) is not None
    load.worked(20, 1.0)
    load.limits({"a": 10.0}, {"a": 1.0}, 2 * EVERY_S)
    assert load.capacity_fps == pytest.approx(15.0)
    load.limits({"a": 10.0}, {"a": 1.0}, 3 * EVERY_S)  # nothing was analysed: what is known stays
    assert load.capacity_fps == pytest.approx(15.0)


def test_before_anything_was_analysed_nobody_is_limited() -> None:
    assert LoadControl(0.0).limits({"a": 10.0}, {"a": 1.0}, EVERY_S) == {"a": None}
