"""The test camera as a camera: FFmpeg gets every picture by every way in; it survives its clients and ends cleanly."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import pytest

from streamer.errors import SourceError, UsageError
from streamer.testcamera import (
    Camera,
    CameraServer,
    Clip,
    Codec,
    Login,
    MjpegCamera,
    TestCamera,
    load_clip,
    tls_context,
)
from tests.certificates import self_signed
from tests.gstcamera import gst_camera
from tests.make_clips import make_clip, steady
from tests.rtspclient import RtspClient, numbers, seen, wait_until

PICTURES, FPS, GOP = 30, 50.0, 10


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a camera would send it: no pictures out of order."""
    return make_clip(tmp_path_factory.mktemp("clips") / "gate.mp4", steady(PICTURES, FPS), gop=GOP, options={"bf": "0"})


@pytest.fixture(scope="session")
def clip(file: Path) -> Clip:
    return load_clip(file)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("test camera")]
    assert not left, "threads outlive their camera"


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("login", [None, Login("me", "s3cr@t/x:%", "basic"), Login("me", "s3cr@t/x:%", "digest")], ids=str)
def test_every_way_in_gives_every_picture(file: Path, codec: Codec, transport: str, login: Login | None) -> None:
    with TestCamera(load_clip(file, codec=codec), login=login) as camera:
        assert numbers(camera.login_url, 12, rtsp_transport=transport) == list(range(12))
        assert "s3cr" not in camera.url


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_a_wrong_password_is_refused(clip: Clip, scheme: str) -> None:
    login = Login("me", "right", "basic" if scheme == "basic" else "digest")
    with TestCamera(clip, login=login) as camera:
        for url in (camera.url, camera.login_url.replace("right", "wrong")):
            with pytest.raises(av.error.HTTPUnauthorizedError):
                numbers(url, 1)
        assert camera.sent == 0


def test_a_path_that_is_not_there_is_not_found(clip: Clip) -> None:
    with TestCamera(clip) as camera, pytest.raises(av.error.HTTPNotFoundError):
        numbers(camera.url.replace("/cam", "/other"), 1)


def test_udp_can_be_forbidden(clip: Clip) -> None:
    with TestCamera(clip, udp=False) as camera:
        with RtspClient(camera.url) as client:
            assert client.ask("SETUP", "/track1", Transport="RTP/AVP;unicast;client_port=5000-5001")[0] == 461
        assert numbers(camera.url, 3) == [0, 1, 2]


@pytest.mark.parametrize("trusted", [True, False])
def test_tls_with_a_certificate_that_nobody_signed(clip: Clip, tmp_path: Path, trusted: bool) -> None:
    cert, key = self_signed(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    authority = cert if trusted else self_signed(other)[0]
    with TestCamera(clip, tls=tls_context(cert, key), login=Login("me", "s3cret")) as camera:
        assert camera.url.startswith("rtsps://")
        if trusted:
            assert numbers(camera.login_url, 12, tls_verify="1", ca_file=str(authority)) == list(range(12))
        else:
            with pytest.raises(av.error.FFmpegError):
                numbers(camera.login_url, 12, tls_verify="1", ca_file=str(authority))


def test_a_certificate_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "camera.crt").write_text("no certificate")
    with pytest.raises(UsageError, match=r"camera\.crt"):
        tls_context(tmp_path / "camera.crt", tmp_path / "camera.crt")


@pytest.mark.parametrize("login", [None, Login("me", "s3cret", "basic"), Login("me", "s3cret", "digest")], ids=str)
def test_mjpeg_over_http(file: Path, login: Login | None) -> None:
    with MjpegCamera(file, login=login) as camera:
        assert numbers(camera.login_url, 12) == list(range(12))
        with pytest.raises(av.error.HTTPNotFoundError):
            numbers(camera.login_url.replace("/cam", "/other"), 1)
        if login is not None:
            with pytest.raises(av.error.HTTPUnauthorizedError):
                numbers(camera.url, 1)


def test_cameras_share_a_port_and_nothing_else(clip: Clip, tmp_path: Path) -> None:
    large = load_clip(make_clip(tmp_path / "large.mp4", steady(20, FPS), size=(320, 192)))
    gate, yard = Camera("gate", clip), Camera("back yard", large)
    with CameraServer([gate, yard]):
        gate.faults.code(503)
        with av.open(yard.url, options={"fpsprobesize": "0"}, timeout=(5.0, 3.0)) as container:
            assert next(container.decode(video=0)).width == 320
        with pytest.raises(av.error.HTTPServerError):
            numbers(gate.url, 1)
        gate.faults.code(None)
        assert len(numbers(gate.url, 5)) == 5
    with pytest.raises(UsageError, match="gate"):
        CameraServer([gate, Camera("gate", clip)])


def test_time_goes_on_when_the_clip_begins_again(clip: Clip) -> None:
    with TestCamera(clip) as camera:
        pictures = seen(camera.url, PICTURES + 12)
    assert [number for number, _, _ in pictures] == [number % PICTURES for number in range(PICTURES + 12)]
    stamps = [stamp for _, stamp, _ in pictures if stamp is not None]
    assert len(stamps) >= len(pictures) - 1
    assert {latter - former for former, latter in pairwise(stamps)} == {1800}


def test_a_clip_that_is_played_once_ends_with_its_last_picture(clip: Clip) -> None:
    with TestCamera(clip, loop=False) as camera:
        assert numbers(camera.url, 1000) == list(range(PICTURES))
        with pytest.raises(av.error.HTTPNotFoundError):
            numbers(camera.url, 1)


def test_clips_of_different_sizes_follow_each_other(file: Path, tmp_path: Path) -> None:
    large = make_clip(tmp_path / "large.mp4", steady(20, 25), size=(320, 192))
    with TestCamera([file, large]) as camera, av.open(camera.url, options={"fpsprobesize": "0"}, timeout=(5.0, 3.0)) as container:
        frames = list(islice(container.decode(video=0), 60))
    assert [frame.width for frame in frames] == [160] * PICTURES + [320] * 20 + [160] * 10


def test_a_stream_that_a_camera_could_send_is_taken_over_as_it_is(file: Path, tmp_path: Path) -> None:
    kept = load_clip(file)
    assert [unit.key for unit in kept.units] == [number % GOP == 0 for number in range(PICTURES)]
    assert all(len(unit.nals) >= 3 for unit in kept.units if unit.key), "parameter sets come with every key picture"
    out_of_order = load_clip(make_clip(tmp_path / "b.mp4", steady(40, FPS), gop=GOP, options={"bf": "2"}))
    rare_keys = load_clip(make_clip(tmp_path / "rare.mp4", steady(120, FPS), gop=1000, options={"bf": "0"}))
    for encoded in (out_of_order, rare_keys):
        assert [at for at, unit in enumerate(encoded.units) if unit.key] == list(range(0, len(encoded), 50)), "a key picture every second"
        assert encoded.fps == pytest.approx(FPS)
    kept_h265 = load_clip(
        make_clip(tmp_path / "h265.mp4", steady(20), codec="libx265", options={"x265-params": "bframes=0:log-level=error"})
    )
    assert kept_h265.codec == "h265"


@pytest.mark.parametrize("suffix", ["avi", "mkv", "h264", "gif"])
def test_whatever_ffmpeg_reads_can_be_shown(tmp_path: Path, suffix: str) -> None:
    codec, pixels = {"avi": ("mpeg4", "yuv420p"), "gif": ("gif", "rgb8")}.get(suffix, ("libx264", "yuv420p"))
    file = make_clip(tmp_path / f"clip.{suffix}", steady(20), codec=codec, pixel_format=pixels, time_base=Fraction(1, 100))
    shown = load_clip(file)
    assert (len(shown), shown.codec, shown.units[0].key) == (20, "h264", True)


def test_what_is_no_clip_is_said(tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(os.urandom(5000))
    with pytest.raises(SourceError, match=r"noise\.mp4"):
        load_clip(tmp_path / "noise.mp4")
    with pytest.raises(SourceError, match="no such file"):
        load_clip(tmp_path / "missing.mp4")
    with pytest.raises(SourceError):
        load_clip([])


def test_it_counts_what_it_sends_and_when(clip: Clip) -> None:
    with TestCamera(clip) as camera:
        pictures = seen(camera.url, 25)
        assert 25 <= camera.sent <= 25 + FPS
        assert camera.skipped == 0
        assert [method for _, method in camera.requests][:4] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
        latencies = [arrived - camera.sent_at[number] for number, _, arrived in pictures[-10:]]
        assert all(0 < latency < 0.5 for latency in latencies)
        assert camera.sent_at[20] - camera.sent_at[0] == pytest.approx(20 / FPS, abs=0.1)


def padded(clip: Clip, size: int) -> Clip:
    """Every picture with so many bytes of filler data (ITU-T H.264, 7.3.2.7), which a decoder ignores."""
    filler = b"\x0c" + b"\xff" * size + b"\x80"
    return replace(clip, units=tuple(replace(unit, nals=(*unit.nals, filler)) for unit in clip.units))


def test_a_client_that_does_not_read_costs_the_others_nothing(clip: Clip) -> None:
    with TestCamera(padded(clip, 300_000)) as camera, RtspClient(camera.url, receive_buffer=4096) as lazy:
        lazy.play()
        began = time.monotonic()
        assert len(numbers(camera.url, 60)) == 60
        assert time.monotonic() - began < 60 / FPS + 1.5
        wait_until(lambda: camera.watched == 1)
        lazy.socket.settimeout(5.0)
        key_pictures = [packet.payload[0] & 31 for packet in islice(lazy.rtp(), 8000) if packet.payload[0] & 31 == 7]
        assert camera.skipped > 0, "it is not sent what is long overdue"
        assert key_pictures, "and goes on with a key picture"


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_it_ends_within_a_second_whatever_its_clients_do(clip: Clip) -> None:
    before = open_descriptors()
    camera = TestCamera(padded(clip, 300_000))
    address = ("127.0.0.1", camera.port)
    silent = socket.create_connection(address)
    with RtspClient(camera.url) as idle, RtspClient(camera.url, receive_buffer=4096) as lazy, RtspClient(camera.url) as by_udp:
        assert idle.ask("OPTIONS")[0] == 200
        lazy.play()
        assert by_udp.ask("SETUP", "/track1", Transport="RTP/AVP;unicast;client_port=9-10")[0] == 200
        assert by_udp.ask("PLAY")[0] == 200
        wait_until(lambda: camera.watched == 2 and camera.sent > 10)
        began = time.monotonic()
        camera.close()
        camera.close()
        assert time.monotonic() - began < 1.0
        assert camera.connections == camera.watched == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
    silent.close()
    assert open_descriptors() == before


@pytest.mark.parametrize(
    "noise",
    [
        b"\x00" * 100 + b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"SETUP rtsp://[ RTSP/1.0\r\n\r\n",
        b"PLAY rtsp://h/cam RTSP/1.0\r\n\r\n",
        b"SETUP rtsp://h/cam RTSP/1.0\r\nTransport: RTP/AVP;client_port=1-99999\r\n\r\n",
        b"SETUP rtsp://h/cam RTSP/1.0\r\nTransport: RTP/AVP/TCP;interleaved=255-256\r\n\r\n",
        b"DESCRIBE rtsp://h/cam RTSP/1.0\r\nAuthorization: Digest response=\xc3\xa4\r\nContent-Length: -1\r\n\r\n",
        b"x" * 200_000,
        b"$\x00\xff\xff" + b"x" * 70_000,
    ],
)
def test_nonsense_ends_at_most_its_own_connection(clip: Clip, noise: bytes) -> None:
    with TestCamera(clip) as camera, socket.create_connection(("127.0.0.1", camera.port), timeout=2) as client:
        with suppress(OSError):  # it ends the connection without reading to the end
            client.sendall(noise)
            client.shutdown(socket.SHUT_WR)
            while client.recv(1000):
                pass
        with RtspClient(camera.url) as other:
            assert other.ask("DESCRIBE")[0] == 200


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("digest", [True, False])
def test_the_other_camera_for_tests_shows_the_same(file: Path, tmp_path: Path, transport: str, digest: bool) -> None:
    with gst_camera(file, tmp_path, user="me", password="s3cr@t/x", digest=digest) as camera:
        assert numbers(camera.login_url, 12, rtsp_transport=transport) == list(range(12))
