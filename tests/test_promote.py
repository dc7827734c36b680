"""The gate: what a candidate may lose; and the command with a scripted installer."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import UsageError
from streamer.weights import resolve
from train import promote
from train.evaluate.figures import Part, Rate, Slice
from train.evaluate.run import Side
from train.promote import Request, verdict

DATA = Path(__file__).resolve().parent / "data"


def part(**slices: int) -> dict[str, Part]:
    """Reader with so many right of 100 on each slice."""
    return {"reader": Part({name.replace("_", "-"): Slice({"folded": Rate(hits, 100)}) for name, hits in slices.items()})}


def test_a_candidate_that_loses_nowhere_passes() -> None:
    judged = verdict(part(all=90, two_line=80, night=70), part(all=95, two_line=80, night=69), margin=1.0)
    assert judged.passes
    assert [(check.slice, round(check.change)) for check in judged.checks] == [("all", 5), ("two-line", 0), ("night", -1)]


@pytest.mark.parametrize("slice_name", ["all", "two_line", "night", "small", "slanted"])
def test_a_loss_on_one_slice_is_refused_with_its_reason(slice_name: str) -> None:
    before = {"all": 90, "two_line": 80, "night": 80, "small": 80, "slanted": 80}
    after = dict.fromkeys(before, 95) | {slice_name: before[slice_name] - 2}
    judged = verdict(part(**before), part(**after), margin=1.0)
    assert not judged.passes
    (reason,) = judged.reasons
    assert f"reader, {slice_name.replace('_', '-')}: folded falls by 2.0 points" in reason
    assert verdict(part(**before), part(**after), margin=2.0).passes


def test_other_slices_do_not_decide_and_few_plates_neither() -> None:
    before, after = part(all=90, day=90, night=90), part(all=90, day=10, night=90)
    before["reader"].slices["night"].rates["folded"] = Rate(19, 19)
    after["reader"].slices["night"].rates["folded"] = Rate(0, 19)
    judged = verdict(before, after, min_count=20)
    assert judged.passes
    assert not next(check for check in judged.checks if check.slice == "night").decides


def test_too_few_plates_over_all_and_other_data_are_refused() -> None:
    assert "too few to judge" in verdict(part(all=90), part(all=95), min_count=200).reasons[0]
    after = part(all=95)
    after["reader"].slices["all"].rates["folded"] = Rate(80, 80)
    assert "same data" in verdict(part(all=90), after).reasons[0]


def test_a_detector_may_not_get_noisier_over_all() -> None:
    before, after = ({"detector": Part({"all": Slice({"recall_50": Rate(90, 100), "precision_50": Rate(p, 100)})})} for p in (90, 80))
    assert "precision_50 falls by 10.0" in verdict(before, after).reasons[0]


def test_the_current_weights_may_replace_themselves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    installed: list[tuple[Path, str, dict[str, Any]]] = []
    candidate = resolve("plate-reader", prefer="onnx")
    file = tmp_path / "crops.csv"
    file.write_text(f"file,text\n{DATA}/crops/fa_00059.png,MB146\n{DATA}/crops/fa_00071.png,RIZ464\n")
    request = Request(candidate, "plate-reader", (file,), split=None, min_count=2)

    def install(*given: Any) -> list[str]:
        installed.append(given)
        return ["a line for the card"]

    assert promote.command(request, None, install=install) == 0
    assert "a line for the card" in capsys.readouterr().out
    ((given, name, measured),) = installed
    assert (given, name) == (candidate, "plate-reader")
    assert measured["reader"]["folded"] == 100.0


@pytest.mark.parametrize(("after", "dry_run", "code", "calls"), [(95, False, 0, 1), (95, True, 0, 0), (80, False, 1, 0)])
def test_only_what_passes_is_installed(
    after: int, dry_run: bool, code: int, calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def scripted(sides: Sequence[Side], *rest: object) -> dict[str, Any]:
        sides[0].parts, sides[1].parts = part(all=90), part(all=after)
        return {}

    monkeypatch.setattr("train.evaluate.command.evaluate", scripted)
    installed: list[tuple[Any, ...]] = []
    request = Request(tmp_path, "plate-reader", ())
    assert promote.command(request, None, dry_run=dry_run, install=lambda *given: installed.append(given)) == code
    assert len(installed) == calls
    assert ("refused: reader, all" in capsys.readouterr().out) == (code == 1)


def test_a_detector_is_put_in_place_with_its_int8_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way with real parts: the shipped files, from elsewhere, become what ships."""
    shipped = resolve("plate-detector", prefer="torch").parent
    shutil.copytree(shipped.parent, tmp_path / "weights", ignore=shutil.ignore_patterns("starters"))
    shutil.copytree(shipped, tmp_path / "run")
    monkeypatch.setenv("PLATE_STREAMER_WEIGHTS", str(tmp_path / "weights"))
    photos = sorted((DATA / "photos").glob("fa_*.webp"))[:2]
    data = tmp_path / "photos.csv"
    data.write_text("file,boxes,text\n" + "".join(f"{photo},{_boxes(photo)},\n" for photo in photos))
    (tmp_path / "weights" / "plate-detector" / "old.bin").write_bytes(b"of weights before")
    candidate, int8 = tmp_path / "run" / "plate-detector.pt", tmp_path / "run" / "plate-detector-int8.xml"
    request = Request(candidate, "plate-detector", (data,), split=None, min_count=1, int8=int8)
    assert promote.command(request, None) == 0
    files = {file.name for file in (tmp_path / "weights" / "plate-detector").iterdir()}
    assert files == {"plate-detector.pt", "plate-detector-int8.xml", "plate-detector-int8.bin"}
    manifest = json.loads((tmp_path / "weights" / "manifest.json").read_text())
    assert manifest["models"]["plate-detector"]["measured"]["detector"]["recall_50"] == 100.0
    assert manifest["models"]["plate-detector"]["formats"]["openvino-int8"] == "plate-detector/plate-detector-int8.xml"


def _boxes(photo: Path) -> str:
    with (DATA / "truth.csv").open(encoding="utf-8") as stream:
        return next(row["boxes"] for row in csv.DictReader(stream) if row["file"] == f"photos/{photo.name}")


def test_what_cannot_be_promoted_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="plate-detector or plate-reader"):
        promote.command(Request(tmp_path, "plate-lines", ()), None)
    with pytest.raises(UsageError, match=r"--int8 .* with its \.bin beside it"):
        promote.command(Request(tmp_path, "plate-detector", (), int8=tmp_path / "gone.xml"), None)
    with pytest.raises(UsageError, match="no such file"):
        promote.command(Request(tmp_path / "gone", "plate-reader", ()), None)
