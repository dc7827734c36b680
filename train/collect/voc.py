"""Pascal VOC: an XML file for each picture. Texts of plates are taken from ``<text>``, ``<plate>`` or CVAT's attributes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from train.collect.found import Found, Item, Mark, Options, Skipped, group_in, pictures_in, plate_classes, split_in

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_TEXT = ("text", "plate", "number", "plate_text", "plate_number")


def read_voc(source: Path, options: Options) -> Iterator[Item]:
    """Read all XML files under a folder. Raises UsageError if it cannot be told which class is the plate."""
    pictures: dict[str, list[Path]] = {}
    for picture in pictures_in(source):
        pictures.setdefault(picture.stem, []).append(picture)
    parsed = [(file, _parse(file)) for file in sorted(source.rglob("*.xml"))]
    names = sorted({_word(thing, "name") for _, root in parsed if not isinstance(root, str) for thing in root.iter("object")})
    chosen = {names[number] for number in plate_classes(names, options.classes, str(source))}
    used = set()
    for file, root in parsed:
        where = file.relative_to(source).as_posix()
        if isinstance(root, str):
            yield Skipped(where, "picture", root)
            continue
        own = _picture(file, root, pictures)
        if own is None:
            yield Skipped(where, "picture", f"its picture {_word(root, 'filename') or file.stem} is not there, or several are")
            continue
        used.add(own)
        yield from _labelled(own, where, root, chosen, source)
    for other in (path for many in pictures.values() for path in many if path not in used):
        name = other.relative_to(source)
        if options.backgrounds:
            yield Found(other, name.as_posix(), split=split_in(name), nearby=group_in(name, source))
        else:
            yield Skipped(name.as_posix(), "picture", "has no XML file; --backgrounds takes such pictures for empty ones")


def _parse(file: Path) -> Element | str:
    """Give the root of a VOC file, or why it is none."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
    from defusedxml.ElementTree import parse  # type: ignore[import-untyped]

    try:
        root: Element | None = parse(file).getroot()
    except (ParseError, DefusedXmlException, OSError) as error:
        return f"cannot be read ({error})"
    return root if root is not None and root.tag == "annotation" else "is no Pascal VOC annotation"


def _picture(file: Path, root: Element, pictures: dict[str, list[Path]]) -> Path | None:
    name = Path(_word(root, "filename").replace("\\", "/")).name
    for stem in dict.fromkeys((Path(name).stem, file.stem)):
        found = pictures.get(stem, [])
        exact = [path for path in found if path.name == name] or found
        beside = [path for path in exact if path.parent == file.parent] or exact
        if len(beside) == 1:
            return beside[0]
    return None


def _labelled(picture: Path, where: str, root: Element, chosen: set[str], source: Path) -> Iterator[Item]:
    things = list(root.iter("object"))
    try:
        marks = tuple(_mark(thing) for thing in things if _word(thing, "name") in chosen)
        size = (int(float(_word(root, "size/width") or 0)), int(float(_word(root, "size/height") or 0)))
    except ValueError as error:
        yield Skipped(where, "picture", f"a box cannot be read ({error}); a picture with a plate missing would teach the wrong thing")
        return
    if len(marks) < len(things):
        yield Skipped(where, "object", f"{len(things) - len(marks)} of other classes")
    below = picture.relative_to(source)
    yield Found(picture, where, marks, size=size if all(size) else None, split=split_in(below), nearby=group_in(below, source))


def _mark(thing: Element) -> Mark:
    edges = [float(_word(thing, f"bndbox/{edge}")) for edge in ("xmin", "ymin", "xmax", "ymax")]
    text = next((word for word in (_word(thing, tag) for tag in _TEXT) if word), "")
    for attribute in thing.iter("attribute"):
        text = text or (_word(attribute, "value") if _word(attribute, "name").lower() in _TEXT else "")
    return Mark((edges[0], edges[1], edges[2], edges[3]), text=text or None)


def _word(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
