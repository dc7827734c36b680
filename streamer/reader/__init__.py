"""PaddleOCR's text recognition behind ports.TextReader: crops to text with a score per character."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streamer.config import ReaderConfig
from streamer.reader.characters import CharacterReader
from streamer.reader.choice import load_characters, load_layout_net, load_line_net, load_recogniser
from streamer.reader.layout import DetectedLines, Layout, Layouts, lines_by_gap
from streamer.reader.pictures import demand_pictures
from streamer.reader.platelayout import LearnedLines
from streamer.reader.recognisers import Recogniser
from streamer.reader.text import LineText, plate_text
from streamer.types import Image, ModelInfo, PlateRead

__all__ = ["CharacterReader", "PlateReader", "build_reader"]

SURE = 0.9
"""A text is read again in another layout if one of its characters scores less, or if its length is not usual."""

USUAL_LENGTH = range(4, 10)
"""Characters of nearly all plates; personal ones may have fewer."""
UNUSUAL_COSTS = 0.15
"""Another reading of usual length is preferred to one of unusual length even if its mean score is this much lower."""

SMALL_ROW = 0.85
"""A row that is lower than this share of the highest must have a digit to belong to the number: states and slogans have none."""


class PlateReader:
    """A ports.TextReader. For one thread at a time. A crop's read is the same to the last bit in whatever batch it comes."""

    def __init__(self, recogniser: Recogniser, layouts: Layouts, info: ModelInfo) -> None:
        self._recogniser = recogniser
        self._layouts = layouts
        self._info = info

    @property
    def info(self) -> ModelInfo:
        """Which recognition model this is."""
        return self._info

    def read(self, crops: Sequence[Image]) -> list[PlateRead | None]:
        """Read each crop (uint8, (h, w, 3), BGR, sizes may differ); None where there is no text, or no pixel.

        Raises UsageError if something is not a picture.
        """
        demand_pictures(crops)
        best: list[PlateRead | None] = [None] * len(crops)
        filled = [index for index, crop in enumerate(crops) if crop.size]
        waiting = dict(zip(filled, map(iter, self._layouts([crops[index] for index in filled])), strict=True))
        while waiting:
            turn = {index: layout for index, layouts in waiting.items() if (layout := next(layouts, None)) is not None}
            for index, read in zip(turn, self._read_layouts(list(turn.values())), strict=True):
                best[index] = _better(best[index], read)
            waiting = {index: waiting[index] for index in turn if not _sure(best[index])}
        return best

    def _read_layouts(self, layouts: Sequence[Layout]) -> list[PlateRead | None]:
        texts = map(plate_text, self._recogniser.read([row.picture for layout in layouts for row in layout]))
        return [_joined(layout, texts) for layout in layouts]


def _joined(layout: Layout, texts: Iterator[LineText]) -> PlateRead | None:
    """Take the texts of a layout's rows and join those that belong to the number."""
    rows = [(next(texts), row.height) for row in layout]
    highest = max(height for _, height in rows)
    number = [text for text, height in rows if height >= SMALL_ROW * highest or any(c.isdigit() for c in text.text)]
    joined = sum(number, LineText())
    return PlateRead(joined.text, joined.scores, sum(bool(text.text) for text in number), joined.unread) if joined.text else None


def _better(first: PlateRead | None, second: PlateRead | None) -> PlateRead | None:
    if first is None or second is None:
        return first or second
    return second if _worth(second) > _worth(first) else first


def _worth(read: PlateRead) -> float:
    return read.score - (0.0 if len(read.text) in USUAL_LENGTH else UNUSUAL_COSTS)


def _sure(read: PlateRead | None) -> bool:
    return read is not None and min(read.char_scores) >= SURE and len(read.text) in USUAL_LENGTH


def build_reader(config: ReaderConfig) -> PlateReader | CharacterReader:
    """Load the reader that a configuration asks for.

    Raises WeightsError if weights are missing, damaged or do not go together, MissingPackageError if an engine is not installed.
    """
    if config.engine == "characters":
        return load_characters(config)
    recogniser, info = load_recogniser(config)
    return PlateReader(recogniser, _layouts(config), info)


def _layouts(config: ReaderConfig) -> Layouts:
    if config.lines == "gap":
        return lines_by_gap
    return LearnedLines(load_layout_net(config)) if config.lines == "learned" else DetectedLines(load_line_net(config))
