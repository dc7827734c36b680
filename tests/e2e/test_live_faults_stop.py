"""Rows 15 and 21 of the table of fault tests: stopping in every state leaves nothing behind, and a reading thread that dies is replaced."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import ClassVar

import pytest

from streamer.config import Camera
from streamer.ports import LivePicture, StreamFacts
from streamer.sources.network import NetworkCamera
from streamer.testcamera import Clip, TestCamera, load_clip
from tests.e2e.livecamera import OPEN_S, Rig, T, camera
from tests.e2e.livecamera_clip import make_clip
from tests.e2e.livecamera_process import black_hole, descriptors

STOP_S = 1.0
"""Better than the table's open time-out + 1 s: stopping interrupts, whatever the camera does."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return load_clip(make_clip(tmp_path_factory.mktemp("clips")))


class Watched:
    """A network camera that notes which threads touch what only the reading thread may, and can be made to die."""

    touched: ClassVar[defaultdict[str, set[str]]] = defaultdict(set)
    dies = threading.Event()

    def __init__(self, name: str, config: Camera) -> None:
        self._name = name
        self._camera = NetworkCamera(name, config)

    @property
    def facts(self) -> StreamFacts:
        return self._camera.facts

    def open(self) -> None:
        self._note()
        self._camera.open()

    def read(self) -> LivePicture | None:
        self._note()
        if self.dies.is_set():
            self.dies.clear()
            raise SystemExit("nothing catches it")
        return self._camera.read()

    def decode_key_frames_only(self, wanted: bool) -> None:
        self._note()
        self._camera.decode_key_frames_only(wanted)

    def interrupt(self) -> None:
        self._camera.interrupt()

    def close(self) -> None:
        self._note()
        self._camera.close()

    def _note(self) -> None:
        self.touched[self._name].add(threading.current_thread().name)


@pytest.fixture(autouse=True)
def watched() -> Iterator[None]:
    Watched.touched.clear()
    Watched.dies.clear()
    yield
    assert all(threads == {f"camera {name}"} for name, threads in Watched.touched.items()), Watched.touched


def in_state(rig: Rig, name: str, state: str, for_s: float = 0.0) -> bool:
    snapshot = rig.of(name)
    return snapshot.state == state and snapshot.since_s >= for_s


def live(rig: Rig, server: TestCamera) -> None:
    rig.live("cam")
    rig.wait(lambda: rig.of("cam").analysed >= 5)


def stalled(rig: Rig, server: TestCamera) -> None:
    live(rig, server)
    server.faults.stall()
    time.sleep(T / 3)
    assert rig.of("cam").state == "live", "not noticed yet: its thread waits for a packet"


def backing_off(rig: Rig, server: TestCamera) -> None:
    live(rig, server)
    server.faults.offline()
    rig.wait(lambda: len(rig.faults("cam")) >= 3 and in_state(rig, "cam", "backoff"))


def muted(rig: Rig, server: TestCamera) -> None:
    live(rig, server)
    server.faults.mute()
    server.faults.drop()
    rig.wait(lambda: in_state(rig, "cam", "connecting", OPEN_S / 5))


def no_picture(rig: Rig, server: TestCamera) -> None:
    server.faults.stall()
    server.faults.drop()
    rig.wait(lambda: in_state(rig, "cam", "connecting", OPEN_S / 5))


def at_once(rig: Rig, server: TestCamera) -> None:
    """Before anything has happened."""


def hidden(rig: Rig, server: TestCamera) -> None:
    """In a service whose only camera is a hole."""
    rig.wait(lambda: in_state(rig, "cam", "connecting", OPEN_S / 5))


STATES: dict[str, Callable[[Rig, TestCamera], None]] = {
    "live": live,
    "stalled": stalled,
    "backing off": backing_off,
    "muted": muted,
    "no picture": no_picture,
    "at once": at_once,
    "hole": hidden,
    "full hole": hidden,
}


@pytest.mark.parametrize("state", STATES)
def test_15_stop(clip: Clip, state: str) -> None:
    before = set(threading.enumerate())
    with TestCamera(clip) as server, ExitStack() as stack:
        url = stack.enter_context(black_hole(full=state.startswith("full"))) if state.endswith("hole") else server.url
        open_before = descriptors()
        with Rig({"cam": camera(url)}, source=Watched) as rig:
            STATES[state](rig, server)
            took_s = rig.stop()
        assert took_s <= STOP_S
        assert rig.of("cam").state == "stopped"
        server.close()  # its threads and sockets are not what is counted
        assert descriptors() <= open_before
    assert set(threading.enumerate()) <= before


def test_15_stop_of_many_cameras_in_many_states(clip: Clip) -> None:
    with ExitStack() as stack:
        servers = {name: stack.enter_context(TestCamera(clip, name=name)) for name in ("live", "stalled", "muted", "closed", "frozen")}
        cameras = {name: camera(server.url) for name, server in servers.items()}
        cameras |= {f"hole{number}": camera(stack.enter_context(black_hole(full=number % 2 == 1))) for number in range(4)}
        rig = stack.enter_context(Rig(cameras, source=Watched))
        for name in servers:
            rig.live(name)
        servers["stalled"].faults.stall()
        servers["muted"].faults.mute()
        servers["muted"].faults.drop()
        servers["closed"].faults.offline()
        rig.wait(lambda: in_state(rig, "closed", "backoff") and in_state(rig, "muted", "connecting"))
        assert rig.stop() <= STOP_S + 0.5, "at the same time, not one after the other"
        assert {snapshot.state for snapshot in rig.service.snapshots()} == {"stopped"}


def test_a_removed_camera_leaves_nothing_behind(clip: Clip) -> None:
    with TestCamera(clip) as server, black_hole() as hole:
        cameras = {"cam": camera(server.url), "hole": camera(hole)}
        with Rig({}, source=Watched) as rig:
            rig.seen |= {name: [] for name in cameras}
            before, open_before = set(threading.enumerate()), descriptors()
            rig.apply(cameras)
            rig.live("cam")
            rig.wait(lambda: in_state(rig, "hole", "connecting", OPEN_S / 5))
            began = time.monotonic()
            rig.apply({})
            assert time.monotonic() - began <= STOP_S
            server.close()
            assert rig.service.snapshots() == []
            assert set(threading.enumerate()) <= before
            assert descriptors() <= open_before
            rig.stop(check=False)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_21_a_reading_thread_that_dies_is_replaced_and_told(clip: Clip, caplog: pytest.LogCaptureFixture) -> None:
    with TestCamera(clip) as server, Rig({"cam": camera(server.url)}, source=Watched) as rig:
        live(rig, server)
        assert rig.of("cam").frame_age_s is not None
        session, analysed = rig.of("cam").session, rig.of("cam").analysed
        died = time.monotonic()
        Watched.dies.set()
        rig.wait(lambda: not Watched.dies.is_set())
        assert rig.of("cam").frame_age_s is not None, "the heartbeat goes on being told"
        assert rig.live("cam", died) - died < 3.0
        rig.wait(lambda: rig.of("cam").analysed > analysed + 10)
        assert rig.of("cam").session > session
    assert "its thread has ended unexpectedly" in caplog.text


def test_the_stop_turns_a_vehicle_in_view_into_an_event(clip: Clip) -> None:
    with TestCamera(clip) as server, Rig({"cam": camera(server.url)}) as rig:
        rig.wait(lambda: sum(one.plates for one in rig.seen["cam"]) >= 10)
        assert rig.records.finals == []
        rig.stop()
        assert [passage.plate for passage in rig.records.finals] == ["AB12CDE"]
