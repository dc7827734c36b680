"""Which packets of an idle camera are decoded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.sources.network_doze import FEWEST, LONGEST_S, MOST_PUT_BY, Doze, Sized

GOP = 25
STEP_S = 0.04


def feed(doze: Doze[int], sizes: list[int], *, begin: int = 0, gop: int = GOP, interval_s: float | None = 1.0) -> list[list[int]]:
    """Give a camera's packets, numbered from ``begin`` on; what each led to be decoded comes back."""
    return [
        doze.take(Sized(number, size, number % gop == 0, number * STEP_S), interval_s) for number, size in enumerate(sizes, start=begin)
    ]


def dozing() -> tuple[Doze[int], int]:
    """Give one that dozes, and the number of the packet that comes next, in the middle of a group of pictures."""
    doze: Doze[int] = Doze()
    doze.wanted = True
    feed(doze, [1000] * (4 * GOP + 5))
    assert doze.dozing
    return doze, 4 * GOP + 5


def test_unasked_everything_is_decoded() -> None:
    doze: Doze[int] = Doze()
    assert feed(doze, [1000, 5, 9000] * 30) == [[number] for number in range(90)]
    assert (doze.dropped, doze.woken) == (0, 0)


def test_asked_it_decodes_key_frames_only() -> None:
    doze, at = dozing()
    decoded = feed(doze, [1000] * (3 * GOP), begin=at)
    assert [numbers for numbers in decoded if numbers] == [[5 * GOP], [6 * GOP], [7 * GOP]]
    assert doze.woken == 0


def test_larger_packets_wake_it_and_nothing_is_lost() -> None:
    doze, at = dozing()
    feed(doze, [1000, 1100, 900], begin=at)
    (decoded,) = feed(doze, [3000], begin=at + 3)
    assert decoded == list(range(4 * GOP + 1, at + 4)), "all since the key frame, in order"
    assert feed(doze, [1000] * 5, begin=at + 4) == [[number] for number in range(at + 4, at + 9)], "it stays awake for a while"
    assert doze.woken == 1


def test_awake_it_dozes_again_at_a_later_key_frame() -> None:
    doze, at = dozing()
    feed(doze, [3000], begin=at)
    after = feed(doze, [1000] * (3 * GOP), begin=at + 1)
    assert after[GOP] != []
    assert after[2 * GOP] == []
    assert doze.woken == 1


def test_who_no_longer_wants_it_gets_everything() -> None:
    doze, at = dozing()
    doze.wanted = False
    assert feed(doze, [1000], begin=at) == [list(range(4 * GOP + 1, at + 1))]
    assert feed(doze, [1000], begin=at + 1) == [[at + 1]]


def test_a_decoder_that_forgot_the_key_frame_gets_it_again() -> None:
    doze, at = dozing()
    doze.flushed()
    assert feed(doze, [3000], begin=at) == [list(range(4 * GOP, at + 1))]


def test_single_larger_packets_are_nothing() -> None:
    """Encoders make up for what they saved, and spend more on every second or tenth picture."""
    doze, at = dozing()
    feed(doze, [1500 if number % 10 == 0 else 1000 for number in range(20 * GOP)], begin=at)
    assert doze.dozing
    assert doze.woken == 0


def test_rain_wakes_it_at_first_only() -> None:
    doze, at = dozing()
    feed(doze, [1500] * (10 * GOP), begin=at)
    assert doze.dozing
    assert doze.woken <= 2


def test_rare_or_unknown_key_frames_keep_it_awake() -> None:
    for interval_s in (None, LONGEST_S + 0.1):
        doze: Doze[int] = Doze()
        doze.wanted = True
        assert feed(doze, [1000] * 90, interval_s=interval_s) == [[number] for number in range(90)]


def test_key_frames_that_stop_coming_end_it() -> None:
    doze, at = dozing()
    decoded = feed(doze, [1000] * (MOST_PUT_BY + 10), begin=at, gop=10**6)
    longest = max(decoded, key=len)
    assert len(longest) == MOST_PUT_BY
    assert decoded[-1] == [at + MOST_PUT_BY + 9]


@given(
    st.lists(st.tuples(st.integers(1, 5000), st.booleans(), st.booleans(), st.booleans()), max_size=300),
    st.sampled_from([None, 1.0, 5.0]),
)
def test_what_is_decoded_hangs_together(steps: list[tuple[int, bool, bool, bool]], interval_s: float | None) -> None:
    """Every packet is decoded after the key frame and all others of its group before it, or not at all; and each is accounted for."""
    doze: Doze[int] = Doze()
    keys = [0]
    last = -1
    decoded = 0
    for number, (size, key, wanted, flush) in enumerate(steps):
        key = key or number == 0
        if key:
            keys.append(number)
        doze.wanted = wanted
        due = doze.take(Sized(number, size, key, number * STEP_S), interval_s)
        for one in due:
            again = one == keys[-1] and one <= last
            assert again or one in (last + 1, keys[-1]), "its predecessor was decoded, or it needs none"
            decoded += not again
            last = one
        if due and due[-1] == keys[-1] and flush and doze.dozing:
            doze.flushed()
    waiting = number - last if steps else 0
    assert decoded + doze.dropped + waiting == len(steps)


def test_it_learns_before_it_trusts() -> None:
    doze: Doze[int] = Doze()
    doze.wanted = True
    decoded = feed(doze, [1000] * 60, gop=5)
    assert all(decoded[:FEWEST])
    assert not all(decoded[FEWEST:])
