"""Redaction: what is hidden is gone, what belongs to the event stays, and the event says which."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.app import build_pipeline, build_rules, redaction_of
from streamer.config import Config, EvidenceConfig
from streamer.config_file import check
from streamer.errors import UsageError
from streamer.pipeline import Pipeline
from streamer.redaction import COLOUR, Redaction, Redactor, window_of
from streamer.replay_command import run_replay
from streamer.tracker import PlateTracker
from streamer.types import Box, Detection, EncodedPicture, Frame, KnownPlate, PlateRead
from streamer.views import taker_of
from tests.drives import START

DATA = Path(__file__).parent / "data"
WIDTH, HEIGHT = 160, 90
OWN = Box(60, 50, 90, 60)
REGION = ((0.0, 0.0), (0.2, 0.0), (0.1, 0.3))

boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h), *(st.floats(low, high) for low, high in ((-20, 170), (-20, 100), (4, 60), (2, 30)))
)
plates = st.lists(st.builds(KnownPlate, boxes, st.floats(0, 10)), max_size=4)


def noise(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@settings(max_examples=25, deadline=None)
@given(plates=plates, windows=st.booleans(), regions=st.booleans())
def test_nothing_of_what_is_hidden_is_in_the_result(plates, windows, regions):
    redactor = Redactor(Redaction(other_plates=True, windows=windows, regions=(REGION,) if regions else ()))
    one, other = noise(1), noise(2)
    hidden = (redactor.apply(one, OWN, plates).image == COLOUR).all(axis=2) & (redactor.apply(other, OWN, plates).image == COLOUR).all(
        axis=2
    )
    changed = np.where(hidden[..., None], other, one)
    assert np.array_equal(redactor.apply(changed, OWN, plates).image, redactor.apply(one, OWN, plates).image)
    assert np.array_equal(one, noise(1)), "the frame is shared: it is not changed"
    assert np.array_equal(redactor.apply(one, OWN, plates).image[~hidden], one[~hidden])
    own = redactor.apply(one, OWN, plates).image[50:60, 60:90]
    assert np.array_equal(own, one[50:60, 60:90]), "the plate of the event stays"


def test_others_are_hidden_with_their_rim_and_the_event_s_own_boxes_are_not_others():
    found = [KnownPlate(OWN), KnownPlate(Box(62, 51, 80, 59)), KnownPlate(Box(100, 20, 130, 30))]
    redacted = Redactor(Redaction(other_plates=True)).apply(noise(1), OWN, found)
    assert redacted.counts((0, 0, WIDTH, HEIGHT)) == {"other_plates": 1}
    assert redacted.counts((0, 40, WIDTH, HEIGHT)) == {"other_plates": 0}
    grey = (redacted.image == COLOUR).all(axis=2)
    assert grey[17:33, 97:133].all()
    assert grey.sum() == 16 * 36


def test_a_plate_that_is_expected_is_hidden_as_far_as_it_may_be_off():
    (area,) = Redactor(Redaction(other_plates=True)).apply(noise(1), OWN, [KnownPlate(Box(100, 20, 130, 30), off_px=5.0)]).areas
    assert area == ("other_plates", (92, 12, 138, 38))


def test_windows_of_all_vehicles_go_and_those_out_of_the_picture_do_not_count():
    found = [KnownPlate(OWN), KnownPlate(Box(140, 70, 152, 74)), KnownPlate(Box(10, 1, 20, 4))]
    redacted = Redactor(Redaction(windows=True)).apply(noise(1), OWN, found)
    assert redacted.counts((0, 0, WIDTH, HEIGHT)) == {"windows": 2}
    window = window_of(KnownPlate(Box(140, 70, 152, 74)))
    assert (redacted.image[int(window.y1) + 1 : int(window.y2), int(window.x1) + 1 : int(window.x2)] == COLOUR).all()


def test_without_anything_to_hide_the_picture_is_the_frame():
    image = noise(1)
    redacted = Redactor(Redaction()).apply(image, OWN, [KnownPlate(Box(100, 20, 130, 30))])
    assert redacted.image is image
    assert redacted.counts((0, 0, WIDTH, HEIGHT)) is None


def test_regions_are_of_the_whole_picture_also_where_a_part_of_it_is_analysed():
    """The camera analyses the right half; the region is the right half of that, from top to bottom."""
    region = [[0.75, 0.0], [1.0, 0.0], [1.0, 1.0], [0.75, 1.0]]
    half = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]
    config = Config(
        cameras={"gate": {"url": "rtsp://h/p", "region": half}}, evidence={"scene": True, "redact": {"regions": {"gate": [region]}}}
    )
    redacted = Redactor(redaction_of(config, "gate")).apply(noise(1), OWN, [])
    grey = (redacted.image == COLOUR).all(axis=2)
    assert grey[:, WIDTH // 2 :].mean() > 0.9
    assert not grey[:, : WIDTH // 2 - 4].any()
    assert redaction_of(config, "other").regions == ()
    assert Redactor(redaction_of(Config(evidence={"redact": {"regions": {"x": [REGION]}}}), "x")).apply(noise(1), OWN, []).counts(
        (0, 0, WIDTH, HEIGHT)
    ) == {"other_plates": 0, "regions": 1}


def test_a_region_of_an_unknown_camera_is_a_mistake(tmp_path):
    file = tmp_path / "c.yaml"
    text = "cameras: {gate: {url: 'rtsp://h/p'}}\nevidence:\n  redact:\n    regions:\n      gat: [[[0, 0], [1, 0], [1, 1]]]\n"
    file.write_text(text)
    (problem,) = check(file)
    assert "gat" in str(problem)
    assert "did you mean 'gate'" in str(problem)
    file.write_text(text.replace("gat:", "gate:").replace("[1, 0]", "[2, 0]"))
    (problem,) = check(file)
    assert problem.line == 5
    assert "share of the picture" in str(problem)


def test_regions_that_are_of_none_of_the_recordings_are_told(tmp_path, data, caplog):
    corner = [[[0, 0], [0.3, 0], [0.3, 0.2]]]
    config = Config(evidence={"redact": {"regions": {"gate": corner, "gb_one_car_720p": corner}}}, privacy={"mode": "pseudonymous"})
    with pytest.raises(UsageError, match="--annotate"):  # so nothing is replayed
        run_replay(config, [str(data / "clips/gb_one_car_720p.mp4")], out=tmp_path, annotate=True, as_json=False, every=None, start=None)
    (told,) = caplog.messages
    assert told.endswith("none of these recordings is called gate, so its regions hide nothing here; there are: gb_one_car_720p")


def test_a_plate_that_the_detector_misses_for_a_moment_stays_known():
    tracker = PlateTracker(lost_after_s=1.5, reach=3.0, min_score=0.25)
    for k in range(5):
        x = 100.0 + 20 * k
        tracker.update([Detection(Box(x, 50, x + 90, 70), 0.9), Detection(Box(500, 50, 590, 70), 0.9)], 0.1 * k)
    (lost,) = tracker.update([Detection(Box(500, 50, 590, 70), 0.9)], 0.5).lost
    assert lost.box.centre == pytest.approx((245.0, 60.0), abs=8.0)
    assert (lost.box.width, lost.box.height) == pytest.approx((90.0, 20.0), rel=0.2)
    assert 0 < lost.off_px < 90
    assert tracker.update([], 3.0).lost == ()


class Everywhere:
    """A detector of plates at given places, and a reader that reads one text of wide plates and another of narrow ones."""

    info = None

    def __init__(self, places):
        self.places = places

    def detect(self, images):
        return [self.places[int(image[0, 0, 0])] for image in images]

    def read(self, crops):
        return [PlateRead("KA12BC" if crop.shape[1] > 75 else "XY77ZZ", (0.9,) * 6) for crop in crops]


def test_the_pipeline_tells_of_all_plates_it_knows():
    """One vehicle stands in front; another is seen in some frames, missed in others; a third is too faint for a track."""
    config = Config(evidence={"scene": True, "vehicle": True, "redact": {"windows": True}})
    own, other, faint = (
        Detection(Box(600, 500, 680, 520), 0.9),
        Detection(Box(200, 300, 260, 315), 0.9),
        Detection(Box(900, 300, 960, 315), 0.1),
    )
    places = [[own, other, faint], [own, faint]]
    make_tracker, make_book = build_rules(config)
    pipeline = Pipeline(Everywhere(places), Everywhere(places), make_tracker, make_book, lambda read: None)
    for k in range(20):
        image = noise(3, 720, 1280)
        image[0, 0, 0] = 0 if k in (0, 1, 2, 5, 9) else 1
        pipeline.process([Frame("gate", 1, k, 0.1 * k, 0.0, START, "option", image)])
    passages = {passage.tracks: passage for passage in pipeline.finish("gate")}
    vehicle, scene = passages[1,].pictures
    assert scene.redacted == {"other_plates": 2, "windows": 3}
    assert vehicle.redacted == {"other_plates": 0, "windows": 1}
    for box in (other.box, faint.box):
        x, y = map(round, box.centre)
        assert decoded(scene)[y, x] == pytest.approx(COLOUR, abs=4)
    assert decoded(scene)[510, 640:650].std() > 10, "its own plate is as it was"


def decoded(picture: EncodedPicture) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_COLOR)


@cache
def reading() -> Pipeline:
    return build_pipeline(Config(detector={"threads": 1}, reader={"threads": 1}), stills=True)


def test_nobody_reads_a_redacted_plate_and_everybody_the_event_s_own():
    """Two photographs side by side; our own reader is the judge, in a picture of the best quality."""
    left, right = (cv2.imread(str(DATA / "photos" / name)) for name in ("oi_00026.webp", "oi_00016.webp"))
    height = min(left.shape[0], right.shape[0])
    both = np.hstack([left[:height], right[:height]])
    found = reading().read(both)
    assert {"M5CEU", "AZ85NR"} <= {one.plate for one in found}
    own = next(one.box for one in found if one.plate == "M5CEU")
    take = taker_of(EvidenceConfig(scene=True, quality=100, scene_max_px=4000), Redaction(other_plates=True, windows=True))
    (scene,) = take(both, own, [KnownPlate(one.box) for one in found])
    assert {one.raw for one in reading().read(decoded(scene))} == {"M5CEU"}
    assert scene.redacted["other_plates"] == len(found) - 1
