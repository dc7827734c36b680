"""Plates that move as they do before a real lens, and what the tracker makes of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.tracker import PlateTracker, TrackerUpdate
from streamer.types import Box, Detection

FOCAL = 1400.0
FRAME = (1280.0, 720.0)


@dataclass(frozen=True)
class Plate:
    """A plate of 0.52 by 0.11 m that moves before a camera; metres: x right, y down, z ahead of the lens."""

    name: str
    at: Callable[[float], tuple[float, float, float]]
    hidden: tuple[float, float] = (math.inf, math.inf)

    def box(self, t: float) -> Box | None:
        """What of it lies in the frame, if it can be seen."""
        x, y, z = self.at(t)
        if z < 2 or self.hidden[0] <= t < self.hidden[1]:
            return None
        u, v, w, h = FRAME[0] / 2 + FOCAL * x / z, FRAME[1] / 2 + FOCAL * y / z, FOCAL * 0.52 / z, FOCAL * 0.11 / z
        inside = w / 2 < u < FRAME[0] - w / 2 and h / 2 < v < FRAME[1] - h / 2
        return Box(u - w / 2, v - h / 2, u + w / 2, v + h / 2) if inside else None


def straight(
    start: tuple[float, float, float], speed: tuple[float, float, float], since: float = 0.0
) -> Callable[[float], tuple[float, float, float]]:
    return lambda t: (start[0] + speed[0] * (t - since), start[1] + speed[1] * (t - since), start[2] + speed[2] * (t - since))


@dataclass(frozen=True)
class Camera:
    """How the plates are filmed and found."""

    fps: float = 30.0
    drops: float = 0.0
    misses: float = 0.0
    jitter: float = 0.03
    seed: int = 0

    def film(self, plates: Sequence[Plate], seconds: float) -> Iterator[tuple[float, list[tuple[str, Detection]]]]:
        """Give (time, [(name of the plate, detection)]) of each frame that was not dropped."""
        rng = np.random.default_rng(self.seed)
        for index in range(int(seconds * self.fps)):
            t = index / self.fps
            if rng.random() < self.drops:
                continue
            seen = []
            for plate in plates:
                box = plate.box(t)
                if box is None or rng.random() < self.misses:
                    continue
                dx, dy, dw, dh = rng.normal(0, self.jitter, 4) * (box.width, 3 * box.height, box.width, 3 * box.height)
                score = float(rng.uniform(0.3, 0.9))
                seen.append((plate.name, Detection(Box(box.x1 + dx, box.y1 + dy, box.x2 + dx + dw, box.y2 + dy + dh), score)))
            rng.shuffle(seen)
            yield t, seen


class Tracker(Protocol):
    def update(self, detections: Sequence[Detection], t: float) -> TrackerUpdate: ...


def tracker(lost_after_s: float = 1.5, reach: float = 3.0, min_score: float = 0.25) -> PlateTracker:
    return PlateTracker(lost_after_s=lost_after_s, reach=reach, min_score=min_score)


@dataclass
class Followed:
    """What became of one plate: its looks as (time, track number)."""

    looks: list[tuple[float, int]] = field(default_factory=list)

    @property
    def tracks(self) -> list[int]:
        """Its track numbers, in order of appearance."""
        return list(dict.fromkeys(number for _, number in self.looks))

    def gaps(self, longer_than_s: float) -> int:
        """How often it was not seen for so long."""
        return sum(later - earlier > longer_than_s for (earlier, _), (later, _) in pairwise(self.looks))


def follow(plates: Sequence[Plate], seconds: float, camera: Camera, under_test: Tracker) -> dict[str, Followed]:
    """Run the tracker over a film; checks that every detection has a track."""
    followed = {plate.name: Followed() for plate in plates}
    for t, seen in camera.film(plates, seconds):
        numbers = {id(detection): number for number, detection in under_test.update([d for _, d in seen], t).pairs}
        assert len(numbers) == len(seen)
        for name, detection in seen:
            followed[name].looks.append((t, numbers[id(detection)]))
    return followed


def assert_each_stays_itself(followed: dict[str, Followed], lost_after_s: float = 1.5) -> None:
    """One track for each plate, one more for every time that it was out of sight for too long, and none shared."""
    assert {name: len(plate.tracks) for name, plate in followed.items()} == {
        name: 1 + plate.gaps(lost_after_s) for name, plate in followed.items()
    }
    numbers = [number for plate in followed.values() for number in plate.tracks]
    assert len(set(numbers)) == len(numbers)


LANES = [
    Plate("left", straight((-1.8, 4.0, 45.0), (0, 0, -9.0))),
    Plate("right", straight((1.8, 4.0, 48.0), (0, 0, -11.0))),
    Plate("behind", straight((-1.8, 4.0, 60.0), (0, 0, -9.0))),
]
CROSSING = [
    Plate("to the right", straight((-6.0, 1.2, 15.0), (7.0, 0, 0))),
    Plate("to the left", straight((7.5, 1.0, 17.0), (-8.0, 0, 0))),
]
LEAVING = [Plate("away", straight((1.5, 3.5, 14.0), (0, 0, 8.0))), Plate("towards", straight((-1.8, 3.5, 50.0), (0, 0, -12.0)))]
HIDDEN = [
    Plate("passes a pillar", straight((-1.5, 3.5, 30.0), (0, 0, -8.0)), hidden=(1.0, 2.0)),
    Plate("the other lane", straight((1.9, 3.5, 34.0), (0, 0, -8.0))),
]
HIDDEN_SIDEWAYS = [Plate("passes a pillar", straight((-5.8, 1.0, 14.0), (4.0, 0, 0)), hidden=(1.2, 2.2))]


def braking(t: float) -> tuple[float, float, float]:
    """35 m away at 10 m/s, stops after 5 s before the gate, and drives off 3 s later."""
    if t < 5:
        return -0.5, 2.5, 35 - 10 * t + t * t
    return -0.5, 2.5, 10.0 if t < 8 else 10 - (t - 8) ** 2


SCENES = {
    "lanes": (LANES, 7.0),
    "crossing": (CROSSING, 2.0),
    "leaving": (LEAVING, 4.0),
    "hidden": (HIDDEN, 3.0),
    "hidden sideways": (HIDDEN_SIDEWAYS, 2.9),
    "braking": ([Plate("toll", braking)], 11.0),
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("fps", [30, 25, 10, 5])
@pytest.mark.parametrize("seed", range(5))
def test_same_tracks_at_any_rate_with_drops_and_misses(scene: str, fps: float, seed: int) -> None:
    plates, seconds = SCENES[scene]
    assert_each_stays_itself(follow(plates, seconds, Camera(fps, seed=seed), tracker()))
    # Fewer drops at 5 a second: crossing plates move 3.5 sizes a frame, and what was seen once is told apart by place alone.
    lossy = Camera(fps, drops=0.3 if fps > 5 else 0.1, misses=0.1, seed=seed)
    assert_each_stays_itself(follow(plates, seconds, lossy, tracker()))


@given(
    x=st.floats(-3, 3),
    down=st.floats(2, 4),
    far=st.floats(25, 50),
    sideways=st.floats(-1, 1),
    speed=st.floats(2, 14),
    braking=st.floats(-1, 2),
    fps=st.sampled_from([5.0, 10.0, 25.0, 30.0, 60.0]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=100)
def test_one_approaching_vehicle_is_one_track(
    x: float, down: float, far: float, sideways: float, speed: float, braking: float, fps: float, seed: int
) -> None:
    stops_after = speed / braking if braking > 0 else math.inf

    def at(t: float) -> tuple[float, float, float]:
        t = min(t, stops_after)
        way = speed * t - 0.5 * braking * t * t
        return x + sideways * way / speed, down, far - way

    assert_each_stays_itself(_without_the_unseen(follow([Plate("it", at)], 8.0, Camera(fps, misses=0.1, seed=seed), tracker())))


def _without_the_unseen(followed: dict[str, Followed]) -> dict[str, Followed]:
    return {name: plate for name, plate in followed.items() if plate.looks}


def test_numbers_are_in_order_of_appearance_and_the_same_every_time() -> None:
    runs = [follow(LANES, 7.0, Camera(10, drops=0.3, seed=3), tracker()) for _ in range(2)]
    assert {name: plate.looks for name, plate in runs[0].items()} == {name: plate.looks for name, plate in runs[1].items()}
    assert sorted(number for plate in runs[0].values() for number in plate.tracks) == [1, 2, 3]


@pytest.mark.parametrize("fps", [30, 5])
def test_a_parked_plate_stays_one_track_for_minutes(fps: float) -> None:
    parked = Plate("parked", straight((0.5, 2.0, 12.0), (0, 0, 0)))
    passing = Plate("passing", straight((-1.6, 2.5, 90.0), (0, 0, -1.2)))
    assert_each_stays_itself(follow([parked, passing], 120.0, Camera(fps, misses=0.3, jitter=0.06), tracker()))


def test_a_plate_at_the_same_place_three_seconds_later_is_another_track() -> None:
    plates = [
        Plate("first", straight((0.0, 3.0, 14.0), (0, 0, 0)), hidden=(2.0, 99.0)),
        Plate("second", straight((0.0, 3.0, 14.0), (0, 0, 0)), hidden=(-1.0, 5.0)),
    ]
    followed = follow(plates, 8.0, Camera(10), tracker())
    assert [plate.tracks for plate in followed.values()] == [[1], [2]]


def test_a_lorry_that_appears_where_a_car_is_hidden_does_not_take_its_track() -> None:
    car = Plate("car", straight((0.0, 3.0, 20.0), (0, 0, -4.0)), hidden=(1.0, 2.0))
    lorry = Plate("lorry", straight((-5.0, 2.2, 9.0), (3.0, 0, 0)), hidden=(-1.0, 1.0))
    assert_each_stays_itself(follow([car, lorry], 3.0, Camera(25), tracker()))


def detection(u: float, v: float, width: float = 100.0, score: float = 0.8) -> Detection:
    return Detection(Box(u - width / 2, v - width / 9, u + width / 2, v + width / 9), score)


def test_a_weak_detection_keeps_a_track_alive_but_starts_none() -> None:
    under_test = tracker(lost_after_s=1.0)
    assert under_test.update([detection(300, 300, score=0.1)], 0.0).pairs == ()
    assert [number for number, _ in under_test.update([detection(300, 300)], 0.1).pairs] == [1]
    for tenth in range(2, 40):
        update = under_test.update([detection(300, 300, score=0.1), detection(900, 300, score=0.1)], tenth / 10)
        assert [(number, found.box.centre[0]) for number, found in update.pairs] == [(1, 300.0)]
        assert update.ended == ()


def test_a_strong_detection_goes_before_a_weak_one() -> None:
    under_test = tracker()
    under_test.update([detection(300, 300)], 0.0)
    update = under_test.update([detection(302, 300, score=0.1), detection(330, 300)], 0.1)
    assert [(number, found.score) for number, found in update.pairs] == [(1, 0.8)]


def test_a_second_box_on_the_same_plate_starts_no_track() -> None:
    under_test = tracker()
    update = under_test.update([detection(300, 300), detection(320, 302, width=60), detection(600, 300)], 0.0)
    assert [(number, found.box.centre[0]) for number, found in update.pairs] == [(1, 300.0), (2, 600.0)]


def test_ended_tracks_are_reported_once() -> None:
    under_test = tracker(lost_after_s=1.0)
    under_test.update([detection(300, 300), detection(700, 300)], 0.0)
    under_test.update([detection(700, 300)], 0.9)
    assert under_test.update([detection(700, 300)], 1.01).ended == (1,)
    assert under_test.update([detection(700, 300)], 1.1).ended == ()
    assert under_test.finish() == (2,)
    assert under_test.finish() == ()


def test_size_tells_a_plate_from_another_at_its_place() -> None:
    under_test = tracker()
    under_test.update([detection(300, 300, width=100)], 0.0)
    assert [number for number, _ in under_test.update([detection(310, 300, width=30)], 0.1).pairs] == [2]


def test_time_must_go_forward() -> None:
    under_test = tracker()
    under_test.update([], 1.0)
    with pytest.raises(ValueError, match="time must go forward"):
        under_test.update([], 1.0)


def test_five_plates_cost_less_than_a_millisecond() -> None:
    plates = [Plate(str(lane), straight((1.5 * lane - 3, 3.0, 60.0), (0, 0, -4.0))) for lane in range(5)]
    films = [[d for _, d in seen] for _, seen in Camera(30).film(plates, 10.0)]
    best = math.inf
    for _ in range(3):
        under_test = tracker()
        began = time.process_time()
        for index, detections in enumerate(films):
            under_test.update(detections, index / 30)
        best = min(best, (time.process_time() - began) / len(films))
    assert best < 1e-3
