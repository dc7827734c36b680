"""The pictures around a plate: what they show, when they are made, and where they end up."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from streamer.app import build_rules
from streamer.config import Config, EvidenceConfig
from streamer.evidence import EvidenceFolder
from streamer.shots import Views
from streamer.types import Box, Detection, EncodedPicture, Frame, PlateRead, Stamp
from streamer.views import around, taker_of

FRAME = np.zeros((720, 1280, 3), np.uint8)
FRAME[300:560, 500:780] = (0, 0, 200)  # the car
FRAME[500:520, 600:680] = 255  # its plate
PLATE = Box(600, 500, 680, 520)


def decoded(picture: EncodedPicture) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_COLOR)


def test_nothing_is_taken_unless_it_is_asked_for():
    assert taker_of(EvidenceConfig()) is None


def test_the_vehicle_is_the_car_around_the_plate_and_the_scene_all():
    take = taker_of(EvidenceConfig(vehicle=True, scene=True, scene_max_px=640))
    assert take is not None
    vehicle, scene = take(FRAME, PLATE, [])
    assert (vehicle.kind, scene.kind) == ("vehicle", "scene")
    assert (scene.width, scene.height) == (640, 360)
    for picture in (vehicle, scene):
        assert decoded(picture).shape == (picture.height, picture.width, 3)
    red = (decoded(vehicle)[..., 2] > 100) & (decoded(vehicle)[..., 1] < 100)
    assert red.mean() > 0.5, "most of it is the car"
    assert vehicle.width < 500


@pytest.mark.parametrize("box", [Box(0, 0, 10, 4), Box(1270, 716, 1280, 720), Box(0, 0, 1280, 720), Box(-5, -5, 3, 2)])
def test_at_the_rim_it_is_cut(box):
    left, top, right, bottom = around(1280, 720, box)
    assert 0 <= left < right <= 1280
    assert 0 <= top < bottom <= 720


def test_webp_and_quality():
    sizes = {}
    noisy = np.random.default_rng(0).integers(0, 255, FRAME.shape, np.uint8)
    for kind, quality in (("jpeg", 40), ("jpeg", 90), ("webp", 40)):
        take = taker_of(EvidenceConfig(scene=True, format=kind, quality=quality))
        (picture,) = take(noisy, PLATE, [])
        assert picture.suffix == {"jpeg": ".jpg", "webp": ".webp"}[kind]
        sizes[kind, quality] = len(picture.content)
    assert sizes["jpeg", 40] < sizes["jpeg", 90]


def test_a_frame_is_encoded_once_and_let_go():
    taken = []
    views = Views(FRAME, PLATE, [], lambda image, box, plates: taken.append(image) or (EncodedPicture("scene", b"x", ".jpg", 1, 1),))
    assert views.develop() == views.develop()
    assert len(taken) == 1


def test_they_show_the_frame_whose_crop_is_the_evidence(tmp_path, make_passage):
    """Frames get lighter from look to look: the scene's brightness tells which one it was."""
    config = Config(evidence={"vehicle": True, "scene": True}, passages={"read_interval_s": 0.1})
    book = build_rules(config)[1]("gate")
    start = make_passage().best.wall
    for number in range(30):
        t = 0.1 * number
        image = np.clip(FRAME.astype(int) // 2 + 4 * number, 0, 255).astype(np.uint8)
        frame = Frame("gate", 1, number, t, t, start, "option", image)
        for request in book.look(frame, [(1, Detection(PLATE, 0.9))]):
            book.give(request, PlateRead("KA12BC", (0.9,) * 6))
        book.decide(Stamp(t, start, number), 1)
    for request in book.ended(1, [1]):
        book.give(request, PlateRead("KA12BC", (0.9,) * 6))
    (passage,) = book.flush()
    vehicle, scene = passage.pictures
    assert decoded(scene)[0, 0, 0] == pytest.approx(4 * passage.best.index, abs=2)
    assert (vehicle.kind, scene.kind) == ("vehicle", "scene")

    files = EvidenceFolder(tmp_path).save([passage, replace(passage, key="1-9", pictures=())])
    assert [[one.kind for one in of_passage] for of_passage in files] == [["crop", "vehicle", "scene"], ["crop"]]
    for one in files[0]:
        assert hashlib.sha256((tmp_path / one.file).read_bytes()).hexdigest() == one.sha256
        assert json.dumps(one.file).startswith({"crop": '"crops/', "vehicle": '"vehicles/', "scene": '"scenes/'}[one.kind])
