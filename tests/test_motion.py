"""The gate of the cheap way out: every vehicle opens it from the first look on, and weather, noise and clocks do not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamer.live.motion import FrozenPicture, MotionGate
from tests.scenes import Drive, Scene

FPS = 10.0


def small(picture: np.ndarray) -> np.ndarray:
    """Give the view that a source gives: grey, 160 pixels wide."""
    grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return cv2.resize(grey, (160, round(160 * grey.shape[0] / grey.shape[1])), interpolation=cv2.INTER_AREA)


def clip_views(file: Path) -> Iterator[tuple[float, np.ndarray]]:
    with av.open(str(file)) as container:
        for frame in container.decode(video=0):
            yield float(frame.time), small(frame.to_ndarray()[: frame.height, : frame.width])


@pytest.fixture(scope="module")
def toll_gate(data: Path) -> list[tuple[float, np.ndarray]]:
    return list(clip_views(data / "clips" / "vn_toll_gate_720p.mp4"))


@pytest.fixture(scope="module")
def road(toll_gate) -> np.ndarray:
    """An empty lane between structures, float32."""
    return toll_gate[160][1].astype(np.float32)


def watch(gate: MotionGate, make: Callable[[float], np.ndarray], seconds: float, fps: float = FPS) -> list[bool]:
    return [gate.moves(np.clip(make(k / fps), 0, 255).astype(np.uint8), k / fps) for k in range(round(seconds * fps))]


# When the detector (at its defaults) sees a plate of each vehicle of the clips, first and last second.
TOLL_GATE = [(1.28, 4.03), (7.03, 8.4), (16.17, 20.0)]
ONE_CAR = [(0.0, 4.65)]


@pytest.mark.parametrize("fps", [25.0, 10.0, 2.0])
def test_every_vehicle_of_the_clips_finds_it_open_from_its_first_plate_on(toll_gate, data, fps):
    for views, passages in [(toll_gate, TOLL_GATE), (list(clip_views(data / "clips" / "gb_one_car_720p.mp4")), ONE_CAR)]:
        gate, due = MotionGate(), 0.0
        for t, view in views:
            if t >= due:
                due = t + 1 / fps
                is_open = gate.moves(view, t)
                assert is_open or not any(first <= t <= last for first, last in passages), t


def test_a_real_lane_closes_it_and_the_next_real_vehicle_opens_it(toll_gate):
    gate = MotionGate(hold_s=0.5, learn_s=0.5)
    seen = [(t, gate.moves(view, t)) for t, view in toll_gate if t > 9.83]  # after the clip's last cut
    assert not all(is_open for t, is_open in seen if t < 12.0)
    assert all(is_open for t, is_open in seen if t >= TOLL_GATE[2][0])


@pytest.mark.parametrize(
    ("drive", "light"),
    [
        (Drive("fa_00010", 6, 9), {}),
        (Drive("fa_00010", 6, 9), {"gain": 0.35, "noise": 12.0}),
        (Drive("fa_00010", 6, 9), {"gain": 0.15, "noise": 8.0}),
        (Drive("oi_00026", 6, 9, path="leave"), {}),
        (Drive("oi_00026", 6, 6.8, path="cross", plate_px=50), {}),
        (Drive("fa_00010", 6, 7, path="cross_back", plate_px=70), {"gain": 0.3, "noise": 10.0}),
    ],
    ids=["approach", "night", "deep night", "leave", "fast and small", "crossing at night"],
)
def test_a_vehicle_opens_it_and_the_empty_road_closes_it_again(drive, light):
    scene = Scene((drive,), 14.0, fps=FPS, size=(640, 360), **light)
    passing = scene.truth()[0]
    gate = MotionGate(hold_s=3.0, learn_s=3.0)
    seen = [(t, gate.moves(small(picture), t)) for t, picture in scene.frames()]
    assert all(is_open for t, is_open in seen if passing.first <= t <= passing.last)
    assert not any(is_open for t, is_open in seen if 3.5 <= t < drive.begin)
    assert not any(is_open for t, is_open in seen if t > drive.end + 4.0)


def test_little_contrast_is_enough(road):
    random = np.random.default_rng(1)

    def scene(t: float) -> np.ndarray:
        view = road + random.normal(0, 2, road.shape)
        if t >= 10.0:
            x = int((t - 10.0) * 40)
            view[50:66, x : x + 24] += 14.0
        return view

    seen = watch(MotionGate(), scene, 13.0)
    assert not any(seen[50:100])
    assert all(seen[101:])


def closed(road: np.ndarray, make: Callable[[float, np.random.Generator], np.ndarray], seconds: float = 30.0) -> None:
    random = np.random.default_rng(2)
    seen = watch(MotionGate(), lambda t: make(t, random), seconds)
    assert np.mean(seen[50:]) == 0.0


@pytest.mark.parametrize("sigma", [0.0, 2.0, 5.0, 10.0, 20.0])
def test_noise_does_not_open_it(road, sigma):
    closed(road, lambda t, random: road + random.normal(0, sigma, road.shape))


def test_a_gain_that_goes_up_at_night_does_not_open_it(road):
    closed(road, lambda t, random: road * 0.15 + random.normal(0, 2 + min(t, 20.0) / 2, road.shape))


def test_slow_light_does_not_open_it(road):
    closed(road, lambda t, random: road * (1.0 - 0.008 * t) + random.normal(0, 2, road.shape), 60.0)
    closed(road, lambda t, random: road * (0.75 + 0.25 * np.sin(t * 0.3)) + random.normal(0, 2, road.shape), 60.0)
    shadow = np.linspace(0, 1, road.shape[1], dtype=np.float32)
    closed(road, lambda t, random: road * (1.0 - 0.01 * t * shadow) + random.normal(0, 2, road.shape), 50.0)


def test_a_step_of_the_exposure_does_not_open_it(road):
    closed(road, lambda t, random: road * (1.0 if t < 15 else 0.9) + random.normal(0, 2, road.shape))


def test_flicker_of_key_frames_does_not_open_it(road):
    def coded(t: float, random: np.random.Generator) -> np.ndarray:
        """Once a second the blocks of a key frame look a little different."""
        blocks = random.normal(0, 3, (23, 40)).repeat(4, 0).repeat(4, 1)[: road.shape[0]]
        return road + random.normal(0, 2, road.shape) + (blocks if round(t * FPS) % 10 == 0 else 0.0)

    closed(road, coded)


def test_jpeg_does_not_open_it(road):
    def coded(t: float, random: np.random.Generator) -> np.ndarray:
        noisy = np.clip(road + random.normal(0, 3, road.shape), 0, 255).astype(np.uint8)
        return cv2.imdecode(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE).astype(np.float32)

    closed(road, coded)


def test_a_camera_that_shakes_by_a_pixel_hardly_opens_it(road):
    random = np.random.default_rng(7)

    def shaken(t: float) -> np.ndarray:
        """A pixel of the view is eight of 1280."""
        x, y = random.uniform(-1, 1, 2)
        moved = cv2.warpAffine(road, np.float32([[1, 0, x], [0, 1, y]]), road.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        return moved + random.normal(0, 2, road.shape)

    assert np.mean(watch(MotionGate(), shaken, 60.0)[50:]) < 0.05


def test_light_rain_hardly_opens_it(road):
    random = np.random.default_rng(3)

    def rain(t: float) -> np.ndarray:
        view = road + random.normal(0, 3, road.shape)
        for _ in range(10):
            y, x = random.integers(0, road.shape[0] - 8), random.integers(0, road.shape[1])
            view[y : y + 8, x] += 40
        return view

    assert np.mean(watch(MotionGate(), rain, 60.0)[50:]) < 0.3


def test_the_clock_in_the_picture_does_not_open_it(road):
    def clock(t: float, random: np.random.Generator) -> np.ndarray:
        picture = cv2.resize(road.astype(np.uint8), (1280, 720))
        cv2.rectangle(picture, (0, 0), (520, 44), 0, -1)
        cv2.putText(picture, f"2026-05-22 08:{int(t) // 60:02d}:{int(t) % 60:02d}", (5, 34), cv2.FONT_HERSHEY_SIMPLEX, 1.1, 255, 2)
        return small(picture) + random.normal(0, 1, road.shape)

    closed(road, clock, 70.0)


def test_a_parked_vehicle_is_forgotten_and_its_leaving_is_seen(road):
    random = np.random.default_rng(4)

    def scene(t: float) -> np.ndarray:
        view = road + random.normal(0, 2, road.shape)
        if 10.0 <= t < 60.0:
            view[40:70, 60:100] = 30.0
        return view

    seen = watch(MotionGate(), scene, 70.0)
    assert all(seen[100:110])
    assert not any(seen[550:600])
    assert all(seen[600:630])


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.95])
def test_a_lorry_that_fills_the_picture_opens_it(road, share):
    random = np.random.default_rng(9)
    lorry = random.integers(20, 200, (18, 32)).repeat(5, 0).repeat(5, 1).astype(np.float32)

    def scene(t: float) -> np.ndarray:
        view = road + random.normal(0, 2, road.shape)
        if 10.0 <= t < 14.0:
            there = round(road.shape[1] * share)
            view[:, :there] = lorry[:, :there]
        return view

    seen = watch(MotionGate(hold_s=1.0), scene, 60.0)
    assert not any(seen[50:100])
    assert all(seen[100:125])
    assert all(seen[140:145]), "it leaves"
    assert not any(seen[550:]), "and what it left is learned"


def test_dense_traffic_does_not_make_it_deaf(road):
    random = np.random.default_rng(5)

    def scene(t: float) -> np.ndarray:
        view = road + random.normal(0, 2, road.shape)
        phase = (t if t < 120 else t + 1.0) % 2.0  # a vehicle every two seconds, in view for one
        if phase < 1.0 and not 110 <= t < 120:
            x = int(phase * 160)
            view[45:70, x : x + 40] += 45.0
        return view

    seen = watch(MotionGate(hold_s=3.0), scene, 125.0)
    assert all(seen[: 110 * 10]), "each of them opens it"
    assert all(seen[1212:1250]), "and so does the next one after a pause"


def test_a_black_region_does_not_hide_a_change_of_exposure(road):
    def framed(t: float, random: np.random.Generator) -> np.ndarray:
        view = road * (1.0 if t < 15 else 0.85) + random.normal(0, 1, road.shape)
        view[:, : road.shape[1] * 2 // 3] = 0.0
        return view

    closed(road, framed)


def test_it_is_open_at_first_and_after_a_change_of_scene_or_size(road):
    gate = MotionGate(hold_s=1.0, learn_s=2.0)
    view = road.astype(np.uint8)
    assert [gate.moves(view, t) for t in (0.0, 1.0, 2.0, 3.0, 4.0)] == [True, True, True, False, False]
    other = np.random.default_rng(8).integers(0, 255, (10, 16), np.uint8).repeat(9, 0).repeat(10, 1)
    assert [gate.moves(other, t) for t in (5.0, 6.0, 7.0, 8.0)] == [True, True, True, False]
    assert gate.moves(view[:45, :80], 9.0)
    assert gate.moves(view[:45, :80], 1.0), "time went back"


@given(
    views=st.lists(arrays(np.uint8, st.sampled_from([(90, 160), (1, 1), (160, 90), (3, 50)])), min_size=1, max_size=6),
    step=st.floats(0, 10),
)
def test_it_takes_views_of_any_size_and_steps_of_any_length(views, step):
    gate = MotionGate()
    for k, view in enumerate(views):
        assert gate.moves(view, k * step) in (True, False)
    assert MotionGate().moves(views[0], 5.0) is True


def test_it_costs_next_to_nothing(road):
    """Under 150 microseconds on one core; the bound here leaves room for a busy machine."""
    random = np.random.default_rng(6)
    views = [np.clip(road + random.normal(0, 3, road.shape), 0, 255).astype(np.uint8) for _ in range(20)]
    gate, took = MotionGate(), []
    for k in range(400):
        began = time.perf_counter()
        gate.moves(views[k % 20], k / FPS)
        took.append(time.perf_counter() - began)
    assert np.median(took) < 500e-6


def test_a_picture_that_stands_still_is_noticed_after_its_time(road):
    frozen = FrozenPicture(after_s=3.0)
    view = road.astype(np.uint8)
    assert [frozen.stands(view.copy(), t) for t in (0.0, 1.0, 2.9, 3.0, 4.0)] == [False, False, False, True, True]
    other = view.copy()
    other[5, 5] ^= 1
    assert not frozen.stands(other, 5.0), "a single bit is enough"
    assert not frozen.stands(other, 7.9)
    assert frozen.stands(other, 8.0)
    assert not frozen.stands(other, 1.0), "time went back"
    assert not frozen.stands(other[:20], 100.0)


def test_pictures_may_stand_still_for_ever_where_nobody_asks(road):
    frozen = FrozenPicture(after_s=0.0)
    assert not any(frozen.stands(road.astype(np.uint8), float(t)) for t in range(0, 100_000, 10_000))


def test_a_view_that_its_owner_overwrites_is_no_frozen_one():
    frozen = FrozenPicture(after_s=1.0)
    buffer = np.zeros((9, 16), np.uint8)
    for t in range(5):
        buffer[0, 0] = t
        assert not frozen.stands(buffer, float(t))
