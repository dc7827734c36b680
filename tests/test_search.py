"""Near plates are all found, whatever way is taken through the indexes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from streamer.plates import ALPHABET, confusion, distance
from streamer.plates.lookalikes import ALIKE
from streamer.search import (
    LEAST_CHARS,
    LOOKALIKES,
    beyond,
    clean_pattern,
    is_near,
    is_pattern,
    like_pattern,
    literal_ends,
    near,
    places_of,
    skeleton,
)

FEW = "0O1AB8D2"
plates = st.text(FEW, min_size=1, max_size=8)


def test_classes_hold_all_that_counts_as_one_reading():
    classes = {one: group for group in LOOKALIKES for one in group}
    for a in ALPHABET:
        for b in ALPHABET:
            if a != b and confusion(a, b) <= ALIKE:
                assert classes[a] == classes[b], f"{a} and {b}: a change of the look-alikes needs a migration of the stores"
    assert skeleton("OQ0DI1Z2S5G6B8A") == "00001122556688A"


@settings(max_examples=50)
@given(st.text(FEW, min_size=5, max_size=8), st.lists(plates, max_size=60), st.sampled_from([1, 2]), st.randoms())
def test_every_near_text_stands_where_is_looked(wanted, others, edits, random):
    """Whatever the counts say, which only decide how long it takes."""
    own = skeleton(wanted)
    changed = list(wanted)
    for _ in range(edits):
        place = random.randrange(len(changed))
        random.choice([lambda p: changed.pop(p), lambda p: changed.insert(p, "X"), lambda p: changed.__setitem__(p, "7")])(place)
    others = [*others, "".join(changed)]
    places = places_of(own, edits, lambda _: random.randrange(100), lambda _: random.randrange(100))
    texts = [skeleton(text) for text in others]
    seen = [text for text in texts if text.startswith(places.beginnings) or text[::-1].startswith(places.endings)]
    assert {text for text in texts if Levenshtein.distance(own, text) <= edits} <= set(seen)


@settings(max_examples=50)
@given(plates, st.lists(plates), st.sampled_from([0, 1, 2]))
def test_near_plates_come_nearest_first(wanted, others, edits):
    groups = near(wanted, edits, [(text, skeleton(text)) for text in others])
    found = [text for _, texts in groups for text in texts]
    assert sorted(found) == sorted(text for text in set(others) if Levenshtein.distance(skeleton(wanted), skeleton(text)) <= edits)
    assert all(abs(distance(wanted, text) - far) < 1e-6 for far, texts in groups for text in texts)
    assert [far for far, _ in groups] == sorted({far for far, _ in groups})


def test_the_way_with_the_fewest_texts_is_taken():
    """Plates of one town: its beginning says nothing, the end does."""
    counts = {"": 10_000}
    places = places_of("29A12345", 1, lambda begin: 9000 if len(begin) < 5 else 90, lambda end: counts.get(end, 10 ** (4 - len(end))))
    assert (places.beginnings, places.endings) == (("29A12",), ("543",))


def test_what_is_typed_becomes_a_pattern():
    assert clean_pattern("ka-12 b?**") == "KA12B?*"
    assert clean_pattern("ÄB%_['\";]") == "AB"
    assert is_pattern("A?")
    assert is_pattern("*A")
    assert not is_pattern("AB12")
    assert literal_ends("AB*C?12") == ("AB", "12")
    assert literal_ends("*") == ("", "")
    assert like_pattern("A?B*") == "A_B%"
    assert "AB" < "ABZZZZ" < beyond("AB") <= "AC"
    assert is_near("AB123", "AB12", 1)
    assert not is_near("AB123", "AB1", 1)
    assert LEAST_CHARS == (1, 3, 5)
