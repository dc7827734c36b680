"""The camera doctor as it is run: on real cameras, on recordings, and on recordings that were spoilt."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import stat
import threading
import time
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from streamer import app
from streamer.cameradoctor_command import run_camera_doctor
from streamer.config import Camera, Config
from streamer.errors import UsageError
from streamer.testcamera import Login, TestCamera

FPS = 20
SIZE = (960, 540)
STEP = 18  # pixels a frame, downwards: 360 px/s


def smear(picture):
    return cv2.blur(picture, (1, 11), borderType=cv2.BORDER_REPLICATE)


def defocus(picture):
    return cv2.GaussianBlur(picture, (0, 0), 4.5)


def darken(picture):
    dim = picture * 0.05 + np.random.default_rng(0).normal(0, 2, picture.shape)
    return dim.clip(0, 255).astype(np.uint8)


def turn(picture):
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -28, 1)
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def shrink(picture):
    return cv2.resize(picture, None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA)


def film(file, photo, spoil=lambda picture: picture):
    """Let a photograph of a car slide down through an empty view, from above it to below it, with some empty time around."""
    car = spoil(photo)
    ground = spoil(np.random.default_rng(1).normal(110, 6, (SIZE[1], SIZE[0], 3)).clip(0, 255).astype(np.uint8))[: SIZE[1], : SIZE[0]]
    canvas = np.full((SIZE[1], SIZE[0], 3), int(ground.mean()), np.uint8)
    canvas[: ground.shape[0], : ground.shape[1]] = ground
    height, width = car.shape[:2]
    left = (SIZE[0] - width) // 2
    places = [None] * 11 + list(range(-height, SIZE[1], STEP)) + [None] * 11
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        stream.options = {"preset": "ultrafast", "crf": "18", "g": "20", "bf": "0"}
        for top in places:
            image = canvas.copy()
            if top is not None:
                y1, y2 = max(0, top), min(SIZE[1], top + height)
                image[y1:y2, left : left + width] = car[y1 - top : y2 - top]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode(None))
    return file


@pytest.fixture(scope="module")
def photo(data):
    return cv2.imread(str(data / "photos" / "fa_00004.webp"))


@pytest.fixture(scope="module", autouse=True)
def _models_are_loaded_once():
    """Loading takes longer than most of these tests; a detector or a reader remembers nothing of a picture."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("build_detector", "build_reader"):
            patch.setattr(app, name, functools.cache(getattr(app, name)))
        yield


def examine(folder, file, capsys, config=None):
    """Run the doctor; gives its exit code and its report."""
    code = run_camera_doctor(config or Config(), str(file), minutes=1.0, out=folder, as_json=True)
    return code, json.loads(capsys.readouterr().out)


def verdicts(report):
    return {finding["name"]: finding["verdict"] for finding in report["findings"]}


@pytest.fixture(scope="module")
def recording(photo, tmp_path_factory):
    return film(tmp_path_factory.mktemp("film") / "good.mp4", photo)


def test_a_good_view_is_good(recording, tmp_path, capsys):
    out = tmp_path / "deep" / "out"
    code, report = examine(out, recording, capsys)
    found = verdicts(report)
    for name in (
        "plates read",
        "character height",
        "looks per passage",
        "motion blur",
        "focus",
        "angle",
        "contrast of plates",
        "key frames",
    ):
        assert found[name] == "good", report["findings"]
    assert code == 0
    (passing,) = report["passings"]
    assert passing["plate"] == "R760PTF"
    assert not passing["cut_off"]
    assert report["measures"]["speed_px_s"]["p50"] == pytest.approx(STEP * FPS, rel=0.05)
    # All of the report is private, and the page needs no other file.
    names = {file.name for file in out.iterdir()}
    assert names == {"report.json", "report.html", "view.jpg", "crops.jpg", "blur.jpg", "exposure.jpg"}
    assert json.loads((out / "report.json").read_text()) == report
    assert {stat.S_IMODE(file.stat().st_mode) for file in out.iterdir()} == {0o600}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    page = (out / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 4
    assert "http" not in page
    assert "personal data" in page
    assert all(finding["picture"] is None or finding["picture"] in names for finding in report["findings"])
    assert all(cv2.imread(str(out / name)) is not None for name in names if name.endswith(".jpg"))


@pytest.mark.parametrize(
    ("spoil", "name", "word"),
    [
        (smear, "motion blur", "1/"),
        # Slow: some seconds each, and the judgements themselves are tested beside this.
        pytest.param(defocus, "focus", "focus by hand", marks=pytest.mark.slow),
        (darken, "contrast of plates", "light"),
        (turn, "angle", "anticlockwise"),
        pytest.param(shrink, "character height", "zoom in", marks=pytest.mark.slow),
    ],
)
def test_a_spoilt_view_is_not(spoil, name, word, photo, tmp_path, capsys):
    code, report = examine(tmp_path / "out", film(tmp_path / "bad.mp4", photo, spoil), capsys)
    finding = next(finding for finding in report["findings"] if finding["name"] == name)
    assert finding["verdict"] in ("fair", "poor"), report["findings"]
    assert word in finding["advice"]
    assert code == 1 or finding["verdict"] == "fair"


def test_an_empty_view_cannot_be_trusted(tmp_path, capsys):
    empty = film(tmp_path / "empty.mp4", np.full((40, 40, 3), 110, np.uint8))
    code, report = examine(tmp_path / "out", empty, capsys)
    assert code == 1
    assert verdicts(report)["plates read"] == "unknown"
    assert report["measures"]["speed_px_s"] is None


def test_a_real_camera(recording, tmp_path, capsys):
    with TestCamera(recording) as camera:
        config = Config(cameras={"gate": Camera(url=camera.url)})
        code = run_camera_doctor(config, "gate", minutes=5.0 / 60, out=tmp_path / "out", as_json=False)
    text = capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "personal data" in text
    assert str(tmp_path / "out" / "report.html") in text
    found = verdicts(report)
    assert code == int("poor" in found.values() or found["plates read"] == "unknown")
    for name in ("camera's clock", "connection", "damage", "key frames", "time stamps"):
        assert found[name] == "good", report["findings"]
    assert report["notes"]["facts"]["clock_reports"] >= 1
    assert [passing["plate"] for passing in report["passings"]] == ["R760PTF"]


def test_ctrl_c_concludes_and_faults_on_the_way_are_told(recording, tmp_path, capsys):
    def disturb(camera):
        while camera.sent < 30:
            time.sleep(0.02)
        camera.faults.drop()
        while camera.sent < 70:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with TestCamera(recording) as camera:
        config = Config(cameras={"gate": Camera(url=camera.url)})
        thread = threading.Thread(target=disturb, args=(camera,))
        thread.start()
        run_camera_doctor(config, "gate", minutes=1.0, out=tmp_path / "out", as_json=True)
        thread.join()
    report = json.loads(capsys.readouterr().out)
    assert report["seconds"] < 30
    assert report["notes"]["faults"] == {"gone": 1}
    assert verdicts(report)["connection"] == "fair"
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow  # the clip is encoded for the camera, and 18 seconds of it are watched
def test_a_real_camera_with_real_plates(data, tmp_path, capsys):
    with TestCamera(data / "clips" / "vn_toll_gate_720p.mp4") as camera:
        config = Config(cameras={"gate": Camera(url=camera.url)})
        run_camera_doctor(config, "gate", minutes=18.0 / 60, out=tmp_path / "out", as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert {"34A36837", "34A23126"} <= {passing["plate"] for passing in report["passings"]}
    found = verdicts(report)
    assert found["angle"] == "fair", "plates lie slanting in this clip, by 12 degrees"
    assert found["focus"] == found["contrast of plates"] == found["glare on plates"] == "good"


def test_a_camera_that_nobody_answers_at(tmp_path, capsys):
    with socket.socket() as bound:  # bound and not listening: nobody else gets the port, and connections are refused
        bound.bind(("127.0.0.1", 0))
        config = Config(cameras={"gate": Camera(url=f"rtsp://127.0.0.1:{bound.getsockname()[1]}/cam")})
        assert run_camera_doctor(config, "gate", minutes=1.0, out=tmp_path / "out", as_json=False) == 2
    text = capsys.readouterr().out
    assert "refused" in text
    assert "Check:" in text
    assert not (tmp_path / "out").exists()


def test_a_camera_that_wants_another_password(recording, tmp_path, capsys):
    with TestCamera(recording, login=Login("user", "right")) as camera:
        config = Config(cameras={"gate": Camera(url=camera.url, user="user", password="wrongword")})
        assert run_camera_doctor(config, "gate", minutes=1.0, out=tmp_path / "out", as_json=True) == 2
    printed = capsys.readouterr()
    assert "authentication" in printed.err
    assert "wrongword" not in printed.err + printed.out
    assert printed.out == ""


def test_what_is_no_video(tmp_path, capsys):
    file = tmp_path / "note.mp4"
    file.write_text("no video")
    assert run_camera_doctor(Config(), str(file), minutes=1.0, out=tmp_path / "out", as_json=True) == 2
    assert "damaged" in capsys.readouterr().err


def test_a_folder_that_cannot_be_had_is_told_before_the_test(recording, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no report can be written"):
        run_camera_doctor(Config(), str(recording), minutes=1.0, out=tmp_path / "file" / "out", as_json=False)


def test_a_name_that_means_nothing_is_the_users_mistake(tmp_path):
    with pytest.raises(UsageError, match="neither a camera"):
        run_camera_doctor(Config(), str(tmp_path / "nothing"), minutes=1.0, out=None, as_json=False)
