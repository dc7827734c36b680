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
from train.collect.found import PICTURES, pictures_in, split_in
from train.collect.yolo import label_file
from train.detector.labels import Problem, read_strictly
from train.manifest import Split
from train.prepare.boxes import Labelled
from train.split import assign, count

_SHOWN = 20
"""Problems that are printed; who has more has made the same mistake again."""
_KNOWN = PICTURES - {".bin"}
"""What ultralytics opens."""
_NAME_FILES = ("classes.txt", "obj.names", "labels/classes.txt", "images/classes.txt")


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
    found = [path for path in pictures_in(root) if path.suffix.lower() in _KNOWN]
    if not found:
        raise UsageError(f"{folder}: has no pictures ({', '.join(sorted(_KNOWN))})")
    own = _read([(path, split_in(path.relative_to(folder))) for path in found], root)
    if not own.pictures:
        raise UsageError(f"{folder}: none of its {len(found)} pictures can be used: {'; '.join(own.remarks)}")
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
    names = data["names"]
    root = description.parent / str(data.get("path") or ".")
    parts: tuple[Split, ...] = ("train", "val") if data.get("val") else ("train",)
    listed = [(path, split if "val" in parts else None) for split in parts for path in _listed(root, data[split], description)]
    points = data["kpt_shape"][0] if data.get("kpt_shape") else 0
    if points and "val" not in parts:
        raise UsageError(f"{description}: has keypoints and no val; plate-train prepare --corners writes both")
    own = _read(listed, root, points)
    own.names = tuple(str(name) for name in (names.values() if isinstance(names, dict) else names))
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


def _read(listed: Sequence[tuple[Path, Split | None]], root: Path, points: int = 0) -> Own:
    from streamer.stills import load_picture

    own, problems, left_out = Own(), [], Counter[str]()
    for path, split in listed:
        labels = next((file for file in (label_file(path), path.with_suffix(".txt")) if file.is_file()), None)
        if labels is None:
            left_out["have no label file; an empty one says that there is no plate"] += 1
            continue
        rows, wrong = read_strictly(labels, points)
        problems += wrong
        try:
            load_picture(path)
        except SourceError as error:
            left_out[str(error)] += 1
            continue
        relative = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
        folders = [part for part in relative.parts[:-1] if split_in(Path(part, "x")) is None and part not in ("images", "labels")]
        group = "/".join(folders) or hashlib.sha256(path.read_bytes()).hexdigest()
        own.pictures.append(OwnPicture(path, "_".join((*relative.parts[:-1], relative.stem)), tuple(rows), split, group))
    _demand_none(problems)
    own.remarks += [f"{number} pictures left out: {reason}" for reason, number in left_out.most_common()]
    return _told_apart(own)


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
    file = next((folder / name for name in _NAME_FILES if (folder / name).is_file()), None)
    names = [line.strip() for line in file.read_text("utf-8-sig").splitlines() if line.strip()] if file else []
    if len(used) == 1:
        # Labelling programs number on from example classes: the one class of plates may be number 15.
        own.pictures = [
            OwnPicture(p.path, p.name, tuple(Labelled(0, label.box) for label in p.labels), p.split, p.group) for p in own.pictures
        ]
        return (names[used[0]] if used[0] < len(names) else "plate",)
    if not names:
        raise UsageError(
            f"{folder}: its labels have the classes {', '.join(map(str, used))}; say what they are: classes.txt, a name a line"
        )
    own.names = tuple(names)
    _demand_known(own, str(file))
    return own.names


def _demand_known(own: Own, where: str) -> None:
    for picture in own.pictures:
        for label in picture.labels:
            if label.number >= len(own.names):
                raise UsageError(f"{where}: has {len(own.names)} names, but the labels of {picture.path} have class {label.number}")


def _listed(root: Path, places: Any, description: Path) -> list[Path]:
    pictures: list[Path] = []
    for place in places if isinstance(places, list) else [places]:
        path = root / str(place)
        if path.is_dir():
            pictures += pictures_in(path)
        elif path.is_file():
            lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
            pictures += [path.parent / line for line in lines if line]
        else:
            raise UsageError(f"{description}: names {place}, which is not there ({path}); correct path, train or val")
    return pictures


def _link(picture: Path, place: Path) -> None:
    try:
        place.symlink_to(picture.resolve())
    except OSError:  # not every system lets everybody make links
        shutil.copyfile(picture, place)
