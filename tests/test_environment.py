"""What pip made of the project's dependencies, on the machine that runs the tests."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OPENCV = ("opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless")


def constraints(root: Path) -> dict[str, str]:
    lines = (root / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def requirements(root: Path, extras: tuple[str, ...] = ()) -> list[Requirement]:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"], *(text for extra in extras for text in project["optional-dependencies"][extra])]
    return [Requirement(text) for text in texts]


def test_there_is_exactly_one_opencv() -> None:
    import cv2

    installed = {dist.name: dist.version for dist in metadata.distributions() if dist.name.startswith("opencv")}
    assert set(installed.values()) == {"4.10.0.84"}, installed
    assert "4.10.0.84".startswith(cv2.__version__)


def test_constraints_hold_every_opencv_at_the_version_that_paddlex_pins(root: Path) -> None:
    pinned = constraints(root)
    assert {pinned[name] for name in OPENCV} == {"4.10.0.84"}
    [contrib] = {
        str(one.specifier)
        for one in map(Requirement, metadata.requires("paddlex") or ())
        if one.name == "opencv-contrib-python" and one.marker is not None and one.marker.evaluate({"extra": "ocr-core"})
    }
    assert contrib == "==4.10.0.84"


def test_what_is_installed_is_what_the_constraints_say(root: Path) -> None:
    pinned = constraints(root)
    installed = {canonicalize_name(dist.name): dist.version for dist in metadata.distributions()}
    ours = {canonicalize_name(one.name) for one in requirements(root, ("dev", "tesseract"))}
    assert ours <= set(pinned)
    assert {name: installed[name] for name in ours} == {name: pinned[name] for name in ours}


def test_constraints_lie_in_the_ranges_of_the_project(root: Path) -> None:
    pinned = constraints(root)
    extras = tuple(tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    outside = [str(one) for one in requirements(root, extras) if pinned[canonicalize_name(one.name)] not in one.specifier]
    assert not outside


def test_constraints_are_plain_sorted_pins_from_the_public_index(root: Path) -> None:
    lines = [line for line in (root / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines)
    assert lines == sorted(lines)


def test_nothing_that_is_installed_contradicts_another() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout


def test_the_licence_is_the_whole_agpl(root: Path) -> None:
    import hashlib

    # https://www.gnu.org/licenses/agpl-3.0.txt
    assert hashlib.sha256((root / "LICENSE").read_bytes()).hexdigest() == "0d96a4ff68ad6d4b6f1f30f713b18d5184912ba8dd389f86aa7710db079abcb0"


def test_torch_and_torchvision_fit_together() -> None:
    script = "import torch, torchvision; print(torch.__version__, torchvision.__version__)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    versions = [metadata.version(library) for library in ("torch", "torchvision")]
    assert versions == [version.split("+")[0] for version in done.stdout.split()]
