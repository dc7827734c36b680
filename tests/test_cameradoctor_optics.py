"""The doctor's measurements: of made-up edges, of real crops, of scripted streams."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.cameradoctor.lookout import Lookout, sight_of
from streamer.cameradoctor.notes import NotedSource, drift_of
from streamer.cameradoctor.optics import edge_widths, grey_of, light_of, smear_px, text_of
from streamer.config import ReaderConfig
from streamer.errors import SourceError
from streamer.pipeline import TrackedPlate
from streamer.ports import LivePicture, StreamFacts
from streamer.reader.choice import load_layout_net
from streamer.types import Box, Frame

START = datetime(2026, 5, 1, 8, tzinfo=UTC)


def bars(smear=1, *, upright=False):
    """Bars of 12 pixels, smeared over some."""
    line = np.repeat([40.0, 200.0] * 5, 12).astype(np.float32)
    picture = np.tile(np.convolve(line, np.ones(smear) / smear, "valid"), (100, 1)).astype(np.float32)
    return picture.T if upright else picture


@pytest.mark.parametrize("smear", [1, 2, 3, 4, 6, 8])
def test_edges_are_as_wide_as_they_are_smeared(smear):
    x, _ = edge_widths(bars(smear))
    _, y = edge_widths(bars(smear, upright=True))
    assert x == pytest.approx(smear, rel=0.1)
    assert y == pytest.approx(smear, rel=0.1)


def test_where_there_is_nothing_to_see_there_are_no_edges():
    assert edge_widths(np.full((40, 40), 90, np.float32)) is None
    assert edge_widths(np.zeros((2, 40), np.float32)) is None


@given(st.floats(1, 5), st.floats(0, 20), st.floats(0, 29))
def test_the_smear_is_what_was_put_in(width, smear, turn):
    a = np.radians(turn)
    along, across = np.hypot(width, smear * np.cos(a)), np.hypot(width, smear * np.sin(a))
    assert smear_px(along, across, turn) == pytest.approx(smear, abs=1e-3)


def test_on_the_diagonal_nobody_can_tell_the_smear():
    assert smear_px(3.0, 3.0, 40.0) is None
    assert smear_px(1.0, 3.0, 0.0) == 0.0


def test_light_counts_what_is_clipped():
    grey = np.full((10, 10), 120, np.float32)
    grey[:2], grey[2:5] = 255, 0
    light = light_of(grey)
    assert (light.highlights, light.shadows) == (0.2, 0.3)


def test_grey_has_the_usual_weights():
    assert grey_of(np.full((2, 2, 3), 100, np.uint8)) == pytest.approx(100)
    assert grey_of(np.array([[[0, 255, 0]]], np.uint8))[0, 0] > grey_of(np.array([[[255, 0, 0]]], np.uint8))[0, 0]


@given(st.lists(st.floats(-50, 250), min_size=8, max_size=8))
def test_text_stays_within_its_crop_whatever_the_network_says(values):
    text = text_of(np.array(values, np.float32).reshape(1, 4, 2), 100, 40)
    x1, y1, x2, y2 = text.area
    assert 0 <= x1 < x2 <= 100
    assert 0 <= y1 < y2 <= 40


def test_height_and_tilt_are_those_of_the_lines():
    quad = np.array([[10, 10], [90, 20], [90, 40], [10, 30]], np.float32)
    text = text_of(quad[None], 100, 50)
    assert text.height_px == pytest.approx(20)
    assert text.tilt_deg == pytest.approx(np.degrees(np.arctan2(10, 80)))


@pytest.fixture(scope="module")
def layout_net():
    return load_layout_net(ReaderConfig(threads=1))


@pytest.fixture(scope="module")
def photo(data):
    return cv2.imread(str(data / "photos" / "fa_00010.webp"))


PLATE = Box(264, 315, 383, 351)  # tests/data/truth.csv


def frame(image, t=0.0, *, suspect=False):
    return Frame("gate", 1, round(t * 10), t, t, START, "arrival", image, suspect=suspect)


def test_a_real_plate_is_measured(photo, layout_net):
    lookout = Lookout(layout_net)
    lookout(frame(photo), [TrackedPlate(1, PLATE, 0.9, "SV09XHH")])
    (look,) = lookout.looks
    assert 16 < look.text.height_px < 22, "by eye: 19"
    assert abs(look.text.tilt_deg) < 6
    assert look.chars == 7
    for factor in (0.5, 2.0):
        scaled = Lookout(layout_net)
        box = Box(*(factor * v for v in (PLATE.x1, PLATE.y1, PLATE.x2, PLATE.y2)))
        scaled(frame(cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)), [TrackedPlate(1, box, 0.9, None)])
        assert scaled.looks[0].text.height_px == pytest.approx(factor * look.text.height_px, rel=0.15)


def test_damaged_frames_are_not_measured(photo, layout_net):
    lookout = Lookout(layout_net)
    lookout(frame(photo, suspect=True), [TrackedPlate(1, PLATE, 0.9, None)])
    assert (lookout.looks, lookout.frames, lookout.spans) == ([], 1, {1: (0.0, 0.0)})


def test_pictures_are_kept_of_few_tracks_and_figures_of_all(photo, layout_net):
    lookout = Lookout(layout_net)
    for number in range(200):
        lookout(frame(photo, number / 10), [TrackedPlate(number, PLATE, 0.9, None)])
    assert len(lookout.looks) == 200
    assert len(lookout.best) <= 120
    lookout.forget_all_but({(1, 0), (1, 5)})
    assert [look.track for look in lookout.looks] == [0, 5]
    assert all(lookout.looks[shown.look].track in (0, 5) for shown in (*lookout.best, *lookout.worst, *lookout.fastest))


def test_the_picture_is_less_sharp_out_of_focus(photo):
    sharp, blurred = sight_of(photo), sight_of(cv2.GaussianBlur(photo, (0, 0), 4))
    assert sharp.edge_px < 4 < blurred.edge_px
    assert sight_of(np.full_like(photo, 90)).edge_px is None


class Script:
    """A live source that gives what it was told."""

    def __init__(self, steps):
        self.steps = iter(steps)
        self.facts = StreamFacts("rtsp://camera/1", codec="h264", fps=25.0)

    def open(self):
        pass

    def read(self):
        step = next(self.steps)
        if isinstance(step, SourceError):
            raise step
        return step

    def decode_key_frames_only(self, wanted):
        pass

    def interrupt(self):
        pass

    def close(self):
        pass


def picture(n, *, fps=25.0, stamp=None, late=0.0, exposed_before=None, suspect=False):
    at = n / fps + late
    arrived = START + timedelta(seconds=at)
    exposed = None if exposed_before is None else arrived - timedelta(seconds=exposed_before)
    return LivePicture(n / fps if stamp is None else stamp, 1000.0 + at, arrived, exposed, suspect, (640, 360), lambda: None, lambda: None)


def noted(steps, connections=1):
    source = NotedSource(Script(steps), 5.0)
    for _ in range(connections):
        source.open()
        try:
            while source.read() is not None:
                pass
        except (SourceError, StopIteration):
            pass
        finally:
            source.close()
    return source.notes()


def test_notes_tell_rate_damage_and_offset():
    notes = noted([*(picture(n, exposed_before=0.25, suspect=n < 5) for n in range(101)), None])
    assert notes.fps == pytest.approx(25.0)
    assert (notes.pictures, notes.suspect, notes.reordered) == (101, 5, False)
    assert notes.offset_s == pytest.approx(0.25)
    assert notes.drift is None, "four seconds are too few"
    assert dict(notes.faults) == {"gone": 1}


def test_notes_tell_jumps_and_gaps_but_not_those_between_connections():
    first = [picture(n) for n in range(50)]
    second = [picture(n, stamp=n / 25 + (500 if n > 120 else 0)) for n in range(100, 150)]
    notes = noted([*first, SourceError("timeout", "no packet"), *second, None], connections=2)
    assert notes.longest_gap_s == pytest.approx(0.04)
    assert len(notes.jumps) == 1
    assert dict(notes.faults) == {"timeout": 1, "gone": 1}


def test_pictures_that_came_in_another_order_tell_b_frames():
    order = [0, 3, 1, 2, 6, 4, 5]
    assert noted([*(picture(n, stamp=place / 25) for place, n in enumerate(order)), None]).reordered


def test_the_end_of_the_test_is_no_fault():
    source = NotedSource(Script([picture(0), picture(1), SourceError("gone", "interrupted")]), 5.0)
    source.open()
    source.read()
    source.read()
    source.interrupt()
    with pytest.raises(SourceError):
        source.read()
    source.close()
    assert source.notes().faults == {}


@given(st.floats(-1e-2, 1e-2), st.integers(0, 5))
def test_drift_is_found_through_jitter(drift, seed):
    times = np.arange(0, 60, 0.04)
    late = np.random.default_rng(seed).exponential(0.02, times.size)
    found = drift_of([(t, 0.2 + drift * t + late_s) for t, late_s in zip(times, late, strict=True)])
    assert found == pytest.approx(drift, abs=1e-4)


def test_a_short_time_tells_no_drift():
    assert drift_of([(n / 25, 0.1) for n in range(500)]) is None
    assert drift_of([]) is None
