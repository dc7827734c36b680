"""Blind cameras: what makes one blind, what does not, and that the answer does not flap."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamer.live import view
from streamer.live.view import ViewWatch, brightness, contrast, sharpness

HOUR = 3600.0


def small(grey: np.ndarray) -> np.ndarray:
    return cv2.resize(grey, (160, round(160 * grey.shape[0] / grey.shape[1])), interpolation=cv2.INTER_AREA)


def frame(file: Path) -> np.ndarray:
    with av.open(str(file)) as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24")


@pytest.fixture(scope="module")
def pictures(data: Path) -> list[np.ndarray]:
    """Real roads, grey, 1280 pixels wide."""
    return [cv2.cvtColor(frame(file), cv2.COLOR_BGR2GRAY) for file in sorted((data / "clips").glob("*.mp4"))]


@pytest.fixture(scope="module")
def road(pictures) -> np.ndarray:
    return small(pictures[1])


def blurred(grey: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(grey, (0, 0), sigma)


def look_for(watch: ViewWatch, luma: np.ndarray, start: float, seconds: float, step: float = 10.0, **more) -> list:
    return [watch.look(luma, start + k * step, **more) for k in range(round(seconds / step))]


def test_brightness_and_contrast_are_shares_and_leave_out_what_was_blackened(road):
    assert brightness(np.full((90, 160), 255, np.uint8)) == 1.0
    assert brightness(np.zeros((90, 160), np.uint8)) == 0.0
    assert contrast(np.full((90, 160), 100, np.uint8)) == 0.0
    assert contrast(np.zeros((90, 160), np.uint8)) == 0.0
    masked = road.copy()
    masked[:, 80:] = 0
    assert brightness(masked) == pytest.approx(brightness(np.maximum(road[:, :80], 1)), abs=0.02)
    covered = np.full((90, 160), 90, np.uint8)
    covered[:40, :70] = 0
    assert contrast(covered) < view.COVERED


@pytest.mark.parametrize("noise", [0.0, 6.0])
def test_what_blur_leaves_of_sharpness(pictures, noise):
    random = np.random.default_rng(1)
    for grey in pictures:

        def noisy(picture):
            return np.clip(picture + random.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)

        whole = [sharpness(noisy(picture)) for picture in (grey, blurred(grey, 1), blurred(grey, 3), blurred(grey, 8))]
        assert whole == sorted(whole, reverse=True) or whole[3] < 1.2 * whole[2]
        assert whole[2] < view.WHOLE_DEFOCUSED * whole[0]
        assert whole[1] > view.WHOLE_DEFOCUSED * whole[0] * 1.2
        views = [sharpness(small(noisy(picture))) for picture in (grey, blurred(grey, 2), blurred(grey, 10))]
        assert views[1] > view.SMALL_DEFOCUSED * views[0] * view.REFOCUSED
        assert views[2] < view.SMALL_DEFOCUSED * views[0]


def test_neither_exposure_nor_colour_changes_sharpness(pictures):
    grey = pictures[0]
    dimmer = (grey * 0.6).astype(np.uint8)
    assert sharpness(dimmer) == pytest.approx(sharpness(grey), rel=0.1)
    assert sharpness(cv2.merge([grey, grey, grey])) == pytest.approx(sharpness(grey), rel=0.01)


def test_one_colour_has_no_sharpness():
    assert sharpness(np.full((90, 160), 77, np.uint8)) is None
    assert sharpness(np.zeros((2, 2), np.uint8)) is None


def test_a_good_view_is_not_blind(road):
    watch = ViewWatch()
    seen = look_for(watch, road, 0.0, 2 * HOUR, moving=True)
    assert not any(look.blind or look.changed for look in seen)
    assert 0.2 < seen[-1].brightness < 0.7
    assert seen[-1].sharpness is not None


def test_dark_is_told_after_minutes_and_taken_back_when_there_is_light(road):
    watch = ViewWatch()
    night = (road * 0.04).astype(np.uint8)
    seen = look_for(watch, night, 0.0, 600.0)
    assert [look.blind for look in seen].index("dark") == round(view.DARK_AFTER_S / 10)
    assert sum(look.changed for look in seen) == 1
    assert seen[-1].sharpness is None
    day = look_for(watch, road, 600.0, 60.0)
    assert day[-1].blind is None
    assert sum(look.changed for look in day) == 1


def test_black_with_lamps_is_how_cameras_for_plates_look_at_night(road):
    night = np.full_like(road, 4)
    night[40:44, 30:40] = 250
    assert not any(look.blind for look in look_for(ViewWatch(), night, 0.0, HOUR))


def test_who_sees_plates_is_not_blind(road):
    night = (road * 0.04).astype(np.uint8)
    watch = ViewWatch()
    assert not any(look.blind for look in look_for(watch, night, 0.0, HOUR, plate_age_s=100.0))
    assert look_for(watch, night, HOUR, HOUR, plate_age_s=700.0)[-1].blind == "dark"
    assert watch.look(night, 3 * HOUR, plate_age_s=1.0).blind is None


@pytest.mark.parametrize("level", [30, 128, 254])
def test_covered(level, road):
    random = np.random.default_rng(2)
    cloth = np.clip(level + random.normal(0, 4, road.shape), 1, 255).astype(np.uint8)
    watch = ViewWatch()
    look_for(watch, road, 0.0, 100.0)
    seen = look_for(watch, cloth, 100.0, 100.0)
    assert seen[-1].blind == "covered"
    assert [look.blind for look in seen].index("covered") == round(view.COVERED_AFTER_S / 10) - 1
    assert look_for(watch, road, 200.0, 30.0)[-1].blind is None


def test_a_lorry_in_front_of_the_camera_is_no_cover(road):
    watch, flat = ViewWatch(), np.full_like(road, 120)
    for k in range(20):
        assert not any(look.blind for look in look_for(watch, flat, k * 100.0, 50.0))
        assert not any(look.blind for look in look_for(watch, road, k * 100.0 + 50.0, 50.0))


def test_out_of_focus_by_the_small_view(pictures):
    watch = ViewWatch()
    good, bad = small(pictures[1]), small(blurred(pictures[1], 12))
    assert not any(look.blind for look in look_for(watch, good, 0.0, 2 * HOUR))
    seen = look_for(watch, bad, 2 * HOUR, HOUR)
    first = [look.blind for look in seen].index("defocused")
    assert first == round(view.DEFOCUSED_AFTER_S / 10) - 1
    assert all(look.blind == "defocused" for look in seen[first:])
    assert look_for(watch, good, 3 * HOUR, 60.0)[-1].blind is None


def test_out_of_focus_by_whole_pictures(pictures):
    watch, grey = ViewWatch(), pictures[1]
    good, bad = sharpness(grey), sharpness(blurred(grey, 3))
    seen_small = small(grey)
    for k in range(240):
        assert watch.look(seen_small, k * 30.0, whole_sharpness=good if k % 2 else None).blind is None
    blind = [watch.look(seen_small, 7200.0 + k * 30.0, whole_sharpness=bad if k % 2 else None) for k in range(60)]
    assert blind[-1].blind == "defocused"
    assert blind[-1].sharpness == bad
    assert sum(look.changed for look in blind) == 1


def test_a_camera_is_watched_before_it_is_judged(pictures):
    watch = ViewWatch()
    look_for(watch, small(pictures[1]), 0.0, view.LEARN_S / 2)
    assert not any(look.blind for look in look_for(watch, small(blurred(pictures[1], 12)), view.LEARN_S / 2, view.LEARN_S / 3))


def test_night_is_compared_with_nights(pictures):
    """Less sharp at night than by day, every night, is how it is."""
    watch = ViewWatch()
    day, night = small(pictures[1]), (small(blurred(pictures[1], 12)) * 0.35).astype(np.uint8)
    for k in range(2):
        for luma, start in ((day, 0.0), (night, 12 * HOUR)):
            assert not any(look.blind for look in look_for(watch, luma, k * 24 * HOUR + start, 12 * HOUR, step=60.0))


def test_what_stays_different_becomes_the_usual(pictures):
    watch = ViewWatch()
    look_for(watch, small(pictures[1]), 0.0, 2 * HOUR)
    seen = look_for(watch, small(blurred(pictures[1], 8)), 2 * HOUR, 4 * 24 * HOUR, step=60.0)
    assert seen[100].blind == "defocused"
    assert seen[-1].blind is None
    assert sum(look.changed for look in seen) == 2


def test_no_plates_for_long_though_things_move(road):
    watch = ViewWatch(no_plates_after_s=2 * HOUR)
    seen = look_for(watch, road, 0.0, 3 * HOUR, step=30.0, moving=True)
    assert [look.blind for look in seen].index("no_plates") == round(2 * HOUR / 30)
    assert watch.look(road, 3 * HOUR, plate_age_s=0.2, moving=True).blind is None
    assert not any(watch.look(road, 3 * HOUR + k * 60.0, plate_age_s=k * 60.0, moving=False).blind for k in range(1, 300)), (
        "a night without traffic"
    )


def test_it_may_be_for_ever_without_plates(road):
    assert not any(look.blind for look in look_for(ViewWatch(no_plates_after_s=0.0), road, 0.0, 16 * HOUR, step=60.0, moving=True))


@given(levels=st.lists(st.sampled_from([0.03, 0.045, 0.055, 0.07, 0.09, 0.5]), min_size=1, max_size=300))
def test_it_never_flaps(levels):
    """Whatever comes: two changes lie as far apart as going on or off takes."""
    watch, changes = ViewWatch(), []
    scene = np.linspace(0.7, 1.3, 90 * 160).reshape(90, 160)
    for k, level in enumerate(levels):
        seen = watch.look(np.clip(scene * level * 255, 1, 255).astype(np.uint8), k * 5.0)
        if seen.changed:
            changes.append((k * 5.0, seen.blind))
    for (before, _), (after, blind) in itertools.pairwise(changes):
        assert after - before >= (view.CLEAR_AFTER_S if blind is None else view.COVERED_AFTER_S)


@given(
    views=st.lists(arrays(np.uint8, st.sampled_from([(90, 160), (1, 1), (160, 90), (2, 50)])), min_size=1, max_size=4),
    steps=st.lists(st.floats(0, 1e5), min_size=4, max_size=4),
)
def test_any_view_can_be_looked_at(views, steps):
    watch, t = ViewWatch(), 0.0
    for luma, step in zip(views, steps, strict=False):
        t += step
        seen = watch.look(luma, t, moving=True)
        assert 0.0 <= seen.brightness <= 1.0
        assert seen.sharpness is None or seen.sharpness >= 0.0
