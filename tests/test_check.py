"""plate-train check: each kind of mistake is found, what is in order is left alone, and the report is safe to open."""

from __future__ import annotations

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from streamer.errors import UsageError
from streamer.stills import load_picture
from train.check import Finding, examine
from train.check.command import run_check
from train.check.examine import load
from train.cli import app
from train.manifest import Picture, Plate, write_manifest

BOX = (80.0, 100.0, 160.0, 120.0)
QUIET = {"no country format"}


class Builder:
    """A data set that grows in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[Picture] = []

    def image(self, seed: int, size: tuple[int, int] = (320, 200)) -> np.ndarray:
        noise = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), np.uint8)
        return cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)

    def add(self, name: str, image: np.ndarray | int, *plates: Plate, **fields: Any) -> Picture:
        """Write a picture (or the noise of a seed) and its row."""
        pixels = self.image(image) if isinstance(image, int) else image
        path = self.folder / name
        cv2.imwrite(str(path), pixels)
        height, width = pixels.shape[:2]
        usual: dict[str, Any] = {"licence": "MIT", "split": "train", "source": "me", "region": "GB"}
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        row = Picture(name, digest, **{"width": width, "height": height, **usual, **fields}, plates=plates)
        self.rows.append(row)
        return row

    def found(self) -> dict[str, list[Finding]]:
        """Check it; give the findings by kind."""
        manifest = self.folder / "manifest.jsonl"
        write_manifest(manifest, self.rows)
        kinds: dict[str, list[Finding]] = {}
        for finding in examine(load([manifest])).findings:
            kinds.setdefault(finding.kind, []).append(finding)
        return kinds


@pytest.fixture
def make(tmp_path: Path) -> Builder:
    return Builder(tmp_path)


def test_a_data_set_in_order_has_no_findings(make: Builder) -> None:
    for number in range(8):
        split = "val" if number % 4 == 0 else "train"
        make.add(f"{number}.png", number, Plate(BOX, text=f"AB1{number}CDE"), split=split, group=f"car {number}")
    make.add("empty.png", 20)
    make.add("crop.png", make.image(21, (120, 30)), Plate(text="AB12XYZ"), kind="crop")
    assert make.found() == {}


def test_files(make: Builder) -> None:
    make.add("gone.png", 1)
    make.add("text.png", 2)
    make.add("changed.png", 3)
    make.add("resized.png", 4, width=640)
    (make.folder / "gone.png").unlink()
    (make.folder / "text.png").write_text("no picture")
    cv2.imwrite(str(make.folder / "changed.png"), make.image(33))
    found = make.found()
    assert {finding.files[0] for finding in found["unreadable"]} == {"gone.png", "text.png"}
    assert [finding.files for finding in found["changed file"]] == [("changed.png",)]
    assert [finding.files for finding in found["wrong size"]] == [("resized.png",)]
    assert all(finding.level == "error" for many in found.values() for finding in many)


@pytest.mark.parametrize(
    ("box", "kind", "level"),
    [
        ((300, 100, 380, 120), "box outside", "error"),
        ((-30, 100, 50, 120), "box outside", "error"),
        ((80, 100, 80, 120), "empty box", "error"),
        ((160, 100, 80, 120), "empty box", "error"),
        ((float("nan"), 100, 160, 120), "empty box", "error"),
        ((80, 100, 88, 104), "tiny box", "warning"),
        ((10, 100, 310, 110), "absurd aspect", "warning"),
        ((80, 20, 100, 180), "absurd aspect", "warning"),
        ((5, 5, 315, 195), "huge box", "warning"),
        ((-1, 100, 79, 120), None, None),  # rounding
        ((80, 90, 120, 120), None, None),  # two lines
    ],
)
def test_boxes(make: Builder, box: tuple[float, float, float, float], kind: str | None, level: str | None) -> None:
    make.add("a.png", 1, Plate(box))
    found = {name: many[0].level for name, many in make.found().items()}
    assert found == ({} if kind is None else {kind: level})


def test_two_boxes_on_one_plate_and_corners_that_belong_elsewhere(make: Builder) -> None:
    make.add("a.png", 1, Plate(BOX), Plate((82.0, 101.0, 161.0, 121.0)), Plate((200.0, 20.0, 260.0, 40.0)))
    make.add("b.png", 2, Plate(BOX, corners=((80, 100), (160, 100), (160, 120), (10, 20))))
    found = make.found()
    assert [finding.plate for finding in found.pop("same plate twice")] == [1]
    assert [finding.files for finding in found.pop("corner far from box")] == [("b.png",)]
    assert found == {}


@pytest.mark.parametrize(
    ("text", "region", "kind", "level"),
    [
        ("A", "GB", "impossible text", "error"),
        ("AB12CDE12345X", "GB", "impossible text", "error"),
        ("ab12cde", "GB", "impossible text", "error"),
        ("AB-12", "GB", "impossible text", "error"),
        ("***", "IR", "doubtful text", "warning"),
        ("11111", "GB", "doubtful text", "warning"),
        ("*A12345", "CN", "characters outside the alphabet", "note"),
        ("1234ABCDE", "GB", "no country format", "note"),
        ("AB12CDE", "GB", None, None),
        ("AB12CDE", "world (somewhere)", None, None),
    ],
)
def test_texts(make: Builder, text: str, region: str, kind: str | None, level: str | None) -> None:
    make.add("a.png", 1, Plate(BOX, text=text), region=region)
    found = {name: many[0].level for name, many in make.found().items()}
    assert found == ({} if kind is None else {kind: level})


def test_what_is_worth_knowing_is_a_note(make: Builder) -> None:
    make.add("a.png", 1, Plate(BOX), Plate(text="AB12CDE"), split=None, licence="")
    found = make.found()
    assert {finding.level for many in found.values() for finding in many} == {"note"}
    assert found.keys() == {"no licence", "no split", "not fully labelled"}


def test_the_same_file_twice(make: Builder) -> None:
    for name, split, group in (("a", "train", ""), ("b", "train", ""), ("c", "train", "clip"), ("d", "train", "clip"), ("e", "val", "")):
        seed = {"a": 1, "b": 1, "c": 2, "d": 2, "e": 3}[name]
        make.add(f"{name}.png", seed, Plate(BOX), split=split, group=group)
    make.add("f.png", 3, Plate((10.0, 10.0, 90.0, 30.0)), split="train")
    found = make.found()
    assert [(finding.level, finding.files) for finding in found["same file"]] == [("warning", ("a.png", "b.png"))]
    assert [(finding.level, finding.files) for finding in found["same file in a group"]] == [("warning", ("c.png", "d.png"))]
    leak = found["same file across splits"][0]
    assert (leak.level, leak.files) == ("error", ("e.png", "f.png"))
    assert "their labels differ" in leak.message


def variants(photo: np.ndarray) -> dict[str, np.ndarray]:
    """The same photograph as other people pass it on."""
    height, width = photo.shape[:2]
    _, data = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 25])
    return {
        "compressed": cv2.imdecode(data, cv2.IMREAD_COLOR),
        "small": cv2.resize(photo, (width // 3, height // 3), interpolation=cv2.INTER_AREA),
        "bright": cv2.convertScaleAbs(photo, alpha=1.15, beta=12),
        "grey": cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
        "mirrored": np.ascontiguousarray(photo[:, ::-1]),
    }


@pytest.mark.parametrize("name", ["compressed", "small", "bright", "grey", "mirrored"])
def test_the_same_photograph_is_found_again(make: Builder, data: Path, name: str) -> None:
    photos = sorted((data / "photos").glob("*.webp"))
    for path in photos:
        make.add(f"{path.stem}.png", load_picture(path))
    make.add("again.png", variants(load_picture(photos[3]))[name], split="val")
    found = make.found()
    kind = "mirrored picture across splits" if name == "mirrored" else "same picture across splits"
    assert found.keys() == {kind}
    assert [(finding.level, set(finding.files)) for finding in found[kind]] == [("error", {f"{photos[3].stem}.png", "again.png"})]


def test_crops_of_different_plates_are_not_the_same_picture(make: Builder, data: Path) -> None:
    crop = load_picture(data / "crops" / "fa_00059.png")
    make.add("a.png", crop, Plate(text="MB146"), kind="crop", region="")
    make.add("b.png", cv2.convertScaleAbs(crop, alpha=1.05), Plate(text="MB148"), kind="crop", region="", split="val")
    make.add("c.png", cv2.convertScaleAbs(crop, alpha=0.95), Plate(text="MB146"), kind="crop", region="")
    found = make.found()
    assert {name: [finding.files for finding in many] for name, many in found.items() if name not in QUIET} == {
        "same picture": [("a.png", "c.png")]
    }


def test_flat_pictures_are_alike_without_being_the_same(make: Builder) -> None:
    make.add("a.png", np.full((200, 320, 3), 40, np.uint8))
    make.add("b.png", np.full((200, 320, 3), 41, np.uint8), split="val")
    assert make.found() == {}


def test_leaks_of_groups_and_plates(make: Builder) -> None:
    make.add("a.png", 1, Plate(BOX, text="AB12CDE"), group="clip 7")
    make.add("b.png", 2, Plate(BOX), split="val", group="clip 7")
    make.add("c.png", 3, Plate(BOX, text="AB12CDE"), split="test")
    make.add("d.png", 4, Plate(BOX, text="A1"), split="test")
    make.add("e.png", 5, Plate(BOX, text="A1"))
    make.add("f.png", 6, Plate(BOX, text="*12345"), split="val")
    make.add("g.png", 7, Plate(BOX, text="*12345"))
    found = make.found()
    assert [(finding.level, set(finding.files)) for finding in found["group in several splits"]] == [("error", {"a.png", "b.png"})]
    assert [(finding.level, set(finding.files)) for finding in found["plate in several splits"]] == [
        ("error", {"a.png", "c.png"}), ("warning", {"d.png", "e.png"}),
    ]  # fmt: skip


def test_manifests_are_checked_against_each_other(tmp_path: Path) -> None:
    manifests = []
    for name, split in (("one", "train"), ("two", "val")):
        (tmp_path / name).mkdir()
        builder = Builder(tmp_path / name)
        builder.add("a.png", 1, Plate(BOX, text="AB12CDE"), split=split)
        write_manifest(tmp_path / name / "m.jsonl", builder.rows)
        manifests.append(tmp_path / name / "m.jsonl")
    found = examine(load(manifests)).findings
    assert {(finding.kind, finding.files) for finding in found if finding.level == "error"} == {
        (kind, ("a.png", "../two/a.png")) for kind in ("same file across splits", "plate in several splits")
    }


class Page(HTMLParser):
    """Collects what a page would load, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href") and not (value or "").startswith("#")]


def test_the_report(make: Builder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make.add("a.png", 1, Plate((300, 100, 380, 120), text="<script>alert(1)</script>"), source="<img src=x>", region="'\"><b>")
    make.add("b.png", 2, Plate(BOX, corners=((80, 100), (160, 100), (160, 120), (80, 120)), text="AB12CDE"), split="val")
    make.add("c & <i>.png", 3, Plate((float("inf"), 0, 1, 1)), Plate((5e9, 5e9, 6e9, 5.5e9)))
    make.add("bad.png", 4)
    (make.folder / "bad.png").write_text("no picture")
    write_manifest(make.folder / "m.jsonl", make.rows)
    out = tmp_path / "report"
    for _ in range(2):  # a report may be written over an older one
        assert run_check([make.folder / "m.jsonl"], out) >= 4
    assert "impossible text" in capsys.readouterr().out
    page = Page()
    text = (out / "report.html").read_text("utf-8")
    page.feed(text)
    assert page.tags.isdisjoint({"script", "i", "b", "iframe"})
    assert page.loads
    for place in page.loads:
        assert not re.match(r"\w+:|/", place)
        assert (out / place).is_file()
    assert "&lt;script&gt;" in text
    told = json.loads((out / "findings.json").read_text("utf-8"))
    assert told["pictures"] == 4
    assert told["readable"] == 3
    assert sum(entry["count"] for entry in told["counts"]) == len(told["findings"])
    levels = [finding["level"] for finding in told["findings"]]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    for sheet in (out / "sheets").iterdir():
        assert load_picture(sheet).shape[2] == 3


def test_exit_codes(make: Builder, tmp_path: Path) -> None:
    make.add("a.png", 1, Plate(BOX), licence="")
    manifest = make.folder / "m.jsonl"
    write_manifest(manifest, make.rows)
    assert CliRunner().invoke(app, ["check", str(manifest), "--out", str(tmp_path / "r")]).exit_code == 0
    make.add("b.png", 1, Plate(BOX), split="val")
    write_manifest(manifest, make.rows)
    assert CliRunner().invoke(app, ["check", str(manifest), "--out", str(tmp_path / "r")]).exit_code == 1


def test_bad_usage(make: Builder, tmp_path: Path) -> None:
    make.add("a.png", 1)
    manifest = make.folder / "m.jsonl"
    write_manifest(manifest, make.rows)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    with pytest.raises(UsageError, match="other things"):
        run_check([manifest], tmp_path / "mine")
    assert (tmp_path / "mine" / "diary.txt").exists()
    manifest.write_text("")
    with pytest.raises(UsageError, match="no pictures"):
        run_check([manifest], tmp_path / "r")
