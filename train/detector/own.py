"""A user's own labelled pictures, in a folder or described by a data.yaml, as a data set that training takes."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from streamer.errors import SourceError, UsageError
from train.collect.found import PICTURES, group_in, pictures_in, split_in
from train.collect.labels import Problem, as_names, keypoints, labels_of, nameless, read_labels, read_names
from train.collect.yolo import left_over
from train.manifest import Split
from train.prepare.boxes import Labelled
from train.split import assign, count

_SHOWN = 20
"""Problems that are printed; who has more has made the same mistake again."""
_KNOWN = PICTURES - {".bin"}
"""What ultralytics opens."""


@dataclass(frozen=True, slots=True)
class OwnPicture:
    """A picture and its labels."""

    path: Path
    name: str
    """Different for each."""
    labels: tuple[Labelled, ...]
    """Boxes in shares of the picture."""
    split: Split | None
    group: str


@dataclass(slots=True)
class Own:
    """What was found."""

    pictures: list[OwnPicture] = field(default_factory=list)
    names: tuple[str, ...] = ()
    remarks: list[str] = field(default_factory=list)
    """For people."""


def read_folder(folder: Path) -> Own:
    """Read pictures with YOLO labels, in images/ and labels/ or side by side.

    Sub-folders named train, val and test say the split, any other sub-folder holds pictures that belong together (of one
    vehicle, one clip). Raises UsageError naming file and line of labels that are wrong.
    """
    root = folder / "images" if (folder / "images").is_dir() else folder
    pictures = pictures_in(root)
    own, left_out = _read([(path, split_in(path.relative_to(folder))) for path in pictures], root, folder)
    _add_left_over(left_out, {folder}, pictures, folder)
    own.remarks += _told(left_out)
    if not pictures:
        raise UsageError("; ".join((f"{folder}: has no pictures ({', '.join(sorted(_KNOWN))})", *own.remarks)))
    if not own.pictures:
        raise UsageError(f"{folder}: none of its {len(pictures)} pictures can be used: {'; '.join(own.remarks)}")
    own.names = _names(folder, own)
    return own


def read_description(description: Path) -> tuple[Own, bool]:
    """Read a data.yaml, and whether it has both train and val. Raises UsageError naming file and line of what is wrong."""
    try:
        data: Any = yaml.safe_load(description.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{description}: cannot be read ({error})") from error
    if not isinstance(data, dict) or not data.get("train") or not data.get("names"):
        raise UsageError(f"{description}: is no YOLO data.yaml; it needs train and names")
    root = description.parent / str(data.get("path") or ".")
    parts: tuple[Split, ...] = ("train", "val") if data.get("val") else ("train",)
    listed = [(path, split if "val" in parts else None) for split in parts for path in _listed(root, data[split], description)]
    points = keypoints(data, str(description))
    if points and "val" not in parts:
        raise UsageError(f"{description}: has keypoints and no val; plate-train prepare --corners writes both")
    own, left_out = _read(listed, root, description.parent, points)
    folders = {path for split in parts for path in _paths(root, data[split]) if path.is_dir()}
    _add_left_over(left_out, folders, [picture for picture, _ in listed], description.parent)
    own.remarks += _told(left_out)
    own.names = as_names(data["names"], str(description))
    _demand_known(own, str(description))
    return own, "val" in parts


def link(own: Own, out: Path, share: float, seed: int) -> Path:
    """Lay out a data set below ``out`` (pictures as links where the system allows it) and give its data.yaml.

    Raises UsageError if there are not two pictures that can be told apart.
    """
    splits, remarks = assign(own.pictures, share, seed)
    if "val" not in splits and len(own.pictures) > 1:
        own.remarks.append("all pictures are of one group; they are split one by one, so that the figures will be too good")
        splits, remarks = assign([_Alone(picture.name) for picture in own.pictures], share, seed)
    own.remarks += remarks
    if "val" not in splits or "train" not in splits:
        raise UsageError("one picture is not enough: at least one is needed to train on and another one to validate on")
    for picture, split in zip(own.pictures, splits, strict=True):
        for kind in ("images", "labels"):
            (out / kind / split).mkdir(parents=True, exist_ok=True)
        _link(picture.path, out / "images" / split / f"{picture.name}{picture.path.suffix.lower()}")
        lines = "".join(label.line(1, 1) + "\n" for label in picture.labels)
        (out / "labels" / split / f"{picture.name}.txt").write_text(lines, "utf-8")
    own.remarks.append(", ".join(f"{number} pictures to {split}" for split, number in count(splits).items()))
    description = out / "data.yaml"
    content = {"train": "images/train", "val": "images/val", "names": dict(enumerate(own.names))}
    description.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    return description


@dataclass(frozen=True, slots=True)
class _Alone:
    group: str
    split: Split | None = None


_LeftOut = dict[str, list[str]]
"""Why, and which files."""


def _read(
    listed: Sequence[tuple[Path, Split | None]], root: Path, source: Path, points: tuple[int, int] | None = None
) -> tuple[Own, _LeftOut]:
    from streamer.stills import load_picture

    own, problems, left_out = Own(), list[Problem](), _LeftOut()
    for path, split in listed:
        relative = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
        labels = labels_of(path)
        if path.suffix.lower() not in _KNOWN:
            left_out.setdefault("of a kind that training does not open; save it as JPEG or PNG", []).append(relative.as_posix())
            continue
        if labels is None:
            left_out.setdefault("no label file; an empty one says that there is no plate", []).append(relative.as_posix())
            continue
        rows, wrong = read_labels(labels, points)
        problems += wrong
        try:
            load_picture(path)
        except SourceError as error:
            left_out.setdefault(str(error).removeprefix(f"{path}: "), []).append(relative.as_posix())
            continue
        group = group_in(relative, source) or hashlib.sha256(path.read_bytes()).hexdigest()
        boxes = tuple(Labelled(row.number, row.clipped()) for row in rows)
        own.pictures.append(OwnPicture(path, "_".join((*relative.parts[:-1], relative.stem)), boxes, split, group))
    _demand_none(problems)
    return _told_apart(own), left_out


def _add_left_over(left_out: _LeftOut, folders: set[Path], pictures: Sequence[Path], root: Path) -> None:
    labels = {file for picture in pictures if (file := labels_of(picture))}
    for row in left_over(folders, set(pictures), labels, root):
        left_out.setdefault(row.reason, []).append(row.where)


def _told(left_out: _LeftOut) -> list[str]:
    """Say what was left out and why: a line for each reason, with the first names."""
    lines = []
    for reason, names in sorted(left_out.items(), key=lambda entry: -len(entry[1])):
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        lines.append(f"{len(names)} files left out: {reason}: {', '.join(names[:_SHOWN])}{more}")
    return lines


def _told_apart(own: Own) -> Own:
    seen: Counter[str] = Counter()
    named = []
    for picture in own.pictures:
        seen[picture.name] += 1
        again = seen[picture.name]
        name = picture.name if again == 1 else f"{picture.name}~{again}"
        named.append(OwnPicture(picture.path, name, picture.labels, picture.split, picture.group))
    own.pictures = named
    return own


def _demand_none(problems: Sequence[Problem]) -> None:
    if problems:
        told = [str(problem) for problem in problems[:_SHOWN]]
        if len(problems) > _SHOWN:
            told.append(f"and {len(problems) - _SHOWN} more")
        raise UsageError("labels are wrong; correct these lines:\n" + "\n".join(told))


def _names(folder: Path, own: Own) -> tuple[str, ...]:
    """Tell the classes of a folder: from a file of names, or one class, ``plate``. A single class that is used becomes the only one."""
    used = sorted({label.number for picture in own.pictures for label in picture.labels})
    if not used:
        raise UsageError(f"{folder}: no picture has a label; there is nothing to learn")
    names = read_names(folder)
    if len(used) == 1:
        # Labelling programs number on from example classes: the one class of plates may be number 15.
        own.pictures = [
            OwnPicture(p.path, p.name, tuple(Labelled(0, label.box) for label in p.labels), p.split, p.group) for p in own.pictures
        ]
        return (names[used[0]] if used[0] < len(names) else "plate",)
    if not names:
        raise nameless(str(folder), used)
    own.names = names
    _demand_known(own, f"{folder}: its list of classes")
    return own.names


def _demand_known(own: Own, where: str) -> None:
    for picture in own.pictures:
        for label in picture.labels:
            if label.number >= len(own.names):
                raise UsageError(f"{where}: has {len(own.names)} names, but the labels of {picture.path} have class {label.number}")


def _paths(root: Path, places: Any) -> list[Path]:
    return [root / str(place) for place in (places if isinstance(places, list) else [places])]


def _listed(root: Path, places: Any, description: Path) -> list[Path]:
    pictures: list[Path] = []
    for path in _paths(root, places):
        if path.is_dir():
            pictures += pictures_in(path)
        elif path.is_file():
            lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
            pictures += [path.parent / line for line in lines if line]
        else:
            raise UsageError(f"{description}: names {path}, which is not there; correct path, train or val")
    return pictures


def _link(picture: Path, place: Path) -> None:
    try:
        place.symlink_to(picture.resolve())
    except OSError:  # not every system lets everybody make links
        shutil.copyfile(picture, place)
