"""The scenes that other tests rely on: the same every time, and true to their own word."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.scenes import Drive, Scene, encode

SCENE = Scene((Drive("fa_00010", 0.2, 1.4), Drive("oi_00026", 0.0, 1.5, path="cross", y=0.7)), seconds=1.6, fps=10, seed=3)


def test_a_scene_is_the_same_every_time_and_another_with_another_seed() -> None:
    first, second = ([picture for _, picture in SCENE.frames()] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    other = [picture for _, picture in Scene(SCENE.drives, 1.6, 10, seed=4).frames()]
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_truth_tells_where_the_plates_are() -> None:
    assert [passing.plate for passing in SCENE.truth()] == ["SV09XHH", "M5CEU"]
    pictures = [picture for _, picture in SCENE.frames()]
    empty = [picture for _, picture in Scene((), 1.6, 10, seed=3).frames()]
    for passing in SCENE.truth():
        for index, (x1, y1, x2, y2) in passing.boxes.items():
            inside = np.s_[round(y1) : round(y2), round(x1) : round(x2)]
            assert np.abs(pictures[index][inside].astype(int) - empty[index][inside]).mean() > 20


def test_drops_leave_gaps_in_time() -> None:
    times = [t for t, _ in Scene((), 4.0, 25, drop=0.3, seed=5).frames()]
    assert 50 < len(times) < 90
    assert times == sorted(set(times))


def test_an_encoded_scene_keeps_its_times(tmp_path: Path) -> None:
    scene = Scene((), 2.0, 10, drop=0.4, seed=6)
    with av.open(str(encode(scene, tmp_path / "scene.mp4"))) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([t for t, _ in scene.frames()], abs=0.002)


def test_the_truth_leaves_out_what_is_hidden() -> None:
    crossing = Drive("oi_00026", 0.0, 4.0, path="cross", y=0.7, plate_px=90)
    free, pillar = Scene((crossing,), 4.0, 10), Scene((crossing,), 4.0, 10, pillar=(0.45, 0.55))
    behind = Scene((crossing, Drive("oi_00008", 0.0, 4.0, path="stand", x=0.5, y=0.6, plate_px=95)), 4.0, 10)
    for scene in (pillar, behind):
        hidden = set(free.truth()[0].boxes) - set(scene.truth()[0].boxes)
        assert hidden
        assert all(min(scene.truth()[0].boxes) < index < max(scene.truth()[0].boxes) for index in hidden)
        bare, covered = ([picture for _, picture in s.frames()] for s in (free, scene))
        x1, y1, x2, y2 = map(round, free.truth()[0].boxes[min(hidden) + 1])
        assert np.abs(bare[min(hidden) + 1][y1:y2, x1:x2].astype(int) - covered[min(hidden) + 1][y1:y2, x1:x2]).mean() > 10


def test_leaving_is_approaching_backwards() -> None:
    towards, away = (Scene((Drive("fa_00010", 0.0, 2.0, path=path, x=0.3),), 2.1, 10).truth()[0] for path in ("approach", "leave"))
    assert np.allclose([away.boxes[20 - index] for index in towards.boxes], list(towards.boxes.values()))
