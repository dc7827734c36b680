"""The gate: what a candidate may lose; and the command with a scripted installer."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import UsageError
from streamer.weights import resolve
from train import promote
from train.evaluate.figures import Part, Rate, Slice
from train.evaluate.reads import Read, measure
from train.evaluate.rendered import COUNT, render
from train.evaluate.run import Side
from train.evaluate.turned import WAYS
from train.export.install import READER
from train.promote import HARD, Request, Verdict, verdict

DATA = Path(__file__).resolve().parent / "data"


def part(**slices: int) -> dict[str, Part]:
    """Reader with so many right of 100 on each slice."""
    return {"reader": Part({name.replace("_", "-"): Slice({"folded": Rate(hits, 100)}) for name, hits in slices.items()})}


def judge(before: dict[str, Part], after: dict[str, Part], **how: Any) -> Verdict:
    """Judge where no slice is demanded."""
    return verdict(before, after, **{"own": ("reader",), "allowed": HARD} | how)


def test_a_candidate_that_loses_nowhere_passes() -> None:
    judged = judge(part(all=90, two_line=80, night=70), part(all=95, two_line=80, night=69), margin=1.0)
    assert judged.passes
    assert [(check.slice, round(check.change)) for check in judged.checks] == [("all", 5), ("two-line", 0), ("night", -1)]


@pytest.mark.parametrize("slice_name", ["all", "two_line", "night", "small", "slanted"])
def test_a_loss_on_one_slice_is_refused_with_its_reason(slice_name: str) -> None:
    before = {"all": 90, "two_line": 80, "night": 80, "small": 80, "slanted": 80}
    after = dict.fromkeys(before, 95) | {slice_name: before[slice_name] - 2}
    judged = judge(part(**before), part(**after), margin=1.0)
    assert not judged.passes
    (reason,) = judged.reasons
    assert f"reader, {slice_name.replace('_', '-')}: folded falls by 2.0 points" in reason
    assert judge(part(**before), part(**after), margin=2.0).passes


def test_other_slices_do_not_decide_and_few_plates_neither() -> None:
    before, after = part(all=90, day=90, night=90), part(all=90, day=10, night=90)
    before["reader"].slices["night"].rates["folded"] = Rate(19, 19)
    after["reader"].slices["night"].rates["folded"] = Rate(0, 19)
    judged = judge(before, after, min_count=20)
    assert judged.passes
    assert not next(check for check in judged.checks if check.slice == "night").decides


def test_too_few_plates_over_all_and_other_data_are_refused() -> None:
    assert "too few to judge" in judge(part(all=90), part(all=95), min_count=200).reasons[0]
    after = part(all=95)
    after["reader"].slices["all"].rates["folded"] = Rate(80, 80)
    assert "same data" in judge(part(all=90), after).reasons[0]


def test_a_hard_slice_must_be_judged_in_one_part_or_be_allowed_to_miss() -> None:
    before = part(all=90, two_line=90, small=90) | {"rendered": part(all=90, slanted=90)["reader"]}
    judged = judge(before, before, own=("reader", "rendered"), allowed=())
    assert judged.reasons == ("night: 0 plates, fewer than 20; add data that has them with --on, or do without: --allow-missing night",)
    judged = judge(before, before, own=("reader",), allowed=("night", "slanted"))
    assert judged.passes
    assert [(lack.slice, lack.allowed) for lack in judged.lacks] == [("night", True), ("slanted", True)]


def test_many_looks_at_a_plate_are_one_plate() -> None:
    before = {"turned": part(all=90, night=90)["reader"]}
    judged = judge(before, before, own=("turned",), allowed=("two-line", "small", "slanted"))
    assert {check.plates for check in judged.checks} == {100 // len(WAYS)}
    assert "too few to judge" in judged.reasons[0]
    assert f"night: {100 // len(WAYS)} plates, fewer than 20" in judged.reasons[1]


def test_rendered_plates_have_all_hard_slices_and_are_the_same_each_time() -> None:
    crops = render(120)
    read = measure([Read(c.sample, c.truth, None, (c.truth.box.width, c.truth.box.height), float(c.image.mean())) for c in crops], 1.0)  # type: ignore[union-attr]
    counts = {name: read.slices[name].rates["folded"].total for name in HARD}
    assert min(counts.values()) * COUNT >= 100 * len(crops), f"a tenth of {COUNT} has a tenth of 100 of each: {counts}"
    assert (render(1)[0].image == crops[0].image).all()


def test_a_detector_may_not_get_noisier_over_all() -> None:
    before, after = ({"detector": Part({"all": Slice({"recall_50": Rate(90, 100), "precision_50": Rate(p, 100)})})} for p in (90, 80))
    assert "precision_50 falls by 10.0" in judge(before, after).reasons[0]


def test_the_current_weights_may_replace_themselves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    installed: list[tuple[Path, str, dict[str, Any]]] = []
    candidate = resolve("plate-reader", prefer="onnx")
    file = tmp_path / "crops.csv"
    file.write_text(f"file,text\n{DATA}/crops/fa_00059.png,MB146\n{DATA}/crops/fa_00071.png,RIZ464\n")
    request = Request(candidate, "plate-reader", (file,), split=None, min_count=2, rendered=25)

    def install(*given: Any) -> list[str]:
        installed.append(given)
        return ["a line for the card"]

    assert promote.command(request, None, install=install) == 0
    assert "a line for the card" in capsys.readouterr().out
    ((given, name, measured),) = installed
    assert (given, name) == (candidate, "plate-reader")
    assert measured["reader"]["folded"] == 100.0
    assert measured["reader"]["plates"] == 2
    assert set(measured["rendered"]["slices"]) == set(HARD)
    assert measured["turned"]["plates"] == 2 * len(WAYS)
    assert measured["command"].startswith("plate-train promote plate-reader --model plate-reader --on crops.csv --split all ")
    assert str(tmp_path) not in json.dumps(measured)


@pytest.mark.parametrize(("after", "dry_run", "code", "calls"), [(95, False, 0, 1), (95, True, 0, 0), (80, False, 1, 0)])
def test_only_what_passes_is_installed(
    after: int, dry_run: bool, code: int, calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def scripted(sides: Sequence[Side], *rest: object) -> dict[str, Any]:
        sides[0].parts, sides[1].parts = part(all=90), part(all=after)
        return {}

    monkeypatch.setattr("train.evaluate.command.evaluate", scripted)
    installed: list[tuple[Any, ...]] = []
    for file in READER:
        (tmp_path / file).write_text(file)
    request = Request(tmp_path, "plate-reader", (), split=None, rendered=0, allow_missing=HARD)
    assert promote.command(request, None, dry_run=dry_run, install=lambda *given: installed.append(given)) == code
    assert len(installed) == calls
    assert ("refused: reader, all" in capsys.readouterr().out) == (code == 1)


def test_a_detector_is_put_in_place_with_its_int8_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
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
    request = Request(candidate, "plate-detector", (data,), split=None, min_count=1, int8=int8, allow_missing=HARD)
    (tmp_path / "run" / "card.md").write_text("forms")
    assert promote.command(request, None) == 0
    told = capsys.readouterr().out
    assert f"agreement and speed of its forms: {tmp_path}/run/card.md" in told.replace("\n", "")
    assert "missing, allowed" in told
    files = {file.name for file in (tmp_path / "weights" / "plate-detector").iterdir()}
    assert files == {"plate-detector.pt", "plate-detector-int8.xml", "plate-detector-int8.bin"}
    manifest = json.loads((tmp_path / "weights" / "manifest.json").read_text())
    assert manifest["models"]["plate-detector"]["measured"]["detector"]["recall_50"] == 100.0
    assert manifest["models"]["plate-detector"]["formats"]["openvino-int8"] == "plate-detector/plate-detector-int8.xml"


def _boxes(photo: Path) -> str:
    with (DATA / "truth.csv").open(encoding="utf-8") as stream:
        return next(row["boxes"] for row in csv.DictReader(stream) if row["file"] == f"photos/{photo.name}")


def test_what_cannot_be_promoted_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="plate-detector, plate-reader, plate-layout"):
        promote.command(Request(tmp_path, "plate-lines", ()), None)
    with pytest.raises(UsageError, match=r"--int8 .* with its \.bin beside it"):
        promote.command(Request(tmp_path, "plate-detector", (), int8=tmp_path / "gone.xml"), None)
    with pytest.raises(UsageError, match="no such file"):
        promote.command(Request(tmp_path / "gone", "plate-reader", ()), None)
    with pytest.raises(UsageError, match="--allow-missing dusk: must be of two-line, night"):
        promote.command(Request(tmp_path, "plate-reader", (), allow_missing=("dusk",)), None)


def test_what_could_not_ship_is_refused_before_it_is_measured(tmp_path: Path) -> None:
    (tmp_path / "inference.onnx").write_bytes(b"")
    (tmp_path / "inference.yml").write_bytes(b"")
    with pytest.raises(UsageError, match=r"lacks inference.json, .*plate-train export .* --calibrate DATA --out export"):
        promote.command(Request(tmp_path, "plate-reader", ()), None, dry_run=True)


def test_a_layout_network_is_judged_through_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    def scripted(sides: Sequence[Side], *rest: Any) -> dict[str, Any]:
        seen.extend((side.label, str(side.config.reader.layout_weights)) for side in sides)
        assert "reader" in rest[4]
        sides[0].parts = sides[1].parts = part(all=90)
        return {}

    monkeypatch.setattr("train.evaluate.command.evaluate", scripted)
    candidate = shutil.copy(resolve("plate-layout", prefer="onnx"), tmp_path / "new.onnx")
    request = Request(candidate, "plate-layout", (), split=None, rendered=0, allow_missing=HARD)
    assert promote.command(request, None, dry_run=True) == 0
    assert seen == [("current", "plate-layout"), ("candidate", str(candidate))]
    (tmp_path / "gap.yaml").write_text("reader: {lines: gap}\n")
    with pytest.raises(UsageError, match="no layout network is used"):
        promote.command(replace(request, candidate_config=tmp_path / "gap.yaml"), None)
