"""Vehicles through the real networks, in scenes whose truth is known: one passage for each, at any frame rate."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamer import Frame, Passage, Pipeline, build_pipeline, load_config
from tests.scenes import Drive, Scene, encode

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 5, 1, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return build_pipeline(load_config())


def passages(pipeline: Pipeline, scene: Scene) -> list[Passage]:
    found: list[Passage] = []
    for index, (t, picture) in enumerate(scene.frames()):
        found += pipeline.process([Frame("scene", 0, index, t, t, START + timedelta(seconds=t), "option", picture)])
    return [p for p in [*found, *pipeline.finish("scene")] if p.state == "final"]


def plates(found: Sequence[Passage]) -> list[str]:
    return sorted(str(passage.plate) for passage in found)


TWO = (Drive("fa_00010", 0.2, 3.2, x=0.4, plate_px=150), Drive("oi_00026", 0.4, 3.4, path="cross", y=0.75, plate_px=110))


@pytest.mark.parametrize("fps", [10, 5, pytest.param(30, marks=pytest.mark.slow)])
def test_two_vehicles_at_once_are_two_passages_at_any_frame_rate(pipeline: Pipeline, fps: int) -> None:
    assert plates(passages(pipeline, Scene(TWO, 3.6, fps))) == ["M5CEU", "SV09XHH"]


def test_random_drops_change_nothing(pipeline: Pipeline) -> None:
    assert plates(passages(pipeline, Scene(TWO, 3.6, 15, drop=0.35, seed=2))) == ["M5CEU", "SV09XHH"]


def test_crossing_vehicles_keep_their_plates(pipeline: Pipeline) -> None:
    drives = (
        Drive("oi_00026", 0.2, 3.4, path="cross", y=0.8, plate_px=110),
        Drive("fa_00010", 0.2, 3.4, path="cross_back", y=0.4, plate_px=110),
    )
    found = passages(pipeline, Scene(drives, 3.6, 10))
    assert plates(found) == ["M5CEU", "SV09XHH"]


def test_a_plate_hidden_for_a_second_is_still_one_passage(pipeline: Pipeline) -> None:
    scene = Scene((Drive("oi_00026", 0.0, 6.0, path="cross", y=0.6, plate_px=110),), 6.0, 10, pillar=(0.45, 0.6))
    (passage,) = passages(pipeline, scene)
    assert passage.plate == "M5CEU"
    assert passage.first.t < 2.4
    assert passage.last.t > 4.0


def test_the_same_vehicle_soon_again_is_one_passage_and_much_later_two(pipeline: Pipeline) -> None:
    def twice(gap: float) -> Scene:
        drives = tuple(Drive("oi_00026", begin, begin + 1.6, path="cross", y=0.7, plate_px=110) for begin in (0.0, 1.6 + gap))
        return Scene(drives, 3.4 + gap, 10)

    assert plates(passages(pipeline, twice(3.0))) == ["M5CEU"]
    assert plates(passages(pipeline, twice(12.0))) == ["M5CEU", "M5CEU"]


def test_a_vehicle_that_takes_the_place_of_another_is_not_lost_at_a_low_frame_rate(pipeline: Pipeline) -> None:
    one = Drive("oi_00029", 0.0, 6.9, path="stand", x=0.5, y=0.6, plate_px=120)
    found = passages(pipeline, Scene((one, Drive("fa_00010", 8.0, 14.0, path="stand", x=0.5, y=0.6, plate_px=120)), 14.0, 2))
    assert [(passage.plate, passage.tracks) for passage in found] == [("AA976HX", (1,)), ("SV09XHH", (1,))]
    assert found[0].last.t < 7.0 < found[1].first.t


def test_night_and_noise_are_survived(pipeline: Pipeline) -> None:
    scene = Scene((Drive("fa_00010", 0.0, 2.5, plate_px=150),), 2.6, 10, gain=0.35, noise=6)
    assert plates(passages(pipeline, scene)) == ["SV09XHH"]


def test_a_vehicle_nobody_can_read_is_counted_with_its_reason(pipeline: Pipeline) -> None:
    scene = Scene((Drive("oi_00026", 0.0, 2.0, path="stand", plate_px=14.0), *TWO[1:]), 3.6, 10)
    found = passages(pipeline, scene)
    assert "M5CEU" in plates(found)
    assert all(passage.reason is not None for passage in found if passage.plate is None)


def test_an_encoded_scene_through_the_command_line(tmp_path: Path) -> None:
    video = encode(Scene(TWO, 3.6, 12.5), tmp_path / "2026-05-01_08-00-00.mp4", crf=30)
    command = [sys.executable, "-m", "streamer.cli", "replay", str(video), "--out", str(tmp_path / "out"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(event["plate"] for event in events) == ["M5CEU", "SV09XHH"]
    for event in events:
        assert event["clock"] == "file_name"
        assert event["first"]["time"].startswith("2026-05-01T08:00:0")
