"""Reads of one vehicle to one decision: agreement decides, then the country format, and nothing is made up."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.plates import ALPHABET, FormatBook, alike, all_formats, confusion
from streamer.plates.lookalikes import LOOKALIKES
from streamer.plates.pattern import Listed
from streamer.types import PlateRead
from streamer.vote import Decision, Vote, VoteRules

RULES = VoteRules(min_reads=2, sure_reads=4, min_chars=3, max_chars=12)
STRICT = VoteRules(min_reads=2, sure_reads=4, min_chars=3, max_chars=12, min_score=0.3)
SINGLE = VoteRules(min_reads=1, sure_reads=1, min_chars=3, max_chars=12)
WORLD = FormatBook.load()
Ballot = tuple[PlateRead, float]


def read(text: str, score: float = 0.95) -> PlateRead:
    return PlateRead(text, (score,) * len(text))


def decide(reads: Sequence[Ballot], rules: VoteRules = RULES, book: FormatBook = WORLD) -> Decision:
    vote = Vote(rules, book)
    for order, (one, weight) in enumerate(reads):
        vote.add(one, weight=weight, order=order)
    return vote.decision()


def plain(*texts: str) -> list[Ballot]:
    return [(read(text), 1.0) for text in texts]


def test_no_reads_no_plate() -> None:
    decision = decide([])
    assert (decision.plate, decision.raw, decision.reason, decision.reads) == (None, None, "too_few_looks", 0)
    assert decide([(PlateRead("", ()), 1.0)]).reads == 0


def test_looks_that_agree_make_a_plate() -> None:
    decision = decide(plain("LS15EBC", "LS15EBC"))
    assert (decision.plate, decision.raw, decision.country, decision.format) == ("LS15EBC", "LS15EBC", "GB", "GB current")
    assert (decision.agreeing, decision.reads, decision.sure, decision.reason) == (2, 2, False, None)


def test_one_confident_look_is_not_enough_unless_there_is_only_a_picture() -> None:
    assert decide([(read("LS15EBC", 1.0), 1.0)]).reason == "too_few_looks"
    assert decide([(read("LS15EBC", 1.0), 1.0)]).raw == "LS15EBC"
    assert decide(plain("LS15EBC"), SINGLE).plate == "LS15EBC"


def test_agreement_beats_a_confident_look() -> None:
    decision = decide([(read("LS15EBC", 0.8), 0.5), (read("LS15EBC", 0.8), 0.5), (read("LS15FBC", 1.0), 0.7)])
    assert decision.plate == "LS15EBC"


def test_characters_are_voted_on_one_by_one() -> None:
    # No look is right as a whole, each character is right in most of them.
    decision = decide(plain("XS15EBC", "LS15EWC", "LS75EBC", "LS15EBK"))
    assert decision.plate == "LS15EBC"
    assert decision.raw in {"LS15EBK", "LS75EBC"}
    assert not decision.sure


def test_reads_of_different_length_are_aligned() -> None:
    decision = decide(plain("1LS15EBC", "LS15EBC", "S15EBC", "LS15EBCI", "LS15EBC"))
    assert decision.plate == "LS15EBC"


def test_a_format_chooses_between_the_lengths_that_were_read() -> None:
    # Half of the looks take the band for a character: only one length is a British plate.
    reads = plain("1LS15EBC", "LS15EBC", "1LS15EBC", "LS15EBC")
    assert decide(reads, book=FormatBook.load(("GB",))).plate == "LS15EBC"


def test_looks_that_agree_on_noise_make_no_plate() -> None:
    noise = [(read("EEL", 0.3), 0.5), (read("EEL", 0.3), 0.5), (read("3C", 0.3), 0.5), (read("153", 0.3), 0.5)]
    decision = decide(noise, STRICT)
    assert (decision.plate, decision.reason) == (None, "rejected")
    assert decide(plain("LS15EBC", "LS15EBC"), STRICT).plate == "LS15EBC"


def test_look_alikes_agree_and_the_format_decides_between_them() -> None:
    decision = decide(plain("L515EBC", "LS15EBC", "L515E8C"), book=FormatBook.load(("GB",)))
    assert (decision.plate, decision.agreeing, decision.raw) == ("LS15EBC", 3, "LS15EBC")


def test_the_raw_text_is_left_as_the_reader_gave_it() -> None:
    decision = decide(plain("LSI5EBC", "LSI5EBC"))
    assert (decision.plate, decision.raw, decision.raw_order) == ("LS15EBC", "LSI5EBC", 0)


def unread(*looks: tuple[str, int, float]) -> list[Ballot]:
    """Looks: text, number of unread characters, weight."""
    return [(PlateRead(text, (0.95,) * len(text), unread=count), weight) for text, count, weight in looks]


def test_most_looks_say_how_many_characters_are_outside_the_alphabet() -> None:
    looks = [("LS15EBC", 1, 1.0), ("LS15EBC", 0, 1.0), ("LS15EBC", 1, 1.0)]
    assert decide(unread(*looks)).unread_chars == 1
    assert decide(unread(*looks[:2], ("LS15EBC", 0, 1.0))).unread_chars == 0
    assert decide(plain("LS15EBC", "LS15EBC")).unread_chars == 0
    assert decide(unread(("LS15EBC", 1, 0.9)), SINGLE).unread_chars == 1


def test_better_looks_say_it_louder() -> None:
    assert decide(unread(("LS15EBC", 0, 0.2), ("LS15EBC", 1, 0.9), ("LS15EBC", 0, 0.3))).unread_chars == 1


def test_only_looks_that_agree_with_the_plate_say_it() -> None:
    agree = [("LS15EBC", 1, 1.0), ("L515EBC", 1, 1.0)]  # look-alikes agree
    assert decide(unread(*agree, ("LS15EB", 0, 0.9), ("S15EBC", 0, 0.9), ("15EBC", 0, 0.9))).unread_chars == 1
    # No look is right as a whole: all of the plate's cluster say it, others do not.
    parts = [("XS15EBC", 1, 1.0), ("LS15EWC", 1, 1.0), ("LS75EBC", 1, 1.0), ("LS15EBK", 0, 1.0), ("0000", 0, 1.5), ("PPPP", 0, 1.6)]
    decision = decide(unread(*parts))
    assert (decision.plate, decision.unread_chars) == ("LS15EBC", 1)


def test_without_a_plate_nothing_is_said_of_unread_characters() -> None:
    assert decide(unread(("LS15EBC", 1, 1.0))).unread_chars == 0
    contradiction = decide(unread(*[("LS15EBC", 1, 1.0), ("XK66WWT", 1, 1.0)] * 2))
    assert (contradiction.reason, contradiction.unread_chars) == ("rejected", 0)


def test_of_equal_reads_the_best_look_is_the_evidence() -> None:
    decision = decide([(read("LS15EBC"), 0.2), (read("LS15EBC"), 0.9), (read("LS15EBC"), 0.5)])
    assert decision.raw_order == 1


def test_looks_that_contradict_each_other_make_no_plate() -> None:
    decision = decide(plain("LS15EBC", "XK66WWT", "LS15EBC", "XK66WWT"))
    assert (decision.plate, decision.reason) == (None, "rejected")
    assert {text for text, _ in decision.alternatives} == {"LS15EBC", "XK66WWT"}
    assert decide(plain("LS15EBC", "XK66WWT", "ABC123")).reason == "too_few_looks"


def test_a_minority_from_another_plate_does_not_stop_the_vote() -> None:
    decision = decide(plain("LS15EBC", "XK66WWT", "LS15EBC", "LS15EBC"))
    assert decision.plate == "LS15EBC"
    assert "XK66WWT" in [text for text, _ in decision.alternatives]


def test_what_cannot_be_a_plate_is_rejected() -> None:
    assert decide(plain("AB", "AB")).reason == "rejected"
    assert decide(plain("ABCDEFGHIJKLM", "ABCDEFGHIJKLM")).reason == "rejected"
    assert decide(plain("1234BCD", "1234BCD"), book=FormatBook.load(("DE",), only=True)).reason == "rejected"


def test_sure_needs_looks_that_agree_and_no_other_text_near() -> None:
    assert not decide(plain(*["LS15EBC"] * 3)).sure
    assert decide(plain(*["LS15EBC"] * 4)).sure
    assert decide(plain(*["LS15EBC"] * 4, "LS15EB")).sure  # cut off at the edge: no other text
    assert not decide(plain(*["LS15EBC"] * 4, "XK66WWT", "XK66WWT")).sure
    assert not decide(plain(*["LS15EBC"] * 4, *["LS15EXC"] * 3)).sure


def test_the_score_falls_with_disagreement_and_with_few_looks() -> None:
    four = decide(plain(*["LS15EBC"] * 4)).score
    assert decide(plain("LS15EBC"), SINGLE).score < decide(plain("LS15EBC", "LS15EBC")).score < four
    assert decide(plain(*["LS15EBC"] * 3, "LS15EXC")).score < four
    assert decide([(read("LS15EBC", 0.6), 1.0)] * 4).score < four
    disputed = decide(plain(*["LS15EBC"] * 3, "LS15EXC"))
    assert min(disputed.char_scores) == disputed.char_scores[5]
    assert decide([(read("LS15EBC", 1.0), 1.0)], SINGLE).score == pytest.approx(2 / 3)


def test_the_other_decision_of_the_formats_is_an_alternative() -> None:
    decision = decide(plain("L515EBC", "L515EBC"), book=FormatBook.load(("GB",)))
    assert "L515EBC" in [text for text, _ in decision.alternatives]
    assert all(0.0 < value <= 1.0 for _, value in decision.alternatives)


def one_read(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Ballot]:
    scored = texts.flatmap(lambda text: st.tuples(*[st.floats(0.0, 1.0) for _ in text]).map(lambda scores: PlateRead(text, scores)))
    return st.tuples(scored, st.floats(0.05, 1.0))


RANDOM = st.lists(one_read(st.text(ALPHABET, min_size=1, max_size=9)), max_size=6)
NEAR = st.lists(one_read(st.sampled_from(["LS15EBC", "L515EBC", "LS15EB", "1LS15EBC", "LS15EXC", "AB12CDE"])), max_size=7)


@settings(max_examples=80, deadline=None)
@given(st.one_of(RANDOM, NEAR), st.sampled_from([RULES, SINGLE]))
def test_a_decision_is_whole(reads: list[Ballot], rules: VoteRules) -> None:
    decision = decide(reads, rules)
    assert (decision.plate is None) == (decision.reason is not None)
    assert (decision.raw is None) == (not reads)
    assert 0.0 <= decision.score <= 1.0
    assert all(0.0 <= score <= 1.0 for score in decision.char_scores)
    assert len(decision.char_scores) == len(decision.plate or "")
    assert decision.reads == len(reads)
    if decision.plate is not None:
        assert decision.agreeing >= rules.min_reads
        seen = {c for one, _ in reads for c in one.text}
        assert all(any(confusion(c, other) < 1.0 for other in seen) for c in decision.plate)
        assert rules.min_chars <= len(decision.plate) <= rules.max_chars
        assert decision.plate not in [text for text, _ in decision.alternatives]


@settings(max_examples=60, deadline=None)
@given(st.one_of(RANDOM, NEAR), st.randoms(use_true_random=False))
def test_the_way_the_reads_come_does_not_matter(reads: list[Ballot], shuffler: random.Random) -> None:
    votes = [(order, one, weight) for order, (one, weight) in enumerate(reads)]
    shuffler.shuffle(votes)
    vote = Vote(RULES, WORLD)
    for order, one, weight in votes:
        vote.add(one, weight=weight, order=order)
    assert vote.decision() == decide(reads)


@settings(max_examples=60, deadline=None)
@given(st.lists(one_read(st.sampled_from(["LS15EBC", "L515EBC", "LS15EB", "AB12CDE"])), min_size=1, max_size=6), st.data())
def test_reading_the_same_again_never_lowers_its_support(reads: list[Ballot], data: st.DataObject) -> None:
    again, weight = data.draw(st.sampled_from(reads))
    before, after = Vote(RULES, WORLD), Vote(RULES, WORLD)
    for order, (one, own) in enumerate(reads):
        before.add(one, weight=own, order=order)
        after.add(one, weight=own, order=order)
    after.add(again, weight=weight, order=len(reads))
    assert after.support(again.text) >= before.support(again.text) - 1e-12
    assert 0.0 <= after.support(again.text) <= 1.0 + 1e-12


def test_the_decision_grows_with_the_reads() -> None:
    vote = Vote(RULES, WORLD)
    plates = []
    for order, text in enumerate(["LS15FBC", "LS15EBC", "LS15EBC", "LS15EBC", "LS15EBC"]):
        vote.add(read(text), weight=1.0, order=order)
        plates.append(vote.decision().plate)
    assert plates[-1] == "LS15EBC"
    assert plates[0] is None


def truths(rng: random.Random, country: str, count: int) -> list[str]:
    """Random plates of a country's commonest form."""
    fmt = max((f for f in all_formats() if f.country == country and not f.vanity), key=lambda f: f.vehicles)
    longest = max(fmt.variants, key=lambda variant: variant.size)
    return ["".join(rng.choice(part.entries if isinstance(part, Listed) else part) for part in longest.parts) for _ in range(count)]


def misread(rng: random.Random, truth: str) -> PlateRead:
    """Each character 1 in 10 taken for a look-alike; 15 in 100 looks lose or gain one at an end. Wrong ones score as right ones."""
    characters = [rng.choice(LOOKALIKES[c])[0] if LOOKALIKES[c] and rng.random() < 0.1 else c for c in truth]
    if rng.random() < 0.15:
        what = rng.randrange(4)
        if what < 2:
            characters.pop(-what)
        else:
            characters.insert(0 if what == 2 else len(characters), rng.choice(ALPHABET))
    return PlateRead("".join(characters), tuple(rng.uniform(0.8, 1.0) for _ in characters))


@pytest.mark.parametrize("country", ["GB", "BR", "ES", "TR", "UA", "IN", "FR"])
@pytest.mark.parametrize("told", [False, True], ids=["world", "expected"])
def test_five_noisy_looks_are_far_better_than_one(country: str, told: bool) -> None:
    rng = random.Random(20240607)  # noqa: S311
    book = FormatBook.load((country,)) if told else WORLD
    count, right, wrong, single, kept = 60, 0, 0, 0, 0
    for truth in truths(rng, country, count):
        reads = [(misread(rng, truth), rng.uniform(0.3, 1.0)) for _ in range(5)]
        decision = decide(reads, book=book)
        right += decision.plate == truth
        wrong += decision.plate not in (None, truth) and not (decision.plate is not None and alike(decision.plate, truth))
        single += sum(one.text == truth for one, _ in reads)
        kept += decision.sure and decision.plate != truth
    assert single / (5 * count) < 0.5
    assert right / count > 0.85, (right, single)
    assert wrong / count < 0.08
    assert kept / count <= 0.05
