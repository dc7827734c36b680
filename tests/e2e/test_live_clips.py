"""Clips of real cameras: what was sent around a vehicle, picture by picture, whatever was decoded of it; nothing of a second session."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.clips import ClipRules, LiveClips, Wanted
from streamer.config import Camera
from streamer.live.capture import LiveCapture
from streamer.live.motion import MotionGate
from streamer.live.stats import CameraStats
from streamer.mailbox import Mailbox
from streamer.sources.network import NetworkCamera
from streamer.testcamera import MjpegCamera, TestCamera, load_clip
from streamer.types import EncodedPicture, Passage, RawFrame
from tests.e2e.livecamera import Rig, camera
from tests.e2e.livecamera_clip import FPS, LENGTH, make_clip, number_of

WANTED = Wanted(before_s=0.4, after_s=0.4, longest_s=10.0)


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips"))


class ClipRig(Rig):
    """The real service, whose cameras fill rings."""

    def __init__(self, name: str, config: Camera) -> None:
        self.clips = LiveClips(ClipRules(WANTED, 30.0, 2**24, frozenset({name})))
        super().__init__({name: config})

    def _make(self, name: str, config: Camera, mailbox: Mailbox[RawFrame], stats: CameraStats, first: int) -> LiveCapture:
        if name not in self.turns:
            self._listen(stats, self.turns.setdefault(name, []))
        ring = self.clips.ring(name)
        gate = MotionGate if config.motion_gate else None
        source = NetworkCamera(name, config, ring=ring)
        return LiveCapture(source, config, mailbox, stats, first_session=first, make_gate=gate, ring=ring)


@contextmanager
def running(server: TestCamera | MjpegCamera, **settings: Any) -> Iterator[ClipRig]:
    patient = {"read_timeout_s": 10.0, "first_frame_timeout_s": 20.0, "open_timeout_s": 10.0}
    with server, ClipRig("gate", camera(server.url, **patient, **settings)) as rig:
        yield rig


def cut(rig: ClipRig, passage: Passage) -> tuple[EncodedPicture, list[int], bool]:
    """Give the clip of a passage, the numbers of its pictures, and whether the first is a key frame."""
    clip = rig.clips.cut(passage, ending=False)
    assert isinstance(clip, EncodedPicture), clip
    with av.open(io.BytesIO(clip.content)) as container:
        frames = list(container.decode(video=0))
    return clip, [number_of(frame.to_ndarray(format="bgr24")) for frame in frames], frames[0].key_frame


def over(rig: ClipRig) -> list[Passage]:
    """Passages whose clips can be cut now."""
    return [one for one in rig.records.finals if isinstance(rig.clips.cut(one, ending=False), EncodedPicture)]


def consecutive(numbers: list[int]) -> bool:
    return all((b - a) % LENGTH == 1 for a, b in pairwise(numbers))


SERVERS: dict[str, Callable[[Path], TestCamera | MjpegCamera]] = {
    "h264": lambda file: TestCamera(load_clip(file)),
    "h265": lambda file: TestCamera(load_clip(file, codec="h265")),
    "mjpeg": lambda file: MjpegCamera(load_clip(file, codec="mjpeg")),
}


@pytest.mark.parametrize("codec", SERVERS)
def test_the_clip_of_a_vehicle_has_every_picture_around_it(codec: str, clip_file: Path) -> None:
    with running(SERVERS[codec](clip_file)) as rig:
        first = rig.wait(lambda: over(rig))[0]
        clip, numbers, key = cut(rig, first)
        seen = [one for one in rig.seen["gate"] if one.frame.session == first.session and one.plates]
    facts = clip.clip
    assert facts is not None
    assert key
    assert consecutive(numbers), numbers
    assert clip.suffix == (".mkv" if codec == "mjpeg" else ".mp4")
    assert facts.frames == len(numbers)
    looks = {one.frame.index: one.number for one in seen}
    for stamp, place in ((first.first, facts.first_frame), (first.best, facts.best_frame), (first.last, facts.last_frame)):
        assert place is not None
        assert numbers[place] == looks[stamp.index], "the very picture that was analysed"
    assert facts.begin_t <= max(first.first.t - WANTED.before_s, 0.0) + 0.05
    assert first.last.t + WANTED.after_s - 2 / FPS <= facts.end_t or not facts.complete


def test_pictures_that_nobody_decoded_are_in_the_clip(clip_file: Path) -> None:
    """The camera dozes: of most groups of pictures only the key frame is decoded, and yet the clip has them all."""
    with running(TestCamera(load_clip(clip_file)), process_fps=5.0, motion_gate=True, decode="key_frames_while_idle") as rig:
        first = rig.wait(lambda: over(rig))[0]
        clip, numbers, key = cut(rig, first)
    assert key
    assert consecutive(numbers)
    assert clip.clip is not None
    assert len(numbers) > first.looks


def test_a_clip_ends_with_its_session(clip_file: Path) -> None:
    server = TestCamera(load_clip(clip_file))
    with running(server) as rig:
        rig.wait(lambda: any(one.plates for one in rig.seen["gate"]))
        cut_at = time.monotonic()
        server.faults.apply("drop")
        first = rig.wait(lambda: over(rig))[0]
        clip, numbers, key = cut(rig, first)
        rig.live("gate", cut_at)
        rig.wait(lambda: len({one.frame.session for one in rig.seen["gate"]}) > 1)
        again, after, _ = cut(rig, first)
    assert key
    assert consecutive(numbers), "the camera went on meanwhile: pictures of two sessions would have a gap"
    facts = clip.clip
    assert facts is not None
    assert not facts.complete
    assert (again.content, after) == (clip.content, numbers), "what came in the next session changes nothing"
    # By the stamps, it is as long as its pictures; by arrival, which counts while the stamps are not trusted yet, pictures come in bursts.
    assert facts.duration_s == pytest.approx(len(numbers) / FPS, abs=0.5)
