"""USB cameras, against a pretended one (fakev4l2.c): what is granted, every fault with its reason and its bound, and the way back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.config import Camera
from streamer.errors import SourceError
from streamer.sources import rawpictures
from streamer.sources.usb import UsbCamera

pytestmark = pytest.mark.timeout(30)

HERE = Path(__file__).resolve().parent
T = 1.0
"""read_timeout_s of most tests here."""
SELECT_S = 1.0

# Opens and reads for ever, as a reading thread does, and prints what happens, one JSON object a line.
CHILD = """
import json, sys, time
from streamer.sources.usb import prepare_environment
options = json.loads(sys.argv[1])
if options.pop("import_cv2_first", False):
    import cv2
if options.pop("prepare", True):
    prepare_environment()
import logging, threading
from streamer.config import Camera
from streamer.errors import SourceError
from streamer.sources.usb import UsbCamera

def say(**fields):
    print(json.dumps({"at": time.monotonic(), **fields}), flush=True)

class Tell(logging.Handler):
    def emit(self, record):
        say(log=record.getMessage(), camera=record.camera)

logging.getLogger("streamer").addHandler(Tell())
logging.getLogger("streamer").setLevel(logging.INFO)
camera = UsbCamera("gate", Camera(**options))
threading.Thread(target=lambda: [camera.interrupt() for line in sys.stdin if line == "interrupt\\n"], daemon=True).start()
while True:
    try:
        camera.open()
        while True:
            began = time.monotonic()
            picture = camera.read()
            luma = picture.luma()
            image = picture.convert()
            say(stamp=picture.stamp_s, arrived=picture.arrived_at, suspect=picture.suspect, size=picture.size, luma=luma.shape,
                image=image.shape, frozen=not image.flags.writeable and not luma.flags.writeable, mean=float(image.mean()),
                corner=[int(v) for v in image[8, 8:256:16, 1]], codec=camera.facts.codec, packets=camera.facts.packets)
    except SourceError as error:
        say(reason=error.reason, message=str(error))
        if str(error).endswith("interrupted"):
            break
        time.sleep(0.05)
    finally:
        camera.close()
"""


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pretended camera, compiled."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None or sys.platform != "linux":
        pytest.skip("the pretended camera needs a C compiler and Linux")
    library = tmp_path_factory.mktemp("fake") / "fakev4l2.so"
    source = str(HERE / "fakev4l2.c")
    subprocess.run([compiler, "-Wall", "-Werror", "-shared", "-fPIC", "-O2", "-o", str(library), source, "-ldl"], check=True, timeout=60)
    return library


class Rig:
    """A program that reads the pretended camera, and the faults of that."""

    def __init__(self, library: Path, folder: Path, **options: object) -> None:
        self.folder = folder
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV")}
        environment |= {"LD_PRELOAD": str(library), "FAKE_V4L2_DIR": str(folder), **options.pop("environment", {})}
        settings = {"device": "/dev/video42", "read_timeout_s": T, "first_frame_timeout_s": 3.0, **options}
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=HERE.parent,
        )

    def set(self, fault: str) -> float:
        (self.folder / fault).touch()
        return time.monotonic()

    def clear(self, fault: str) -> float:
        (self.folder / fault).unlink()
        return time.monotonic()

    def next(self, key: str, after: float = 0.0) -> dict:
        """Give the next line that tells ``key`` and happened after a moment."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            fields = json.loads(line)
            if key in fields and fields["at"] >= after:
                return fields
        raise AssertionError("the program ended")

    def interrupt(self) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write("interrupt\n")
        self.process.stdin.flush()
        return time.monotonic()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(fake: Path, tmp_path: Path) -> Iterator:
    rigs: list[Rig] = []

    def run(**options: object) -> Rig:
        rigs.append(Rig(fake, tmp_path, **options))
        return rigs[-1]

    yield run
    for rig in rigs:
        rig.close()


def test_pictures_come_with_the_kernels_time_and_what_was_granted_is_told_once(start):
    rig = start(width=1920, height=1080, fps=30)
    told = rig.next("log")
    assert told["camera"] == "gate"
    assert "/dev/video42 gives yuyv 640x480 at 25 a second" in told["log"]
    first, second = rig.next("stamp"), rig.next("stamp")
    assert first["size"] == [640, 480]
    assert first["image"] == [480, 640, 3]
    assert first["luma"] == [120, 160]
    assert first["frozen"]
    assert not first["suspect"]
    assert first["codec"] == "yuyv"
    assert second["packets"] == first["packets"] + 1
    for picture in (first, second):
        assert 0.0 <= picture["arrived"] - picture["stamp"] < 0.5, "the kernel's clock is the monotonic one"
    assert 0.0 < second["stamp"] - first["stamp"] < 1.0
    numbers = [sum((level > 128) << bit for bit, level in enumerate(picture["corner"])) for picture in (first, second)]
    assert numbers[1] > numbers[0], "the picture is the one that belongs to the stamp"
    began = rig.set("unplug")
    rig.next("reason", began)
    back = rig.clear("unplug")
    rig.next("stamp", back)
    rig.set("unplug")
    assert rig.process.stdout is not None
    lines = [json.loads(rig.process.stdout.readline()) for _ in range(3)]
    assert not [line for line in lines if "log" in line], "what is granted is told again only if it changed"


@pytest.mark.parametrize("import_cv2_first", [False, True])
def test_a_stall_is_bounded_and_ends(start, import_cv2_first):
    rig = start(import_cv2_first=import_cv2_first)
    rig.next("stamp")
    began = rig.set("stall")
    fault = rig.next("reason", began)
    assert fault["reason"] == "timeout"
    assert fault["at"] - began <= T + SELECT_S + 0.5
    back = rig.clear("stall")
    assert rig.next("stamp", back)["at"] - back <= SELECT_S + 1.0


def test_a_short_stall_is_no_fault(start):
    rig = start(read_timeout_s=4.0)
    before = rig.next("stamp")
    rig.set("stall")
    time.sleep(1.1)  # longer than one wait of OpenCV, which reports failure then
    back = rig.clear("stall")
    after = rig.next("at", back)
    assert after["stamp"] > before["stamp"] + 0.9


@pytest.mark.parametrize("fault", ["unplug", "moved"])
def test_a_camera_that_is_pulled_out_is_gone_at_once_and_comes_back(start, fault):
    rig = start()
    rig.next("stamp")
    began = rig.set(fault)
    gone = rig.next("reason", began)
    assert gone["reason"] == "gone"
    assert gone["at"] - began <= 1.0
    assert rig.next("reason", gone["at"] + 0.001)["reason"] == "missing"
    back = rig.clear(fault)
    assert rig.next("stamp", back)["at"] - back <= 1.0


def test_the_name_is_resolved_at_every_open(start, tmp_path):
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("no /dev/shm to put a link into")
    link = Path(f"/dev/shm/plate-streamer-test-{os.getpid()}-index0")
    link.symlink_to("/dev/video42")
    try:
        rig = start(device=str(link))
        assert "/dev/video42" in rig.next("log")["log"]
        rig.next("stamp")
        began = rig.set("moved")
        assert rig.next("reason", began)["reason"] == "gone"
        link.unlink()
        assert "no such device" in rig.next("reason", time.monotonic())["message"]
        link.symlink_to("/dev/video43")
        assert rig.next("stamp", began)["stamp"] > began
    finally:
        link.unlink(missing_ok=True)


@pytest.mark.parametrize(("fault", "reason"), [("busy", "busy"), ("denied", "permission"), ("unplug", "missing")])
def test_why_it_cannot_be_opened(start, fault, reason, tmp_path):
    (tmp_path / fault).touch()
    rig = start()
    failed = rig.next("reason")
    assert failed["reason"] == reason
    assert "/dev/video42" in failed["message"]
    back = rig.clear(fault)
    assert rig.next("stamp", back)["at"] - back <= 1.0


def test_no_first_picture(start, tmp_path):
    (tmp_path / "stall").touch()
    rig = start(first_frame_timeout_s=0.5)
    opened = rig.next("log")
    failed = rig.next("reason")
    assert failed["reason"] == "timeout"
    assert failed["at"] - opened["at"] <= 0.5 + SELECT_S + 0.5


def test_interrupt_ends_a_blocked_read_and_all_later_ones(start, tmp_path):
    rig = start(read_timeout_s=60.0)
    rig.next("stamp")
    rig.set("stall")
    time.sleep(0.1)
    began = rig.interrupt()
    assert rig.next("reason", began)["at"] - began <= SELECT_S + 0.5
    assert rig.process.wait(5) == 0


def test_a_wait_that_is_too_long_is_told(start):
    rig = start(prepare=False, environment={"OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "2"})
    assert "a stall is noticed after 2 s only" in rig.next("log")["log"]
    rig.next("stamp")
    began = rig.set("stall")
    assert rig.next("reason", began)["at"] - began <= T + 2.0 + 0.5


def test_an_environment_that_was_never_prepared_is_told(start):
    assert "is not set" in start(prepare=False).next("log")["log"]


def test_motion_jpeg(start, tmp_path):
    picture = np.full((480, 640, 3), (10, 200, 60), np.uint8)
    (tmp_path / "frame.jpg").write_bytes(cv2.imencode(".jpg", picture)[1].tobytes() + bytes(100))
    rig = start(width=1920, height=1080)  # too much for USB 2 uncompressed
    assert "mjpg 640x480" in rig.next("log")["log"]
    got = rig.next("stamp")
    assert (got["codec"], got["image"], got["suspect"]) == ("mjpg", [480, 640, 3], False)
    assert got["luma"][1] in range(80, 161)
    assert abs(got["mean"] - 90.0) < 2.0
    began = rig.set("short")
    assert rig.next("suspect", began + 0.2)["suspect"], "it is cut off"


def test_stamps_that_stand_still_are_passed_on(start):
    rig = start()
    rig.next("stamp")
    began = rig.set("still")
    stamps = {rig.next("stamp", began + 0.2)["stamp"] for _ in range(3)}
    assert len(stamps) == 1, "whoever watches the clock calls it frozen"


def test_devices_that_are_no_camera():
    for device, reason in [("/dev/null", "unsupported"), ("/dev/no-such-device", "missing"), ("/dev/null/video0", "missing")]:
        camera = UsbCamera("gate", Camera(device=device))
        with pytest.raises(SourceError) as caught:
            camera.open()
        assert caught.value.reason == reason
        assert device in str(caught.value)
        camera.close()
        camera.close()


def test_uncompressed_pictures_that_are_cut_off_are_filled_with_grey():
    yuyv, whole = rawpictures.unpack_yuyv(np.zeros(100, np.uint8), 8, 8)
    assert not whole
    assert yuyv.shape == (8, 8, 2)
    assert np.array_equal(yuyv.reshape(-1), [0] * 100 + [128] * 28)


def test_padded_lines_are_taken_off():
    wide = np.arange(4 * 24, dtype=np.uint8).reshape(4, 24)
    yuyv, whole = rawpictures.unpack_yuyv(wide.reshape(-1), 8, 4)
    assert whole
    assert np.array_equal(yuyv.reshape(4, 16), wide[:, :16])


def test_a_damaged_jpeg_is_an_error_with_a_reason():
    for data in (np.zeros(0, np.uint8), np.arange(200, dtype=np.uint8)):
        for convert in (rawpictures.jpeg_bgr, rawpictures.jpeg_luma):
            with pytest.raises(SourceError) as caught:
                convert(data)
            assert caught.value.reason == "damaged"


def test_grey_views_show_the_same_whatever_the_camera_sends():
    scene = np.repeat(np.repeat(np.random.default_rng(1).integers(30, 220, (9, 16), np.uint8), 40, 0), 40, 1)
    bgr = cv2.merge([scene, scene, scene])
    yuyv = np.dstack([scene, np.full_like(scene, 128)])
    jpeg = cv2.imencode(".jpg", bgr)[1].reshape(-1)
    # A YUYV camera's grey runs from 16 to 235, so shapes are compared, not levels.
    views = [rawpictures.bgr_luma(bgr), rawpictures.yuyv_luma(yuyv), rawpictures.jpeg_luma(jpeg)]
    for view in views:
        assert view.shape[0] * 16 == view.shape[1] * 9
        shrunk = cv2.resize(view, (16, 9), interpolation=cv2.INTER_AREA)
        assert np.abs(shrunk.astype(int) - scene[20::40, 20::40]).max() <= 8
