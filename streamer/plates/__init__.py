"""Plate text: normalising, look-alike characters, country formats as data. Pure."""

from streamer.plates.book import Candidate, Change, FormatBook, UnknownCountryError
from streamer.plates.formats import Format, all_formats, known_countries
from streamer.plates.lookalikes import align, alike, confusion, distance, similar, similarity
from streamer.plates.text import ALPHABET, fold, normalise

__all__ = [
    "ALPHABET",
    "Candidate",
    "Change",
    "Format",
    "FormatBook",
    "UnknownCountryError",
    "align",
    "alike",
    "all_formats",
    "confusion",
    "distance",
    "fold",
    "known_countries",
    "normalise",
    "similar",
    "similarity",
]
