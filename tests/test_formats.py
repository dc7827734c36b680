"""The country files: each one is a test case of itself, and their language says what its document says."""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from importlib import resources

import pytest

from streamer.plates import FormatBook, all_formats, known_countries
from streamer.plates.formats import Format, parse
from streamer.plates.pattern import Listed, Variant, expand, parse_list

FORMATS = all_formats()
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
EU = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
STATES = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI "
    "SC SD TN TX UT VT VA WA WV WI WY"
)

FILE = """
country = "XX"
name = "Nowhere"
vehicles = 1.0
source = "none"
[lists]
area = "A BC 01..03"
[[format]]
name = "current"
pattern = "<area> 99"
share = 1.0
since = 2000
examples = ["A12"]
"""


def holds(variant: Variant, text: str) -> bool:
    """Whether a text fits a form, told without the tables of the program."""
    if variant.length != len(text):
        return False
    place = 0
    for part in variant.parts:
        width = len(part.entries[0]) if isinstance(part, Listed) else 1
        if text[place : place + width] not in (part.entries if isinstance(part, Listed) else list(part)):
            return False
        place += width
    return True


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: fmt.name)
def test_every_example_fits_its_format(fmt: Format) -> None:
    assert fmt.examples
    assert fmt.source
    for example in fmt.examples:
        assert any(holds(variant, example) for variant in fmt.variants), example


@pytest.mark.parametrize("country", sorted({fmt.country for fmt in FORMATS if fmt.country}))
def test_every_example_is_kept_where_its_country_is_expected(country: str) -> None:
    own = [fmt for fmt in FORMATS if fmt.country == country]
    book = FormatBook.load((country,), only=True)
    for example in (example for fmt in own for example in fmt.examples):
        assert example in [candidate.plate for candidate in book.rank(example)], example


def test_the_tables_hold_exactly_what_the_formats_hold() -> None:
    texts = sorted({example for fmt in FORMATS for example in fmt.examples})
    for country in ("GB", "PL", "US-CA", "IN", "BG"):
        book = FormatBook([fmt for fmt in FORMATS if fmt.country == country and not fmt.vanity], (country,))
        for text in texts:
            fits = any(holds(variant, text) for fmt in FORMATS if fmt.country == country and not fmt.vanity for variant in fmt.variants)
            kept = any(candidate.plate == text for candidate in book.rank(text))
            assert kept == fits or (fits and book.rank(text)), (country, text)


def test_names_are_unique_and_shares_are_parts_of_a_whole() -> None:
    assert [name for name, count in Counter(fmt.name for fmt in FORMATS).items() if count > 1] == []
    shares: dict[str, float] = defaultdict(float)
    for fmt in FORMATS:
        assert fmt.vehicles > 0.0, fmt.name
        shares[fmt.country] += fmt.vehicles
    fleets = {country: fleet(country) for country in shares}
    assert {country: total for country, total in shares.items() if total > 1.001 * fleets[country]} == {}


def fleet(country: str) -> float:
    """Vehicles of a country or state, as its file says."""
    file = resources.files("streamer.plates").joinpath("countries", f"{country[:2].lower() or 'generic'}.toml")
    data = tomllib.loads(file.read_text("utf-8"))
    return float(data["regions"][country[3:]] if country[3:] else data["vehicles"])


def test_the_countries_that_are_promised_are_there() -> None:
    known = set(known_countries())
    assert {
        *EU.split(),
        "NO",
        "IS",
        "LI",
        "CH",
        "GB",
        "BR",
        "AR",
        "IN",
        "TR",
        "UA",
        "PK",
        "AE",
        "VN",
        "RU",
        "BY",
        "CN",
        "CA",
        "AU",
    } <= known
    assert {f"US-{state}" for state in STATES.split()} <= known
    assert {fmt.country for fmt in FORMATS if "EU" in fmt.groups} == set(EU.split())
    assert {fmt.country for fmt in FORMATS if "US" in fmt.groups} == {f"US-{state}" for state in STATES.split()}
    assert any(fmt.country == "" and fmt.vanity for fmt in FORMATS), "the generic form"


def test_the_pattern_language() -> None:
    lists = {"area": ("A", "BC")}
    assert [v.length for v in expand("<area> [1-9]9{0,2}", LETTERS, lists, 12)] == [2, 3, 4, 3, 4, 5]
    (variant,) = expand("[T] A#9", "XY", {}, 12)
    assert variant.parts == ("T", "XY", "0123456789XY", "0123456789")
    assert variant.size == 1 * 2 * 12 * 10
    assert {v.length for v in expand("A{1,3}9{1,3}", LETTERS, {}, 4)} == {2, 3, 4}
    assert parse_list("A BC 08..11 BC") == ("A", "BC", "08", "09", "10", "11")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<area> 99", "<region> 99", r"xx\.toml: there is no list 'region'; there are \['area'\]"),
        ("<area> 99", "<area> 99?", "cannot read"),
        ("<area> 99", "[9-1]", "the smaller character comes first"),
        ("01..03", "3..01", "the same length"),
        ("01..03", "ab", "A-Z and 0-9"),
        ('name = "current"', 'nam = "current"', r"unknown keys \['nam'\]"),
        ("share = 1.0", "", r"keys \['share'\] are missing"),
        ("vehicles = 1.0", "vehicles = ", r"xx\.toml"),
    ],
)
def test_a_mistake_in_a_country_file_is_named_with_the_file(old: str, new: str, message: str) -> None:
    assert old in FILE
    assert parse("xx.toml", FILE)[0].name == "XX current"
    with pytest.raises(ValueError, match=message):
        parse("xx.toml", FILE.replace(old, new))
