"""What may be seen of a picture: nothing under a privacy mask survives, whatever its shape, the size and the turn."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.live.framing import GROWTH, Framing, fill

shares = st.floats(0.0, 1.0)
polygons = st.lists(st.tuples(shares, shares), min_size=3, max_size=7)
sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))
turns = st.sampled_from([0, 90, 180, 270])
WHITE = 255


def picture(width: int, height: int) -> np.ndarray:
    """Every pixel differs from its neighbours, and none is black."""
    return (np.arange(width * height * 3, dtype=np.uint32) * 7919 % 251 + 1).astype(np.uint8).reshape(height, width, 3)


def upright(image: np.ndarray, rotate: int) -> np.ndarray:
    return np.rot90(image, -rotate // 90)


def inside(polygon: list[tuple[float, float]], x: float, y: float) -> bool:
    """The non-zero rule, by the sum of angles: another way than the one that is tested."""
    angles = [math.atan2(py - y, px - x) for px, py in polygon]
    turned = sum(math.remainder(b - a, 2 * math.pi) for a, b in zip(angles, angles[1:] + angles[:1], strict=True))
    return abs(turned) > math.pi


@given(polygon=polygons, size=sizes, rotate=turns, points=st.lists(st.tuples(shares, shares), min_size=20, max_size=20), data=st.data())
def test_no_pixel_that_a_mask_touches_survives(polygon, size, rotate, points, data):
    image = picture(*size)
    seen = Framing(rotate, None, [polygon]).apply(image)
    height, width = seen.shape[:2]
    # Points anywhere, points on the edges, and the corners themselves.
    edges = list(zip(polygon, polygon[1:] + polygon[:1], strict=True))
    on_edges = [
        (a[0] + u * (b[0] - a[0]), a[1] + u * (b[1] - a[1]))
        for (a, b), u in ((data.draw(st.sampled_from(edges)), data.draw(shares)) for _ in range(10))
    ]
    for x, y in [*(point for point in points if inside(polygon, *point)), *on_edges, *polygon]:
        column, row = min(int(x * width), width - 1), min(int(y * height), height - 1)
        assert not seen[row, column].any(), (x, y)
        # On the border between two pixels, both are touched.
        assert not seen[max(0, math.ceil(y * height) - 1), max(0, math.ceil(x * width) - 1)].any(), (x, y)


@given(polygon=polygons, size=sizes, rotate=turns)
def test_what_no_mask_is_near_stays_as_it_was(polygon, size, rotate):
    image = picture(*size)
    seen, before = Framing(rotate, None, [polygon]).apply(image), upright(image, rotate)
    changed = (seen != before).any(2)
    assert not seen[changed].any(), "either as it was or black"
    height, width = seen.shape[:2]
    reach = GROWTH + 1
    xs, ys = [x * width for x, _ in polygon], [y * height for _, y in polygon]
    rows, columns = np.nonzero(changed)
    assert np.all(
        (rows >= min(ys) - reach - 1) & (rows <= max(ys) + reach) & (columns >= min(xs) - reach - 1) & (columns <= max(xs) + reach)
    )


@given(polygon=polygons, size=sizes, rotate=turns, masks=st.lists(polygons, max_size=2))
def test_a_region_is_cut_out_and_what_is_outside_of_it_is_black(polygon, size, rotate, masks):
    image = picture(*size)
    framing = Framing(rotate, polygon, masks)
    seen, whole = framing.apply(image), upright(image, rotate)
    x1, y1, x2, y2 = framing.box(size)
    assert 0 <= x1 < x2 <= whole.shape[1]
    assert 0 <= y1 < y2 <= whole.shape[0]
    cut = whole[y1:y2, x1:x2]
    assert seen.shape == cut.shape
    same, black = (seen == cut).all(2), ~seen.any(2)
    assert np.all(same | black)
    masked = ~Framing(rotate, None, masks).apply(image)[y1:y2, x1:x2].any(2)
    assert np.all(black[masked])
    for row in range(seen.shape[0]):
        for column in range(0, seen.shape[1], 5):
            x, y = (x1 + column + 0.5) / whole.shape[1], (y1 + row + 0.5) / whole.shape[0]
            if inside(polygon, x, y) and not masked[row, column]:
                assert same[row, column], "the middle of the pixel lies in the region"


@given(size=sizes, rotate=turns, region=st.none() | polygons, masks=st.lists(polygons, max_size=2), grey=st.booleans())
def test_the_result_is_what_it_is_said_to_be(size, rotate, region, masks, grey):
    image = picture(*size)[:, :, 0].copy() if grey else picture(*size)
    before = image.copy()
    framing = Framing(rotate, region, masks)
    seen = framing.apply_luma(image) if grey else framing.apply(image)
    assert seen.dtype == np.uint8
    assert seen.ndim == image.ndim
    assert seen.flags.c_contiguous
    assert not seen.flags.writeable
    assert image.flags.writeable
    assert np.array_equal(image, before)
    x1, y1, x2, y2 = framing.box(size)
    assert seen.shape[:2] == (y2 - y1, x2 - x1)


@given(polygon=polygons, size=sizes)
def test_filling_agrees_with_another_way_away_from_the_edges(polygon, size):
    width, height = size
    filled = fill(polygon, width, height)
    for y in range(0, height, 3):
        for x in range(0, width, 3):
            if inside(polygon, (x + 0.5) / width, (y + 0.5) / height):
                assert filled[y, x] == WHITE


def test_a_star_has_no_hole_in_the_middle():
    star = [(0.5 + 0.5 * math.sin(4 * math.pi * k / 5), 0.5 - 0.5 * math.cos(4 * math.pi * k / 5)) for k in range(5)]
    assert fill(star, 100, 100)[50, 50] == WHITE


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_shares_are_of_the_upright_picture(rotate):
    image = np.zeros((90, 160, 3), np.uint8)
    image[np.rot90(np.pad(np.ones((1, 1), bool), ((0, 159 if rotate % 180 else 89), (0, 89 if rotate % 180 else 159))), rotate // 90)] = 200
    whole = Framing(rotate).apply(image)
    assert whole.shape == ((160, 90, 3) if rotate % 180 else (90, 160, 3))
    assert whole[0, 0, 0] == 200, "the top left corner of the upright picture"
    corner = [(0.0, 0.0), (0.1, 0.0), (0.1, 0.1), (0.0, 0.1)]
    assert Framing(rotate, corner).apply(image)[0, 0, 0] == 200
    assert not Framing(rotate, None, [corner]).apply(image).any()
    luma = Framing(rotate, None, [corner]).apply_luma(np.ascontiguousarray(image[:, :, 0]))
    assert not luma.any()


def test_nothing_to_do_costs_no_copy():
    image = picture(64, 36)
    assert np.shares_memory(Framing().apply(image), image)
    assert image.flags.writeable


def test_a_large_picture_takes_milliseconds():
    framing = Framing(0, [(0.1, 0.3), (0.9, 0.3), (1.0, 1.0), (0.0, 1.0)], [[(0.4, 0.4), (0.6, 0.4), (0.5, 0.7)]])
    image = picture(1920, 1080)
    framing.apply(image)
    began = time.perf_counter()
    for _ in range(10):
        framing.apply(image)
    assert (time.perf_counter() - began) / 10 < 0.05
