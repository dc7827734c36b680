import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.crops import cut, legibility, sharpness
from streamer.types import Box


def plate(text: str = "AB12 CDE", height: int = 60) -> np.ndarray:
    image = np.full((120, 520, 3), 235, np.uint8)
    cv2.putText(image, text, (15, 90), cv2.FONT_HERSHEY_DUPLEX, 2.8, (20, 20, 20), 7, cv2.LINE_AA)
    return cv2.resize(image, (height * 520 // 120, height), interpolation=cv2.INTER_AREA)


@given(
    st.floats(-50, 400),
    st.floats(-50, 400),
    st.floats(0.1, 300),
    st.floats(0.1, 300),
    st.integers(1, 300),
    st.integers(1, 300),
)
def test_a_crop_is_never_empty_and_never_outside(x: float, y: float, w: float, h: float, width: int, height: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    crop = cut(image, Box(x, y, x + w, y + h))
    assert 1 <= crop.shape[0] <= height
    assert 1 <= crop.shape[1] <= width


def test_a_crop_holds_the_box_and_a_margin() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[40:60, 50:150] = 255
    crop = cut(image, Box(50, 40, 150, 60), margin=0.1)
    assert crop.shape == (24, 120, 3)
    assert np.count_nonzero(crop[:, :, 0]) == 20 * 100


@pytest.mark.parametrize("height", [14, 30, 60, 240])
def test_motion_blur_lowers_sharpness_at_every_size(height: int) -> None:
    sharp = plate(height=height)
    length = max(3, height // 3)
    blurred = cv2.filter2D(sharp, -1, np.full((1, length), 1 / length, np.float32))
    assert sharpness(blurred) < 0.75 * sharpness(sharp)


def test_contrast_and_brightness_do_not_matter_much() -> None:
    sharp = plate()
    dull = (sharp * 0.3 + 30).astype(np.uint8)
    assert sharpness(dull) == pytest.approx(sharpness(sharp), rel=0.15)


def test_nothing_to_read_is_not_sharp() -> None:
    assert sharpness(np.full((40, 160, 3), 128, np.uint8)) == 0.0
    assert sharpness(np.zeros((1, 1, 3), np.uint8)) == 0.0


def test_small_plates_are_less_legible() -> None:
    assert legibility(Box(0, 0, 40, 8), 0.8) == pytest.approx(0.2)
    assert legibility(Box(0, 0, 400, 80), 0.8) == pytest.approx(0.8)
