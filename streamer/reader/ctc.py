"""Text and character scores out of what a CTC network says of a line (Graves et al., ICML 2006; greedy decoding)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamer.reader.nets import Floats


@dataclass(frozen=True, slots=True)
class LineText:
    """What was read in one line."""

    text: str
    """A-Z and 0-9 only."""
    char_scores: tuple[float, ...]
    """One per character, 0..1."""


EMPTY = LineText("", ())


def plate_character(character: str) -> str:
    """Give the plate character that a character of the network stands for, or an empty text.

    Case and width are no matter of the plate. Letters of other scripts are dropped, never turned into Latin look-alikes.
    """
    plain = unicodedata.normalize("NFKC", character).upper()
    return plain if len(plain) == 1 and plain.isascii() and plain.isalnum() else ""


class CtcDecoder:
    """Decodes the output of a network with a given character list."""

    def __init__(self, characters: Sequence[str]) -> None:
        """Take the characters of the classes from 1 on; class 0 is the blank."""
        self.classes = len(characters) + 1
        self._characters = characters
        self._plate = ["", *map(plate_character, characters)]

    def raw(self, probabilities: Floats) -> tuple[str, float]:
        """Give everything that was read and the mean score, as PaddleOCR does: (time steps, classes) probabilities."""
        best = probabilities.argmax(axis=1)
        scores = probabilities.max(axis=1)
        starts = [k for k, c in enumerate(best) if c and (k == 0 or c != best[k - 1])]
        text = "".join(self._characters[best[k] - 1] for k in starts)
        return text, float(np.mean([scores[k] for k in starts])) if starts else 0.0

    def plate(self, probabilities: Floats) -> LineText:
        """Give the plate characters that were read, each with its highest probability."""
        best = probabilities.argmax(axis=1)
        scores = probabilities.max(axis=1)
        text: list[str] = []
        char_scores: list[float] = []
        previous = 0
        for label, score in zip(best.tolist(), scores.tolist(), strict=True):
            character = self._plate[label]
            if label and character:
                if label != previous:
                    text.append(character)
                    char_scores.append(score)
                else:
                    char_scores[-1] = max(char_scores[-1], score)
            previous = label
        return LineText("".join(text), tuple(min(1.0, score) for score in char_scores))
