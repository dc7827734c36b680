from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.config import ReaderConfig
from streamer.errors import WeightsError
from streamer.reader.choice import load_layout_net
from streamer.reader.nets import Floats
from streamer.reader.platelayout import ABOVE, CUT_WIDTH, LearnedLines, cut_lines, quads_of, tilt, upright
from streamer.types import Image

INNER = round(48 * ABOVE / (1 + 2 * ABOVE))
"""Rows above the characters in a cut."""


def output(two: float, single: Sequence[float], upper: Sequence[float], lower: Sequence[float]) -> Floats:
    """What the network gives: corners of upright rectangles, from left, top, right, bottom."""
    corners = [(a, b, c, b, c, d, a, d) for a, b, c, d in (single, upper, lower)]
    return np.array([two, *np.ravel(corners)], np.float32)


class Told:
    """A network that gives what it is told."""

    backend = "told"

    def __init__(self, *outputs: Floats) -> None:
        self.outputs = outputs
        self.seen: list[tuple[int, ...]] = []

    def run(self, pictures: Sequence[Image]) -> list[Floats]:
        self.seen += [picture.shape for picture in pictures]
        return list(self.outputs[: len(pictures)])


def slanted_bar() -> tuple[Image, Floats]:
    """A white shape on black, and its corners."""
    quad = np.array([[20, 30], [120, 10], [126, 38], [24, 60]], np.float32)
    crop = np.zeros((80, 150, 3), np.uint8)
    cv2.fillConvexPoly(crop, quad.astype(np.int32), (255, 255, 255))
    return crop, quad


def test_a_cut_is_upright_with_room_around() -> None:
    crop, quad = slanted_bar()
    (cut,) = cut_lines(crop, quad[None])
    assert cut.shape == (48, CUT_WIDTH, 3)
    assert cut.dtype == np.uint8
    white = cut[..., 0] > 127
    assert white[INNER + 2 : -INNER - 2, 26:-26].all()
    assert not white[: INNER - 2].any()
    assert not white[-INNER + 2 :].any()


def test_large_and_small_crops_give_the_same_cut() -> None:
    crop, quad = slanted_bar()
    (usual,) = cut_lines(crop, quad[None])
    large = cv2.resize(crop, None, fx=8, fy=8, interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    (from_large,) = cut_lines(large, quad[None] * 8)
    assert np.abs(usual.astype(int) - from_large).mean() < 6


@pytest.mark.parametrize(
    "quad", [np.zeros((4, 2)), np.full((4, 2), 1e4), [[0, 0], [9, 9], [9, 0], [0, 9]], [[90, 9], [9, 9], [9, 30], [90, 30]]]
)
def test_impossible_corners_give_a_picture_all_the_same(quad: object) -> None:
    crop, _ = slanted_bar()
    (cut,) = cut_lines(crop, np.array([quad], np.float32))
    assert cut.shape == (48, CUT_WIDTH, 3)


def test_no_lines_no_cuts() -> None:
    assert cut_lines(slanted_bar()[0], np.empty((0, 4, 2), np.float32)) == []


def test_the_likelier_number_of_lines_comes_first_and_the_other_only_in_doubt() -> None:
    places = ((0.1, 0.2, 0.9, 0.8), (0.2, 0.1, 0.8, 0.4), (0.1, 0.5, 0.9, 0.9))
    assert [len(quads) for quads in quads_of(output(0.02, *places), 100, 50)] == [1]
    assert [len(quads) for quads in quads_of(output(0.4, *places), 100, 50)] == [1, 2]
    assert [len(quads) for quads in quads_of(output(0.6, *places), 100, 50)] == [2, 1]
    ((upper, lower),) = quads_of(output(0.98, *places), 100, 50)
    assert upper[0] == pytest.approx((20, 5))
    assert lower[2] == pytest.approx((90, 45))


def test_lines_of_every_crop_in_order() -> None:
    one = output(0.0, (0.1, 0.2, 0.9, 0.8), (0, 0, 1, 0.4), (0, 0.5, 1, 1))
    two = output(1.0, (0.1, 0.2, 0.9, 0.8), (0.3, 0.1, 0.7, 0.2), (0, 0.5, 1, 1))
    net = Told(one, two)
    first, second = LearnedLines(net)([np.zeros((30, 90, 3), np.uint8), np.zeros((60, 60, 3), np.uint8)])
    assert net.seen == [(64, 128, 3)] * 2
    (line,), whole = first
    assert line.picture.shape == whole[0].picture.shape == (48, CUT_WIDTH, 3), "the whole crop is the last resort"
    upper, lower = next(iter(second))
    assert upper.height == lower.height  # both belong to the number, whatever their sizes


def test_turned_lines_are_looked_at_again_upright_and_found_in_the_crop() -> None:
    crop, quad = slanted_bar()
    seen = output(0.0, (0, 0, 1, 1), (0, 0, 1, 1), (0, 0, 1, 1))
    seen[1:9] = (quad / (150, 80)).ravel()
    (layouts,) = LearnedLines(net := Told(seen))([crop])
    assert len(net.seen) == 2
    second, first, _ = layouts
    picture, matrix = upright(crop, quad[None])
    assert abs(tilt((quad @ matrix[:, :2].T + matrix[:, 2])[None])) < 1e-3
    corners = (quad / (150, 80) * (picture.shape[1], picture.shape[0]) - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    np.testing.assert_array_equal(second[0].picture, cut_lines(crop, corners[None])[0])
    np.testing.assert_array_equal(first[0].picture, cut_lines(crop, quad[None])[0])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    helper = pytest.importorskip("onnx").helper
    crop = helper.make_tensor_value_info("crop", 1, [1, 3, 64, 128])
    flat = helper.make_tensor_value_info("flat", 1, [1, 3 * 64 * 128])
    graph = helper.make_graph([helper.make_node("Flatten", ["crop"], ["flat"])], "other", [crop], [flat])
    other = tmp_path / "other.onnx"
    other.write_bytes(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    with pytest.raises(WeightsError, match="plate-train layout"):
        load_layout_net(ReaderConfig(layout_weights=str(other)))


def test_training_in_short(tmp_path: Path) -> None:
    """Renders, trains, exports and measures; what comes out loads as the reader's network and finds something."""
    pytest.importorskip("torch")
    from train.layout.command import run_layout
    from train.layout.config import LayoutTraining
    from train.synth import PlateRenderer

    config = LayoutTraining(crops=24, steps=6, batch=4, seed=3)
    figures = run_layout(config, tmp_path, resume=False)
    assert figures.crops == 24
    assert 0 <= figures.count_right <= 1
    assert np.isfinite(figures.mean_error)
    reader = LearnedLines(load_layout_net(ReaderConfig(layout_weights=str(tmp_path / "plate-layout.onnx"))))
    ((layout, *_),) = reader([PlateRenderer(seed=9).sample(0).image])
    assert all(row.picture.shape == (48, CUT_WIDTH, 3) for row in layout)


def test_true_corners_hold_every_character() -> None:
    from train.layout.quads import char_quads, line_quads
    from train.synth import PlateRenderer

    renderer = PlateRenderer(seed=5)
    for index in range(40):
        crop = renderer.sample(index)
        quads = line_quads(crop.char_boxes, crop.corners, crop.lines)
        chars = char_quads(crop.char_boxes, crop.corners)
        assert quads.shape == (len(crop.lines), 4, 2)
        start = 0
        for quad, line in zip(quads, crop.lines, strict=True):
            for corner in chars[start : start + len(line)].reshape(-1, 2):
                assert cv2.pointPolygonTest(quad.astype(np.float32), (float(corner[0]), float(corner[1])), True) > -0.1
            start += len(line)
        # Boxes around what is turned back are those that were rendered, but where a crop cuts them.
        again = np.concatenate((chars.min(axis=1), chars.max(axis=1)), axis=1)
        assert np.median(np.abs(again - crop.char_boxes)) < 0.6


def test_places_follow_the_picture_however_it_is_looked_at() -> None:
    """What is white in the picture is what the corners say, turned, cut or mirrored; turned by as much as cameras are, and none cut off."""
    from train.layout.augment import batch_of
    from train.layout.samples import HEIGHT, WIDTH, Samples

    quad = np.array([[0.2, 0.3], [0.8, 0.3], [0.8, 0.7], [0.2, 0.7]], np.float32)
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    cv2.fillConvexPoly(picture, np.round(quad * (WIDTH - 1, HEIGHT - 1)).astype(np.int32), (255, 255, 255))
    count = 200
    quads = np.zeros((count, 2, 4, 2), np.float32)
    quads[:, 0] = quad
    aspects = np.full(count, 3.0, np.float32)
    samples = Samples(np.repeat(picture[None], count, axis=0), quads, np.zeros(count, np.bool_), aspects)
    pictures, places, two = batch_of(samples, np.arange(count), np.random.default_rng(4))
    assert not two.any()
    angles = []
    for look, (place, other) in zip(pictures, places, strict=True):
        assert not other.any()
        corners = place * (look.shape[2], look.shape[1])
        mask = np.zeros(look.shape[1:], np.uint8)
        cv2.fillConvexPoly(mask, np.round(corners - 0.5).astype(np.int32), 1)
        grey = look.mean(axis=0)
        inside, outside = np.median(grey[mask == 1]), np.median(grey[mask == 0])
        assert ((np.abs(grey - inside) < np.abs(grey - outside)) == (mask == 1)).mean() > 0.93
        assert (np.abs(place - 0.5) < 0.6).all()
        across = (place[1] - place[0]) * (3.0, 1.0)
        angles.append(np.degrees(np.arctan2(across[1], abs(across[0]))))
    assert 10 < np.abs(angles).max() < 40
    assert np.mean(np.abs(angles) > 4) > 0.1
