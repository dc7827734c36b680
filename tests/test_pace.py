"""Which frames of a live camera are analysed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.live.pace import Pace


def analysed(pace: Pace, times: list[float], *, moving: bool = True) -> list[float]:
    return [t for t in times if pace.leave_out(t, lambda: moving) is None]


@pytest.mark.parametrize(
    ("camera_fps", "wanted", "least"), [(25, 10, 9.5), (25, 25, 24.5), (30, 25, 22.0), (12.5, 10, 8.5), (25, 5, 4.9), (4, 10, 3.9)]
)
def test_the_rate_that_is_asked_for_is_kept(camera_fps: float, wanted: float, least: float) -> None:
    times = [k / camera_fps for k in range(int(20 * camera_fps))]
    rate = len(analysed(Pace(wanted, 1.0), times)) / 20
    assert least <= rate <= wanted + 0.1


def test_a_frame_that_comes_a_little_early_does_not_lose_its_turn() -> None:
    times = [k / 25 + (0.004 if k % 2 else -0.004) for k in range(250)]
    assert len(analysed(Pace(25.0, 1.0), times)) == 250


def test_while_nothing_moves_there_is_one_frame_an_interval() -> None:
    pace = Pace(10.0, 1.0)
    taken = analysed(pace, [k / 25 for k in range(500)], moving=False)
    assert pace.idle
    assert 19 <= len(taken) <= 21
    assert all(0.7 < later - earlier < 1.1 for earlier, later in pairwise(taken))
    assert pace.wanted_fps == 1.0


def test_motion_is_answered_at_once() -> None:
    pace = Pace(10.0, 1.0)
    analysed(pace, [k / 25 for k in range(50)], moving=False)
    assert pace.leave_out(2.04, lambda: True) is None
    assert not pace.idle
    assert pace.wanted_fps == 10.0


def test_the_causes_are_told_apart_and_motion_is_looked_for_only_where_it_matters() -> None:
    pace, asked = Pace(10.0, 1.0), []

    def moves() -> bool:
        asked.append(1)
        return False

    causes = [pace.leave_out(k / 25, moves) for k in range(25)]
    assert causes.count("rate") > causes.count("idle") > 0
    assert len(asked) == 25 - causes.count("rate")


def test_a_busy_machine_lowers_the_rate_and_gives_it_back() -> None:
    pace = Pace(10.0, 1.0)
    pace.limit_fps = 2.0
    assert 19 <= len(analysed(pace, [k / 25 for k in range(250)])) <= 21
    pace.limit_fps = None
    assert len(analysed(pace, [10 + k / 25 for k in range(250)])) >= 95


def test_after_a_gap_frames_do_not_catch_up() -> None:
    pace = Pace(5.0, 1.0)
    analysed(pace, [0.0, 0.2, 0.4])
    burst = analysed(pace, [60.0 + k / 1000 for k in range(100)])
    assert burst == [60.0]


@given(st.lists(st.floats(0.0, 0.3), min_size=2, max_size=200), st.floats(0.5, 30.0))
def test_no_more_than_asked_for_whatever_the_camera_does(gaps: list[float], fps: float) -> None:
    times = [sum(gaps[:k]) for k in range(len(gaps))]
    taken = analysed(Pace(fps, 1.0), times)
    assert taken[0] == times[0]
    assert len(taken) <= (times[-1] - times[0]) * fps + 2
