"""The weights directory: what its manifest lists, what was derived there, hashes, atomic writes."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from streamer.errors import WeightsError

DERIVED = "derived/derived.json"
_BLOCK = 1 << 20

FileState = Literal["ok", "missing", "damaged"]


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A file that a public Python package carries."""

    target: str
    """Where it goes, relative to the weights directory."""
    package: str
    version: str
    member: str
    """Path inside the wheel."""
    sha256: str
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class ShippedFile:
    """A file that the project itself carries."""

    target: str
    sha256: str
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Files that are made on this machine from shipped or packaged ones."""

    name: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """``manifest.json`` of a weights directory, as far as the program needs it."""

    models: Mapping[str, Mapping[str, str]]
    """Name to format (``torch``, ``onnx``, ``openvino``, ``openvino-int8``, ``paddle``) to file or folder, relative to the
    directory."""
    files: tuple[PackagedFile, ...]
    recipes: tuple[Recipe, ...]
    shipped: tuple[ShippedFile, ...] = ()
    starters: frozenset[str] = frozenset()
    """Names that nothing needs but training and comparison: what others published, to start from."""

    @property
    def hashes(self) -> dict[str, str]:
        """Shipped or packaged file to its sha256."""
        return {f.target: f.sha256 for f in self.shipped} | {f.target: f.sha256 for f in self.files}

    def needed(self, *, starters: bool) -> frozenset[str]:
        """Give the files of all models, or of all but the starters; with what they are made from, and licences of packages."""
        wanted = [formats for name, formats in self.models.items() if starters or name not in self.starters]
        roots = [path for formats in wanted for path in formats.values()]
        needed = {t for t in (*self.hashes, *self._made) if any(_belongs(t, root) for root in roots)}
        recipes = [recipe for recipe in self.recipes if needed & {*recipe.targets}]
        needed.update(t for recipe in recipes for t in (*recipe.sources, *recipe.targets))
        packages = {f.package for f in self.files if f.target in needed}
        return frozenset(needed | {f.target for f in self.files if f.package in packages and f.target.startswith("licences/")})

    @property
    def _made(self) -> list[str]:
        return [target for recipe in self.recipes for target in recipe.targets]


@dataclass(frozen=True, slots=True)
class Derived:
    """What ``derived.json`` says of one made file."""

    sha256: str
    sources: Mapping[str, str]
    """Source file to its sha256 at the time."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package to version of what made it."""


def read_manifest(directory: Path) -> Manifest:
    """Read ``manifest.json``. Raises WeightsError if it is missing or cannot be understood."""
    path = directory / "manifest.json"
    raw = _read_json(path)
    try:
        versions = {name: str(package["version"]) for name, package in raw["packages"].items()}
        files = tuple(
            PackagedFile(
                target=_inside(f["target"]),
                package=f["package"],
                version=versions[f["package"]],
                member=f["member"],
                sha256=f["sha256"],
                size=int(f["size"]),
            )
            for f in raw["files"]
        )
        recipes = tuple(Recipe(r["recipe"], tuple(r["from"]), tuple(_inside(target) for target in r["targets"])) for r in raw["derived"])
        shipped = tuple(ShippedFile(_inside(f["target"]), f["sha256"], int(f["size"])) for f in raw.get("shipped", ()))
        starters = frozenset(name for name, model in raw["models"].items() if model.get("starter", False))
        models = {name: {kind: _inside(p) for kind, p in model["formats"].items()} for name, model in raw["models"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path}: not a weights manifest ({type(error).__name__}: {error}); restore it from the project") from error
    return Manifest(models, files, recipes, shipped, starters)


def read_derived(directory: Path) -> dict[str, Derived]:
    """Read ``derived/derived.json``; empty if nothing was derived yet. Raises WeightsError if it is damaged."""
    path = directory / DERIVED
    if not path.exists():
        return {}
    try:
        return {target: Derived(d["sha256"], dict(d["from"]), dict(d["versions"])) for target, d in _read_json(path).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"{path}: damaged ({type(error).__name__}: {error}); delete it and run `plate-streamer weights fetch`"
        ) from error


def write_derived(directory: Path, derived: Mapping[str, Derived]) -> None:
    """Replace ``derived/derived.json``."""
    content = {t: {"sha256": d.sha256, "from": dict(d.sources), "versions": dict(d.versions)} for t, d in sorted(derived.items())}
    write_atomically(directory / DERIVED, (json.dumps(content, indent=1) + "\n").encode())


def file_sha256(path: Path) -> str:
    """Give the sha256 of a file's bytes, lower-case hex; remembered until the file's size or time of change differs."""
    stat = path.stat()
    return _hash(path.absolute(), stat.st_size, stat.st_mtime_ns)


def state_of(path: Path, sha256: str) -> FileState:
    """Say whether a file is there and is what it should be."""
    if not path.is_file():
        return "missing"
    return "ok" if file_sha256(path) == sha256 else "damaged"


def fresh(recipe: Recipe, directory: Path, manifest: Manifest, derived: Mapping[str, Derived]) -> bool:
    """Say whether all files of a recipe are there, undamaged, and made from the sources that the manifest names."""
    known = manifest.hashes
    sources = {source: known[source] for source in recipe.sources}
    return all(
        target in derived and dict(derived[target].sources) == sources and state_of(directory / target, derived[target].sha256) == "ok"
        for target in recipe.targets
    )


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is either the old one or the whole new one; makes its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def members_of(path: Path) -> Sequence[Path]:
    """Give the files that make up a model: itself, an IR's ``.bin`` beside its ``.xml``, or the files of its folder."""
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    if path.suffix == ".xml":
        return [path, path.with_suffix(".bin")]
    return [path]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: missing; set PLATE_STREAMER_WEIGHTS to the project's weights directory") from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read ({error}); restore it from the project") from error


def _belongs(target: str, path: str) -> bool:
    """Say whether a file is the model ``path``, lies in it, or is the ``.bin`` of its ``.xml``."""
    return target == path or target.startswith(f"{path}/") or (path.endswith(".xml") and target == f"{path[:-4]}.bin")


def _inside(target: str) -> str:
    """Refuse paths that leave the weights directory; links in it may lead where their maker wants."""
    path = PurePosixPath(target)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{target!r} lies outside the weights directory")
    return target


@functools.lru_cache(maxsize=256)
def _hash(path: Path, size: int, mtime_ns: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
