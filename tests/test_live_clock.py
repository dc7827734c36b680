"""The times of live frames: stamps while they are sane, arrival when they are not, and no frame without its time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.live.clock import LiveClock, Moment

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Shot:
    """A frame as it came: stamp, arrival since the connection began, exposure since then by the camera's clock."""

    stamp_s: float | None
    at: float
    exposed_at: float | None = None
    wall_at: float | None = None
    """Arrival by the host's clock, if that was set meanwhile."""


def run(shots: list[Shot], clock: LiveClock | None = None) -> list[Moment]:
    clock = clock or LiveClock(5.0)
    moments = []
    for shot in shots:
        exposed = None if shot.exposed_at is None else NOON + timedelta(seconds=shot.exposed_at)
        arrived = NOON + timedelta(seconds=shot.at if shot.wall_at is None else shot.wall_at)
        moments.append(clock.place(shot.stamp_s, 1000.0 + shot.at, arrived, exposed))
    return moments


def steady(seconds: float, *, fps: float = 25.0, speed: float = 1.0, first: float = 0.0) -> Iterator[Shot]:
    for number in range(round(seconds * fps)):
        yield Shot(first + number / fps * speed, number / fps + 0.05)


def test_even_stamps_give_even_times_however_late_frames_come() -> None:
    shots = [Shot(7.0 + number * 0.04, number * 0.04 + 0.03 * (number % 3)) for number in range(100)]
    moments = run(shots)
    assert [moment.t for moment in moments] == pytest.approx([number * 0.04 for number in range(100)])
    assert not any(moment.new_session for moment in moments)


@settings(max_examples=30)
@given(stall_s=st.floats(0.5, 120.0), seed=st.integers(0, 5))
def test_a_burst_after_a_stall_of_the_network_is_no_fault(stall_s: float, seed: int) -> None:
    """Nothing came for a while, then all of it at once, a millisecond apart."""
    before = list(steady(10.0 + seed))
    end = before[-1]
    held = [Shot(end.stamp_s + 0.04 * (i + 1), max(end.at + stall_s + 0.001 * i, end.at + 0.04 * (i + 1))) for i in range(1000)]  # type: ignore[operator]
    clock = LiveClock(5.0)
    moments = run(before + held, clock)
    assert not any(moment.new_session for moment in moments)
    assert clock.fallback is None
    assert moments[-1].t == pytest.approx(0.04 * (len(before) + 999), abs=0.01)


@given(pause_s=st.floats(0.5, 120.0))
def test_pictures_that_were_lost_leave_a_gap_and_nothing_else(pause_s: float) -> None:
    shots = list(steady(10.0))
    shots += [Shot((shot.stamp_s or 0.0) + 10.0 + pause_s, shot.at + 10.0 + pause_s) for shot in steady(10.0)]
    moments = run(shots)
    assert not any(moment.new_session for moment in moments)
    assert moments[-1].t == pytest.approx(19.96 + pause_s, abs=0.001)


@given(jump_s=st.one_of(st.floats(2.0, 50_000.0), st.floats(-50_000.0, -0.5)), at=st.integers(1, 200))
def test_a_jump_of_the_stamps_begins_a_new_session_and_loses_no_frame(jump_s: float, at: int) -> None:
    shots = [Shot((shot.stamp_s or 0.0) + (jump_s if number >= at else 0.0), shot.at) for number, shot in enumerate(steady(10.0))]
    moments = run(shots)
    assert len(moments) == len(shots)
    assert [number for number, moment in enumerate(moments) if moment.new_session] == [at]
    assert moments[at].t == 0.0
    assert "jumped" in moments[at].why
    assert moments[-1].t == pytest.approx(0.04 * (len(shots) - 1 - at), abs=0.001)


def test_small_disorder_is_put_right() -> None:
    clock = LiveClock(5.0)
    moments = run([Shot(0.0, 0.0), Shot(0.04, 0.04), Shot(0.03, 0.08), Shot(0.12, 0.12)], clock)
    assert [moment.t for moment in moments] == pytest.approx([0.0, 0.04, 0.041, 0.12])
    assert clock.repaired == 1
    assert not any(moment.new_session for moment in moments)


def test_a_missing_first_stamp_is_no_matter() -> None:
    moments = run([Shot(None, 0.0), *(Shot(shot.stamp_s, shot.at + 0.04) for shot in steady(1.0))])
    assert moments[0].t == 0.0
    assert moments[-1].t == pytest.approx(1.0, abs=0.06)


def test_without_stamps_arrival_counts() -> None:
    clock = LiveClock(5.0)
    moments = run([Shot(None, number * 0.1) for number in range(100)], clock)
    assert [moment.t for moment in moments] == pytest.approx([number * 0.1 for number in range(100)])
    assert clock.fallback == "there are no time stamps"
    assert clock.frozen_s == 0.0


def test_stamps_that_stand_still_are_left_and_told() -> None:
    clock = LiveClock(5.0)
    good = list(steady(5.0))
    still = [Shot(good[-1].stamp_s, good[-1].at + 0.04 * (number + 1)) for number in range(100)]
    moments = run(good + still, clock)
    assert moments[-1].t == pytest.approx(0.04 * 224, abs=0.01)
    assert clock.fallback == "time stamps stand still"
    assert clock.frozen_s == pytest.approx(4.0, abs=0.01)
    clock.place(good[-1].stamp_s + 4.04, 1000.0 + still[-1].at + 0.04, NOON + timedelta(minutes=1), None)  # type: ignore[operator]
    assert clock.frozen_s == 0.0


@pytest.mark.parametrize(("speed", "word"), [(25 / 21, "fast"), (0.84, "slow"), (2.0, "fast"), (0.5, "slow")])
def test_a_wrong_rate_is_noticed_and_arrival_counts_from_then_on(speed: float, word: str) -> None:
    clock = LiveClock(5.0)
    shots = list(steady(120.0, speed=speed))
    moments = run(shots, clock)
    assert clock.fallback is not None
    assert word in clock.fallback
    assert not any(moment.new_session for moment in moments)
    assert moments[-1].t - moments[-1000].t == pytest.approx(shots[-1].at - shots[-1000].at, abs=0.01)


@pytest.mark.parametrize("speed", [0.95, 1.05, 1.0001, 0.9999])
def test_a_slightly_wrong_rate_is_borne(speed: float) -> None:
    clock = LiveClock(5.0)
    moments = run(list(steady(300.0, fps=5.0, speed=speed)), clock)
    assert clock.fallback is None
    assert not any(moment.new_session for moment in moments)


def test_segments_that_come_all_at_once_are_no_wrong_rate() -> None:
    """HLS: six seconds of pictures in a moment, then nothing for six seconds."""
    clock = LiveClock(5.0)
    shots = [Shot(number * 0.04, 6.0 * (1 + number // 150) + 0.001 * (number % 150)) for number in range(3000)]
    moments = run(shots, clock)
    assert clock.fallback is None
    assert not any(moment.new_session for moment in moments)


def test_the_cameras_clock_is_used_where_it_is_sane() -> None:
    moments = run([Shot(0.0, 10.0, 9.9), Shot(0.04, 10.04, None), Shot(0.08, 10.08, 1000.0), Shot(0.12, 10.12, 10.0)])
    assert [moment.clock for moment in moments] == ["rtcp", "arrival", "arrival", "rtcp"]
    assert [moment.offset_s for moment in moments] == [pytest.approx(0.1), None, pytest.approx(-989.92), pytest.approx(0.12)]
    assert moments[0].wall == NOON + timedelta(seconds=9.9)
    assert moments[1].wall == NOON + timedelta(seconds=10.04)
    assert moments[3].wall == moments[2].wall, "not before the frame before"


def test_the_cameras_clock_is_not_used_while_stamps_stand_still() -> None:
    moments = run([Shot(0.0, 1.0, 0.9), *(Shot(0.04, 1.0 + 0.04 * number, 0.94) for number in range(1, 20))])
    assert [moment.clock for moment in moments] == ["rtcp", "rtcp", *["arrival"] * 18]
    assert moments[-1].wall == NOON + timedelta(seconds=1.76)


def test_a_host_clock_that_is_set_back_begins_a_new_session() -> None:
    moments = run([Shot(0.0, 0.0), Shot(0.04, 0.04), Shot(0.08, 0.08, wall_at=-3600.0)])
    assert [moment.new_session for moment in moments] == [False, False, True]
    assert "wall clock" in moments[2].why
    assert moments[2].wall == NOON - timedelta(hours=1)


STAMPS = st.one_of(st.none(), st.floats(-1e6, 1e6), st.integers(0, 50).map(lambda number: number * 0.04))
SHOTS = st.lists(st.tuples(STAMPS, st.floats(0.0, 5.0), st.one_of(st.none(), st.floats(-20.0, 20.0)), st.floats(-20.0, 20.0)), max_size=60)


@given(SHOTS, st.floats(0.1, 10.0))
def test_whatever_comes_times_grow_and_walls_stay_near(raw: list[tuple[float | None, float, float | None, float]], skew_s: float) -> None:
    at = 0.0
    shots = []
    for stamp_s, step_s, offset_s, wall_error_s in raw:
        at += step_s
        shots.append(Shot(stamp_s, at, None if offset_s is None else at - offset_s, at + wall_error_s))
    moments = run(shots, LiveClock(skew_s))
    assert len(moments) == len(shots)
    for shot, moment in zip(shots, moments, strict=True):
        arrived = NOON + timedelta(seconds=shot.wall_at or 0.0)
        assert abs((moment.wall - arrived).total_seconds()) <= 2 * skew_s + 1e-3
        assert moment.new_session == bool(moment.why)
    for before, after in pairwise(moments):
        if not after.new_session:
            assert after.t > before.t
            assert after.wall >= before.wall
        else:
            assert after.t == 0.0
