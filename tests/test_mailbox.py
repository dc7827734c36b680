"""What waits, what is dropped, and who is served in which order."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from itertools import cycle, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.mailbox import Mailbox
from streamer.types import Frame, SessionEnd

IMAGE = np.zeros((2, 2, 3), np.uint8)
WALL = datetime(2026, 5, 1, tzinfo=UTC)


def frame(source_id: str, index: int, session: int = 0) -> Frame:
    return Frame(source_id, session, index, float(index), 0.0, WALL, "option", IMAGE)


def names(items: list[Frame | SessionEnd]) -> list[str]:
    return [f"{item.source_id}{item.index}" if isinstance(item, Frame) else f"{item.source_id}-end{item.session}" for item in items]


class LateClock:
    """Every look at it is a minute later, so that no window is ever waited for."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 60.0
        return self.now


def test_of_a_live_source_only_the_newest_frame_waits_and_the_others_are_counted() -> None:
    mailbox = Mailbox(live=["cam"])
    for index in range(5):
        assert mailbox.put(frame("cam", index))
    assert names(mailbox.take(8, 0.0)) == ["cam4"]
    assert mailbox.dropped == {"cam": 4}


def test_a_file_gives_consecutive_frames_up_to_the_limit() -> None:
    mailbox = Mailbox(files=["file"], depth=8)
    for index in range(7):
        mailbox.put(frame("file", index))
    assert names(mailbox.take(4, 0.0)) == ["file0", "file1", "file2", "file3"]
    assert names(mailbox.take(4, 0.0)) == ["file4", "file5", "file6"]
    assert not mailbox.dropped


def test_a_small_limit_starves_nobody() -> None:
    mailbox = Mailbox(live=["a", "b"], files=["f", "g"], depth=4)
    for index in range(3):
        mailbox.put(frame("f", index))
        mailbox.put(frame("g", index))
    mailbox.put(frame("a", 0))
    mailbox.put(frame("b", 0))
    taken = [names(mailbox.take(2, 0.0)) for _ in range(4)]
    assert sorted(taken[0] + taken[1]) == ["a0", "b0", "f0", "g0"]
    assert sorted(taken[2] + taken[3]) == ["f1", "f2", "g1", "g2"]


def test_files_share_a_batch_evenly() -> None:
    mailbox = Mailbox(files=["f", "g"], depth=8)
    for index in range(8):
        mailbox.put(frame("f", index))
        mailbox.put(frame("g", index))
    assert sorted(names(mailbox.take(6, 0.0))) == ["f0", "f1", "f2", "g0", "g1", "g2"]


def test_the_end_of_a_session_stays_behind_its_frames_and_needs_no_room() -> None:
    mailbox = Mailbox(files=["f"], depth=1)
    mailbox.put(frame("f", 0))
    assert mailbox.put(SessionEnd("f", 0)), "must not wait for room"
    mailbox.done("f")
    assert names(mailbox.take(1, 0.0)) == ["f0", "f-end0"]
    assert mailbox.take(1, 0.0) == []


def test_the_end_of_a_live_session_survives_the_frames_that_replace_each_other() -> None:
    mailbox = Mailbox(live=["cam"])
    mailbox.put(frame("cam", 0, session=0))
    mailbox.put(SessionEnd("cam", 0))
    mailbox.put(frame("cam", 1, session=1))
    mailbox.put(SessionEnd("cam", 1))
    mailbox.put(frame("cam", 2, session=2))
    assert names(mailbox.take(1, 0.0)) == ["cam-end0", "cam-end1", "cam2"]
    assert mailbox.dropped == {"cam": 2}


def test_a_take_gives_what_is_there_when_its_window_is_over() -> None:
    mailbox = Mailbox(live=["a", "b"], clock=LateClock())
    mailbox.put(frame("b", 0))
    mailbox.take(2, 0.0)  # b is connected: another frame is to be expected
    mailbox.put(frame("a", 0))
    assert names(mailbox.take(2, 1.0)) == ["a0"]


def test_nobody_waits_for_a_source_that_is_gone_or_away() -> None:
    mailbox = Mailbox(live=["on", "never", "away"], files=["over"])
    mailbox.put(frame("over", 0))
    mailbox.done("over")
    mailbox.put(frame("away", 0))
    mailbox.put(SessionEnd("away", 0))
    mailbox.put(frame("on", 0))
    taken = names(mailbox.take(8, 1e6))  # would wait for days
    assert sorted(taken) == ["away-end0", "away0", "on0", "over0"]


def test_a_take_waits_in_its_window_for_a_file_to_fill_the_batch() -> None:
    mailbox = Mailbox(files=["f"], depth=4)
    mailbox.put(frame("f", 0))
    others = threading.Thread(target=lambda: [mailbox.put(frame("f", index)) for index in (1, 2, 3)])
    others.start()
    assert names(mailbox.take(4, 60.0)) == ["f0", "f1", "f2", "f3"]
    others.join()


def test_what_a_finished_source_left_is_served_and_then_there_is_never_anything_again() -> None:
    mailbox = Mailbox(live=["cam"], files=["f"])
    mailbox.put(frame("f", 0))
    mailbox.done("f")
    mailbox.done("cam")
    assert names(mailbox.take(8, 60.0)) == ["f0"]
    assert mailbox.take(8, 60.0) == []


def test_without_sources_there_is_nothing_to_wait_for() -> None:
    assert Mailbox().take(1, 60.0) == []


@pytest.mark.parametrize("who", ["put", "take"])
def test_closing_wakes_whoever_waits(who: str) -> None:
    mailbox = Mailbox(files=["f"], depth=1)
    if who == "put":
        mailbox.put(frame("f", 0))
    results: list[object] = []
    waits = threading.Thread(target=lambda: results.append(mailbox.put(frame("f", 1)) if who == "put" else mailbox.take(1, 60.0)))
    waits.start()
    mailbox.close()
    mailbox.close()
    waits.join(10)
    assert not waits.is_alive()
    assert results == [False if who == "put" else []]
    assert mailbox.put(SessionEnd("f", 0)) is False
    assert mailbox.take(1, 0.0) == []


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "f", "g"]), st.sampled_from(["frame", "frame", "frame", "end", "take"])), max_size=80),
    st.integers(1, 5),
)
def test_order_bounds_and_accounts_hold_whatever_happens(steps: list[tuple[str, str]], limit: int) -> None:
    mailbox = Mailbox(live=["a", "b"], files=["f", "g"], depth=100, clock=LateClock())
    put: dict[str, list[Frame | SessionEnd]] = {source: [] for source in "abfg"}
    got: dict[str, list[Frame | SessionEnd]] = {source: [] for source in "abfg"}
    sessions = dict.fromkeys("abfg", 0)

    def take() -> bool:
        items = mailbox.take(limit, 0.0)
        frames = [item.source_id for item in items if isinstance(item, Frame)]
        assert len(frames) <= limit
        assert frames.count("a") <= 1
        assert frames.count("b") <= 1
        for item in items:
            got[item.source_id].append(item)
        return bool(items)

    for number, (source, step) in enumerate(steps):
        if step == "take":
            if sum(map(len, put.values())) > sum(map(len, got.values())) + sum(mailbox.dropped.values()):
                take()
            continue
        item = frame(source, number, sessions[source]) if step == "frame" else SessionEnd(source, sessions[source])
        sessions[source] += step == "end"
        put[source].append(item)
        assert mailbox.put(item)
    for source in "abfg":
        mailbox.done(source)
    while take():
        pass
    for source in "fg":
        assert got[source] == put[source]
    for source in "ab":
        assert len(got[source]) + mailbox.dropped[source] == len(put[source])
        assert [item for item in put[source] if any(item is other for other in got[source])] == got[source], "in order"
        assert [i for i in got[source] if isinstance(i, SessionEnd)] == [i for i in put[source] if isinstance(i, SessionEnd)]


def test_under_stress_files_lose_nothing_and_every_live_frame_is_taken_or_counted() -> None:
    count = 400
    live, files = ["a", "b", "c"], ["f", "g"]
    mailbox = Mailbox(live=live, files=files, depth=3)

    def produce(source: str) -> None:
        for index in range(count):
            assert mailbox.put(frame(source, index))
        assert mailbox.put(SessionEnd(source, 0))
        mailbox.done(source)

    threads = [threading.Thread(target=produce, args=(source,)) for source in live + files]
    for thread in threads:
        thread.start()
    limits, windows = cycle([1, 8, 3, 2, 5]), cycle([0.0, 0.001, 0.0])
    taken: list[Frame | SessionEnd] = []
    while items := mailbox.take(next(limits), next(windows)):
        taken += items
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    for source in live + files:
        mine = [item for item in taken if item.source_id == source]
        assert isinstance(mine.pop(), SessionEnd)
        indices = [item.index for item in mine if isinstance(item, Frame)]
        assert len(indices) == len(mine)
        assert all(earlier < later for earlier, later in pairwise(indices))
        assert len(indices) + mailbox.dropped[source] == count
    assert not any(mailbox.dropped[source] for source in files)


def test_live_sources_come_and_go() -> None:
    mailbox: Mailbox[Frame] = Mailbox()
    assert mailbox.put(frame("cam", 0)) is False, "nobody takes frames of a source that is not known"
    mailbox.add("cam")
    with pytest.raises(ValueError, match="cam"):
        mailbox.add("cam")
    mailbox.put(frame("cam", 0))
    mailbox.put(SessionEnd("cam", 0))
    mailbox.put(frame("cam", 1, session=1))
    assert mailbox.remove("cam") == [SessionEnd("cam", 0)]
    assert mailbox.remove("cam") == []
    assert mailbox.put(frame("cam", 2, session=1)) is False
    mailbox.add("cam")
    assert mailbox.put(frame("cam", 0, session=2))
    assert names(mailbox.take(8, 0.0, wait_s=0.0)) == ["cam0"]


def test_a_bounded_wait_ends_with_nothing_or_with_what_came() -> None:
    mailbox: Mailbox[Frame] = Mailbox()
    assert mailbox.take(8, 0.0, wait_s=0.01) == []
    mailbox.add("cam")
    comes = threading.Thread(target=lambda: mailbox.put(frame("cam", 0)))
    comes.start()
    assert names(mailbox.take(8, 0.0, wait_s=60.0)) == ["cam0"]
    comes.join()


def test_each_replaced_frame_is_told() -> None:
    told: list[str] = []
    mailbox: Mailbox[Frame] = Mailbox(live=["a", "b"], on_replaced=told.append)
    for index in range(3):
        mailbox.put(frame("a", index))
    assert told == ["a", "a"]
