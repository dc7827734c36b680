"""YOLO data sets: data.yaml, or a folder with images/ and labels/; boxes, oriented boxes, polygons and poses of four points.

supervision's reader gives the same boxes (a test compares them), but it stops at the first broken line, takes a missing label
file for an empty one and drops key points, so that it cannot say what was left out and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.errors import UsageError
from train.collect.found import Found, Item, Mark, Options, Skipped, group_in, pictures_in, plate_classes, split_in, split_of, unread_in
from train.collect.labels import Label, Problem, as_names, keypoints, label_file, labels_of, nameless, read_labels, read_names, unclaimed
from train.manifest import Split

_HOW = "a picture with a plate missing would teach the wrong thing"
_SPLITS = ("train", "val", "valid", "test")
Read = tuple[list[Label], list[Problem]]


@dataclass(frozen=True, slots=True)
class _Listed:
    picture: Path
    split: Split | None
    group: str


def read_yolo(source: Path, options: Options) -> Iterator[Item]:
    """Read a data set. ``source``: a data.yaml or its folder. Raises UsageError."""
    description = source if source.is_file() else source / "data.yaml"
    data = _load(description) if description.is_file() else {}
    root = description.parent
    places = list(_places(root, data, description))
    listed = [one for place, split in places for one in _pictures(place, split, root)]
    shape = keypoints(data, str(description))
    files = {one.picture: labels_of(one.picture) for one in listed}
    read = {file: read_labels(file, shape) for file in files.values() if file}
    names = as_names(data.get("names"), str(description)) or read_names(root)
    chosen = _plates(names, read, options, str(description if data else root))
    for one in listed:
        file = files[one.picture]
        if file is not None:
            yield from _labelled(one, _name(file, root), read[file], names, chosen)
        elif options.backgrounds:
            yield Found(one.picture, str(one.picture), split=one.split, nearby=one.group)
        else:
            where, missing = _name(one.picture, root), _name(label_file(one.picture), root)
            yield Skipped(where, "picture", f"has no label file {missing}; --backgrounds takes such pictures for empty ones")
    folders = {place for place, _ in places if place.is_dir()} if any(map(data.get, _SPLITS)) else {root}
    yield from left_over(folders, set(files), set(read), root)


def left_over(folders: set[Path], pictures: set[Path], labels: set[Path], root: Path) -> Iterator[Skipped]:
    """List what lies there and is not used: other pictures, files that are not read, labels without a picture."""
    found: list[Skipped] = []
    for folder in sorted(folders):
        for picture in pictures_in(folder):
            if picture not in pictures:
                found.append(Skipped(_name(picture, root), "picture", "lies outside the images/ that were read"))
        for file, reason in unread_in(folder):
            found.append(Skipped(_name(file, root), "picture", reason))
        for place in (folder, label_file(folder / "x").parent):
            for file in unclaimed(place, labels):
                found.append(Skipped(_name(file, root), "picture", "labels a picture that is not there, or is not read"))
    yield from dict.fromkeys(found)  # folders may lie in one another


def _plates(names: tuple[str, ...], read: Mapping[Path, Read], options: Options, where: str) -> set[int]:
    """Give the numbers of the classes that are plates. Raises UsageError if that cannot be told."""
    if names:
        return plate_classes(names, options.classes, where)
    used = sorted({label.number for labels, _ in read.values() for label in labels})
    if options.classes:  # nameless ones go by their numbers
        return {used[place] for place in plate_classes([str(number) for number in used], options.classes, where)}
    if len(used) > 1:
        raise nameless(where, used, ", that of plates with the word plate in it; or give the number of plates: --class")
    return set(used)


def _labelled(one: _Listed, where: str, read: Read, names: tuple[str, ...], chosen: set[int]) -> Iterator[Item]:
    labels, problems = read
    wrong = [(problem.line, problem.why) for problem in problems]
    if names:
        wrong += [(label.line, f"class {label.number} has no name") for label in labels if label.number >= len(names)]
    if wrong:
        line, why = min(wrong)
        more = f" ({len(wrong)} lines are wrong)" if len(wrong) > 1 else ""
        yield Skipped(f"{where}:{line}", "picture", f"{why}{more}; {_HOW}")
        return
    kept = tuple(Mark(label.box, label.corners) for label in labels if label.number in chosen)
    if len(kept) < len(labels):
        yield Skipped(where, "object", f"{len(labels) - len(kept)} of other classes")
    yield Found(one.picture, where, kept, "shares", split=one.split, nearby=one.group)


def _load(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    if not isinstance(data, dict):
        raise UsageError(f"{path}: is no description of a data set; it needs names, train and val")
    return data


def _places(root: Path, data: Mapping[str, Any], description: Path) -> Iterator[tuple[Path, Split | None]]:
    """Give the folders and lists of pictures of a data set, with the split that each says. Raises UsageError."""
    splits = {name: data[name] for name in _SPLITS if data.get(name)}
    if not splits:
        yield (root / "images" if (root / "images").is_dir() else root), None
    for name, places in splits.items():
        for place in places if isinstance(places, list) else [places]:
            yield _place(root, str(data.get("path") or "."), place, description), split_of(name)


def _pictures(place: Path, split: Split | None, root: Path) -> Iterator[_Listed]:
    """Give the pictures of a place. Where the description says no split, their sub-folders do."""
    for picture in _listed(place):
        below = picture.relative_to(root) if picture.is_relative_to(root) else Path(picture.name)
        yield _Listed(picture, split or split_in(below), group_in(below, root))


def _place(root: Path, base: str, place: str, description: Path) -> Path:
    """Find what data.yaml names: paths that were written on another machine are looked for beside the file."""
    for path in (root / base / place, root / place, root / place.removeprefix("../")):
        if path.exists():
            return path
    raise UsageError(f"{description}: names {place}, which is not there; correct path, train, val or test")


def _listed(place: Path) -> list[Path]:
    if place.is_dir():
        return pictures_in(place)
    lines = place.read_text("utf-8").splitlines()
    return [place.parent / line.strip() for line in lines if line.strip()]


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
