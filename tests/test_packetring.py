"""The ring of packets: bounded in time and memory, each stretch from a key frame on, nothing of two connections together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.packetring import EncodedPacket, PacketRing, PlacedFrame

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
STEP_S = 0.04


def packet(number: int, *, key: bool, size: int = 100, at: float | None = None) -> EncodedPacket:
    at = number * STEP_S if at is None else at
    return EncodedPacket(number, bytes(size), key, at, at)


def placed(number: int) -> PlacedFrame:
    return PlacedFrame(number, 1, number, number * STEP_S, START + timedelta(seconds=number * STEP_S), (320, 240), True)


def fill(ring: PacketRing, count: int, *, gop: int = 10, size: int = 100, begin: int = 0) -> None:
    for number in range(begin, begin + count):
        if not ring.begun:
            if number % gop:
                continue
            ring.begin("h264", b"seed")
        ring.add(packet(number, key=number % gop == 0, size=size))
        ring.place(placed(number))


@settings(max_examples=25)
@given(seconds=st.floats(0.1, 5), most=st.integers(500, 10_000), gop=st.integers(1, 40), size=st.integers(1, 300), breaks=st.integers(0, 2))
def test_it_never_takes_more_memory_and_time_than_it_may(seconds: float, most: int, gop: int, size: int, breaks: int) -> None:
    ring = PacketRing(seconds, most)
    for begin in range(0, 60 * (breaks + 1), 5):
        if begin % 60 == 0:
            ring.end()
        fill(ring, 5, gop=gop, size=size, begin=begin)
        held = [one for stretch in ring.stretches() for one in stretch.packets]
        assert sum(len(one.data) for one in held) <= most
        assert not held or held[-1].at - held[0].at <= max(2 * seconds, seconds + (gop + 1) * STEP_S) + 1e-9
        for stretch in ring.stretches():
            assert stretch.packets[0].key
            assert [one.number for one in stretch.packets] == [*range(stretch.packets[0].number, stretch.packets[-1].number + 1)]
            assert all(frame.number >= stretch.packets[0].number for frame in stretch.placed)
        assert ring.state((begin + 4) * STEP_S).size == sum(len(one.data) for stretch in ring.stretches() for one in stretch.packets)


def test_so_many_seconds_are_there_whatever_the_key_frames() -> None:
    ring = PacketRing(4.0, 10**6)
    fill(ring, 500, gop=25)
    (stretch,) = ring.stretches()
    assert 4.0 <= stretch.packets[-1].at - stretch.packets[0].at <= 5.1
    assert stretch.packets[-1].number == 499
    assert not stretch.over


def test_connections_do_not_mix_and_old_ones_go() -> None:
    ring = PacketRing(3.0, 10**6)
    fill(ring, 50)
    ring.end()
    fill(ring, 20, begin=50)
    assert [(one.over, one.packets[0].number, one.packets[-1].number) for one in ring.stretches()] == [(True, 0, 49), (False, 50, 69)]
    fill(ring, 60, begin=70)
    assert [one.over for one in ring.stretches()] == [False], "what is three seconds old is gone"


def test_without_key_frames_packets_are_given_up_and_counted() -> None:
    ring = PacketRing(100.0, 2_000)
    fill(ring, 30, gop=1000)
    assert ring.state(0.0).overflows == 1
    assert not ring.begun, "the next key frame begins anew"
    fill(ring, 5, gop=5, begin=30)
    assert len(ring.stretches()[0].packets) == 5


def test_a_camera_that_is_away_keeps_no_memory() -> None:
    ring = PacketRing(2.0, 10**6)
    fill(ring, 50)
    ring.end()
    assert ring.state(3.0).size == 5000
    assert ring.state(100.0).size == 0
    assert ring.stretches() == []


def test_nothing_is_kept_unless_it_is_wanted() -> None:
    ring = PacketRing()
    assert not ring.wanted
    ring.resize(2.0, 10**6)
    fill(ring, 20)
    assert ring.wanted
    ring.resize(0.0, 0)
    assert ring.stretches() == []
    ring.add(packet(20, key=False))
    ring.place(placed(20))
    assert ring.state(1.0).size == 0
