"""Plate text: normalising, look-alikes, and what country formats make of a text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.plates import (
    ALPHABET,
    FormatBook,
    UnknownCountryError,
    align,
    alike,
    confusion,
    distance,
    fold,
    normalise,
    similar,
    similarity,
)

TEXTS = st.text(ALPHABET, max_size=10)
PLATES = st.text(ALPHABET, min_size=1, max_size=10)


@pytest.fixture(scope="module")
def world() -> FormatBook:
    return FormatBook.load()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ls15 ebc", "LS15EBC"),
        ("MÜ-XY 12", "MUXY12"),
        ("АВ1234СХ", "AB1234CX"),
        ("ΥΖΕ-1234", "YZE1234"),
        ("٤٥٦", "456"),
        ("·|粤", ""),
        ("", ""),
    ],
)
def test_normalise_brings_what_plates_show_into_the_alphabet(text: str, plain: str) -> None:
    assert normalise(text) == plain


@given(st.text(), st.text())
def test_normalise_works_character_by_character(a: str, b: str) -> None:
    assert normalise(a + b) == normalise(a) + normalise(b) == "".join(normalise(c) for c in a + b)
    assert set(normalise(a)) <= set(ALPHABET)
    assert normalise(normalise(a)) == normalise(a)


def test_fold_makes_equal_what_many_fonts_draw_alike() -> None:
    assert fold("O0I1") == fold("00II") == fold("OO11")
    assert fold("ABC") != fold("ABD")


@given(st.sampled_from(ALPHABET), st.sampled_from(ALPHABET))
def test_confusion_is_symmetrical_and_zero_for_equals_only(a: str, b: str) -> None:
    assert confusion(a, b) == confusion(b, a)
    assert (confusion(a, b) == 0.0) == (a == b)
    assert confusion(a, b) <= 1.0


def test_likelier_confusions_cost_less() -> None:
    assert confusion("0", "O") < confusion("5", "S") < confusion("M", "N") < confusion("X", "3")


@given(TEXTS, TEXTS, TEXTS)
def test_distance_is_symmetrical_and_similarity_within_bounds(a: str, b: str, c: str) -> None:
    assert distance(a, b) == pytest.approx(distance(b, a))
    assert (distance(a, b) == 0.0) == (a == b)
    assert 0.0 <= similarity(a, b) <= 1.0
    assert distance(a + c, b + c) <= distance(a, b) + 1e-9 + 0.2 * (len(a) + len(b))  # an edge gap may become an inner one


@given(TEXTS, TEXTS)
def test_alignment_pairs_every_character_once_in_order(a: str, b: str) -> None:
    pairs = align(a, b)
    assert [i for i, _ in pairs if i is not None] == list(range(len(a)))
    assert [j for _, j in pairs if j is not None] == list(range(len(b)))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("LS15EBC", "L515E8C", True),  # two look-alikes
        ("LS15EBC", "LS15EXC", True),  # one wrong character
        ("LS15EBC", "1LS15EBC", True),  # the border read as a character
        ("LS15EBC", "LS15EB", True),
        ("LS15EBC", "LX17EBC", False),
        ("LS15EBC", "AB12CDE", False),
        ("ABC", "ABD", False),  # one of three is too much
        ("AB0", "ABO", True),
    ],
)
def test_similar_means_one_misread_apart(a: str, b: str, expected: bool) -> None:
    assert similar(a, b) is similar(b, a) is expected


@given(PLATES)
def test_a_text_is_one_reading_with_itself_and_not_with_a_longer_one(text: str) -> None:
    assert alike(text, text)
    assert not alike(text, text + "A")


@pytest.mark.parametrize(
    ("countries", "read", "plate", "country"),
    [
        ((), "OBC1234", "OBC1234", None),  # fits as it stands, in many countries
        ((), "0BC1234", "OBC1234", None),
        ((), "LS15EBC", "LS15EBC", "GB"),
        ((), "LSI5EBC", "LS15EBC", "GB"),
        (("GB",), "L515EBC", "LS15EBC", "GB"),
        (("BR",), "ABC1Z34", "ABC1Z34", "BR"),  # Mercosur as it stands; 1234 would be the older format
        (("BR",), "ABC12B4", "ABC1284", "BR"),
        (("BR",), "A8C1D23", "ABC1D23", "BR"),
        (("AR",), "AD0S4JI", "AD054JI", "AR"),
        ((), "34A36837", "34A36837", "VN"),
        ((), "89C2O339", "89C20339", "VN"),
        (("IN",), "KLO1BA2I34", "KL01BA2134", "IN"),
        (("TR",), "O6AB123", "06AB123", "TR"),
        (("UA",), "AA0O57BM", "AA0057BM", "UA"),
        (("RU",), "X37IHK96", "X371HK96", "RU"),
        (("DE",), "8AB1234", "BAB1234", "DE"),
        (("US-TX",), "8CD1Z34", "BCD1234", "US-TX"),
        (("US",), "GRT12B4", "GRT1284", "US"),  # many states have this form
        (("EU",), "AB123CD", "AB123CD", None),  # France or Italy or Slovakia
        (("FR",), "AB12BCD", "AB128CD", "FR"),
        ((), "HEYYOU", "HEYYOU", None),  # fits nothing and is left alone
    ],
)
def test_formats_decide_look_alikes_by_position(countries: tuple[str, ...], read: str, plate: str, country: str | None) -> None:
    best = FormatBook.load(countries).rank(read)[0]
    assert (best.plate, best.country) == (plate, country)
    assert [(change.read, change.plate) for change in best.changes] == [(a, b) for a, b in zip(read, plate, strict=True) if a != b]


def test_a_format_is_named_only_with_its_country(world: FormatBook) -> None:
    assert world.rank("LS15EBC")[0].format == "GB current"
    assert world.rank("OBC1234")[0].format is None


def test_what_fits_as_it_stands_is_bent_only_into_an_expected_country(world: FormatBook) -> None:
    # A British plate of the suffix years and, with 8 for B, an older Brazilian one.
    assert world.rank("ABC123B")[0].plate == "ABC123B"
    assert FormatBook.load(("BR",)).rank("ABC123B")[0].plate == "ABC1238"


def test_a_doubtful_character_is_replaced_sooner_than_a_clear_one() -> None:
    book = FormatBook.load(("GB",))
    clear, doubtful = ({c.plate: c.score for c in book.rank("L515EBC", (1.0, s, *[1.0] * 5))} for s in (1.0, 0.2))
    assert doubtful["LS15EBC"] > clear["LS15EBC"]


def test_what_other_looks_read_speaks_for_a_character() -> None:
    book = FormatBook.load(("BR",))
    shares = [{c: 1.0} for c in "ABC1X34"]
    assert book.rank("ABC1X34", shares=shares)[0].plate == "ABC1X34"
    shares[4] = {"X": 0.5, "2": 0.5}  # no look-alikes, but half of the looks read a 2
    assert "ABC1234" in [c.plate for c in book.rank("ABC1X34", shares=shares)]


def test_only_the_countries_asked_for() -> None:
    book = FormatBook.load(("HU",), only=True)
    assert book.rank("BCD123")[0].country == "HU"
    assert book.rank("123XXX") == []
    assert FormatBook.load(only=True).rank("1234BCD")[0].country == "ES"  # without countries there is nothing to leave out


def test_an_unknown_country_names_the_nearest_one() -> None:
    with pytest.raises(UnknownCountryError, match="did you mean US-TX"):
        FormatBook.load(("US-TXX",))


@given(PLATES, st.sampled_from([(), ("GB",), ("EU",), ("US", "BR")]))
def test_nothing_is_invented(text: str, countries: tuple[str, ...]) -> None:
    candidates = FormatBook.load(countries).rank(text) if countries else FormatBook.load().rank(text)
    assert candidates, "the generic format takes every text"
    assert sum(c.score for c in candidates) <= 1.0 + 1e-9
    assert [c.score for c in candidates] == sorted((c.score for c in candidates), reverse=True)
    for candidate in candidates:
        assert len(candidate.plate) == len(text)
        assert all(confusion(a, b) < 1.0 for a, b in zip(text, candidate.plate, strict=True))


def test_ranking_is_quick(world: FormatBook) -> None:
    texts = ("L515EBC", "AB123CD", "34A36837", "OBC1234", "BAB123")
    for text in texts:
        world.rank(text)
    start = time.process_time()
    for _ in range(20):
        for text in texts:
            world.rank(text)
    assert (time.process_time() - start) / 100 < 0.005
