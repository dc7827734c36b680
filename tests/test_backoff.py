"""Waits between attempts to reach a camera."""

from __future__ import annotations

import random
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import SourceReason
from streamer.live.backoff import Backoff

REASONS = [reason for reason in get_args(SourceReason) if reason != "authentication"]


def backoff(seed: int = 1, *, min_s: float = 0.5, max_s: float = 30.0, auth_s: float = 60.0) -> Backoff:
    return Backoff(min_s, max_s, auth_s, random.Random(seed))  # noqa: S311 (repeatable on purpose)


@given(st.integers(), st.lists(st.sampled_from(REASONS), min_size=1, max_size=60))
def test_waits_double_within_their_jitter_and_never_pass_the_cap(seed: int, reasons: list[SourceReason]) -> None:
    waits = backoff(seed)
    for index, reason in enumerate(reasons):
        wait_s = waits.next(reason)
        assert wait_s <= 30.0
        assert wait_s >= min(30.0, 0.5 * 2**index * 0.8) - 1e-9
        assert wait_s <= 0.5 * 2**index * 1.2 + 1e-9


@given(st.integers(), st.integers(0, 40))
def test_wrong_credentials_wait_long_from_the_first_time_on(seed: int, failures_before: int) -> None:
    waits = backoff(seed)
    for _ in range(failures_before):
        waits.next("refused")
    assert 48.0 <= waits.next("authentication") <= 72.0


@given(st.integers(), st.integers(1, 40), st.floats(10.0, 1e6))
def test_a_healthy_run_forgives(seed: int, failures_before: int, healthy_s: float) -> None:
    waits = backoff(seed)
    for _ in range(failures_before):
        waits.next("timeout")
    assert 0.4 <= waits.next("gone", healthy_s=healthy_s) <= 0.6
    assert 0.8 <= waits.next("gone") <= 1.2


@given(st.integers(), st.floats(0.0, 9.9))
def test_a_camera_that_comes_and_goes_waits_longer_and_longer(seed: int, live_s: float) -> None:
    waits = backoff(seed)
    for _ in range(8):
        last_s = waits.next("gone", healthy_s=live_s)
    assert last_s >= 24.0
    assert waits.failures == 8


def test_months_of_failures_do_no_harm() -> None:
    waits = backoff()
    for _ in range(5000):
        assert waits.next("refused") <= 30.0
