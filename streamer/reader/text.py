"""What a recogniser says, and the plate characters in it (pure)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from streamer.reader.nets import Floats

OUTSIDE = "*"
"""What a network trained for plates says where it sees a character outside its alphabet (a Chinese province sign)."""
BLANK = 0
"""Class that connectionist temporal classification (CTC) puts between characters."""


@dataclass(frozen=True, slots=True)
class LineText:
    """The text of one line."""

    text: str = ""
    """All that was read, or only what may stand on a plate."""
    scores: tuple[float, ...] = ()
    """One per character, 0..1."""
    unread: int = 0
    """How many characters outside the alphabet were seen and left out of ``text``."""

    def __add__(self, other: LineText) -> LineText:
        return LineText(self.text + other.text, self.scores + other.scores, self.unread + other.unread)

    @property
    def mean(self) -> float:
        """Mean of the scores; 0.0 for an empty text."""
        return sum(self.scores) / len(self.scores) if self.scores else 0.0


def decode(probabilities: Floats, characters: Sequence[str]) -> LineText:
    """Decode CTC output, (steps, classes): the likeliest class of each step, repetitions and blanks dropped.

    ``characters`` has one text per class. A character's score is the probability at the first of its steps, as PaddleOCR
    takes it (CTCLabelDecode), so that the mean of the scores is its ``rec_score``.
    """
    classes = probabilities.argmax(axis=1)
    first = classes != BLANK
    first[1:] &= classes[1:] != classes[:-1]
    steps = first.nonzero()[0]
    text = [characters[index] for index in classes[steps]]
    scores = [float(probabilities[step, index]) for step, index in zip(steps, classes[steps], strict=True)]
    kept = [(t, s) for t, s in zip(text, scores, strict=True) if len(t) == 1]
    return LineText("".join(t for t, _ in kept), tuple(s for _, s in kept))


def plate_text(line: LineText) -> LineText:
    """Keep what may stand on a plate, as A-Z and 0-9; the rest goes with its scores, and of it letters are counted as ``unread``.

    Lower case, full-width forms and Latin letters with accents become their plain capitals. Letters of other alphabets
    are never turned into Latin ones that look like them: who knows the country decides that.
    """
    kept = [(plain(character), score) for character, score in zip(line.text, line.scores, strict=True)]
    kept = [(character, score) for character, score in kept if character]
    return LineText("".join(c for c, _ in kept), tuple(s for _, s in kept), line.unread + sum(map(is_outside, line.text)))


def is_outside(character: str) -> bool:
    """Whether a character is a letter or an ideograph that ``plain`` has nothing for, or ``OUTSIDE``.

    Blanks, dots and hyphens are none; nor are modifier letters (Unicode's Lm): they look like dots and hyphens, and no plate has them.
    """
    if character == OUTSIDE:
        return True
    return character.isalpha() and unicodedata.category(character) != "Lm" and not plain(character)


def plain(character: str) -> str:
    """Give the plate character (A-Z, 0-9) that a character stands for, or an empty text."""
    if "\uff00" <= character <= "\uff5e":  # full-width forms
        character = chr(ord(character) - 0xFEE0)
    elif "\u00c0" <= character <= "\u024f":  # Latin with accents: the letter comes first in the decomposed form
        character = unicodedata.normalize("NFD", character)[0]
    if not character.isascii():
        return ""
    return character.upper() if character.isalnum() else ""
