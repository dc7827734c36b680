"""What a data set is made of, in counts and histograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from train.check.finding import Entry

_BLUE = "#35618e"


@dataclass(frozen=True, slots=True)
class Numbers:
    """Counts of a data set."""

    tables: Mapping[str, Mapping[str, Mapping[str, int]]]
    """Name of a property, its values, and for each the pictures by split."""
    totals: Mapping[str, int]
    widths: tuple[float, ...]
    """Of plates, in pixels: boxes in photographs, whole crops."""
    heights: tuple[float, ...]
    lengths: Mapping[int, int]
    """Characters of the known texts."""
    characters: Mapping[str, int]
    per_picture: Mapping[int, int]
    """Plates in photographs."""


def count(entries: Sequence[Entry]) -> Numbers:
    """Count everything that is shown (pure)."""
    pictures = [entry.picture for entry in entries]
    plates = [(picture, plate) for picture in pictures for plate in picture.plates]
    texts = [plate.text for _, plate in plates if plate.text]
    sizes = [(plate.box[2] - plate.box[0], plate.box[3] - plate.box[1]) for _, plate in plates if plate.box]
    sizes += [(float(picture.width), float(picture.height)) for picture in pictures if picture.kind == "crop"]
    tables: dict[str, dict[str, Counter[str]]] = {name: {} for name in ("source", "region", "licence", "kind")}
    for picture in pictures:
        for name, values in tables.items():
            values.setdefault(str(getattr(picture, name)) or "not known", Counter())[picture.split or "none"] += 1
    return Numbers(
        tables=tables,
        totals={
            "pictures": len(pictures),
            "without plates": sum(not picture.plates for picture in pictures),
            "plates": len(plates),
            "with a box": sum(plate.box is not None for _, plate in plates),
            "with corners": sum(plate.corners is not None for _, plate in plates),
            "with a text": len(texts),
            "marked illegible": sum(not plate.legible for _, plate in plates),
            "different texts": len(set(texts)),
            "groups": len({picture.group for picture in pictures} - {""}),
        },
        widths=tuple(width for width, _ in sizes),
        heights=tuple(height for _, height in sizes),
        lengths=Counter(map(len, texts)),
        characters=Counter("".join(texts)),
        per_picture=Counter(len(picture.plates) for picture in pictures if picture.kind == "photo"),
    )


def draw(numbers: Numbers, path: Path) -> None:
    """Draw the histograms into a PNG."""
    from matplotlib.figure import Figure  # without pyplot, which keeps state and looks for a screen

    figure = Figure(figsize=(13, 8), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    sizes = [(w, h) for w, h in zip(numbers.widths, numbers.heights, strict=True) if w > 0 and h > 0]
    axes[0].hist([min(w, 400) for w, _ in sizes], bins=40, color=_BLUE)
    axes[0].set_title("plate width, px (400: and wider)")
    axes[1].hist([min(h, 150) for _, h in sizes], bins=40, color=_BLUE)
    axes[1].set_title("plate height, px (150: and higher)")
    axes[2].hist([min(w / h, 10) for w, h in sizes], bins=40, color=_BLUE)
    axes[2].set_title("width / height (10: and more)")
    for axis, bars, title in (
        (axes[3], sorted(numbers.per_picture.items()), "plates in a photograph"),
        (axes[4], sorted(numbers.lengths.items()), "characters of a text"),
        (axes[5], sorted(numbers.characters.items()), "characters"),
    ):
        axis.bar([str(name) for name, _ in bars], [number for _, number in bars], color=_BLUE)
        axis.set_title(title)
    axes[5].tick_params(axis="x", labelsize=6)
    figure.savefig(path, dpi=90)
