"""Network cameras against real servers on loopback: what comes, what goes wrong, how long it takes, and that no secret gets out."""

from __future__ import annotations

import http.server
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamer.config import Camera
from streamer.errors import SourceError, SourceReason
from streamer.ports import LivePicture
from streamer.sources.network import NetworkCamera
from streamer.testcamera import Clip, Login, MjpegCamera, TestCamera, load_clip, tls_context
from tests.certificates import self_signed
from tests.receivers import wait_until

OPEN_S, READ_S, FIRST_S = 1.0, 0.6, 2.0
LATE_S = 0.5
GOP = 10
SECRET = "s3cr@t/x%"


def draw(number: int, width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture with some texture and a square that moves: no two frames are alike, and damage shows."""
    rng = np.random.default_rng(3)
    image = np.repeat(np.repeat(rng.integers(60, 190, (height // 8, width // 8, 3), np.uint8), 8, axis=0), 8, axis=1)
    image = np.roll(image, number * 3, axis=1)
    image[20:60, (number * 5) % (width - 40) :][:, :40] = (0, 0, 230)
    return image


def encode(
    path: Path, *, codec: str = "libx264", width: int = 320, height: int = 240, frames: int = 100, b_frames: int = 0, still: int = 0
) -> Path:
    """A clip of 25 pictures a second with a key picture every 0.4 s; nothing moves in the first ``still`` pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = GOP
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.thread_count = 1
        quiet = {"x265-params": f"log-level=none:bframes={b_frames}:keyint={GOP}"} if codec == "libx265" else {"x264-params": "scenecut=0"}
        stream.options = {"preset": "ultrafast", "crf": "20", **quiet} | ({} if b_frames else {"tune": "zerolatency"})
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(draw(max(number - still, 0), width, height), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def h264(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return load_clip(encode(tmp_path_factory.mktemp("clips") / "h264.mp4"))


@pytest.fixture(scope="module")
def h265(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return load_clip(encode(tmp_path_factory.mktemp("clips") / "h265.mp4", codec="libx265"))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


def quick(clip: Clip, **settings: Any) -> TestCamera:
    """A camera that sends three times as fast as its stamps say, so that nobody waits for key pictures."""
    camera = TestCamera(clip, **settings)
    camera.faults.rate(3.0)
    return camera


@contextmanager
def connected(url: str, **settings: Any) -> Iterator[NetworkCamera]:
    camera = camera_of(url, **settings)
    try:
        camera.open()
        yield camera
    finally:
        camera.close()


def camera_of(url: str, **settings: Any) -> NetworkCamera:
    times = {"open_timeout_s": OPEN_S, "read_timeout_s": READ_S, "first_frame_timeout_s": FIRST_S}
    return NetworkCamera("gate", Camera.model_validate({"url": url, "hwaccel": "none", **times, **settings}))


def read(camera: NetworkCamera, count: int) -> list[LivePicture]:
    pictures = [camera.read() for _ in range(count)]
    assert None not in pictures, "the stream ended"
    return [picture for picture in pictures if picture is not None]


def fails(step: Callable[[], object], reason: SourceReason, within_s: float) -> str:
    """Run a step that must fail for a reason, and in time; gives the message, which must not hold the secret."""
    began = time.monotonic()
    with pytest.raises(SourceError) as caught:
        step()
    took_s = time.monotonic() - began
    assert caught.value.reason == reason, str(caught.value)
    assert took_s < within_s, f"took {took_s:.2f} s"
    trace = "".join(map(str, (caught.value, caught.value.__cause__)))
    assert SECRET not in trace
    assert "s3cr%40t" not in trace
    return str(caught.value)


def read_all(camera: NetworkCamera) -> None:
    while camera.read() is not None:
        pass


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pictures_come_with_their_times(h264: Clip, transport: str) -> None:
    with TestCamera(h264) as server, connected(server.url, transport=transport) as camera:
        pictures = read(camera, 30)
        facts = camera.facts
    assert {picture.size for picture in pictures} == {(320, 240)}
    assert not any(picture.suspect for picture in pictures)
    stamps = [picture.stamp_s for picture in pictures if picture.stamp_s is not None]
    assert np.diff(stamps) == pytest.approx(0.04, abs=1e-6)
    late = pictures[-1]
    assert late.arrived_at == pytest.approx(time.monotonic(), abs=1.0)
    assert late.exposed is not None
    # The parser holds a picture until the next one begins, so 0.04 s is the least.
    assert timedelta(seconds=0.02) < late.arrived - late.exposed < timedelta(seconds=0.2)
    assert (facts.codec, facts.width, facts.height, facts.decoder) == ("h264", 320, 240, "software")
    assert facts.fps == pytest.approx(25.0)
    assert facts.clock_reports >= 1
    assert facts.packets == 30
    assert facts.bytes_read > 1000


def test_h265(h265: Clip) -> None:
    with quick(h265) as server, connected(server.url) as camera:
        assert not any(picture.suspect for picture in read(camera, 10))
        assert camera.facts.codec == "hevc"


def test_jpegs_over_http_have_no_stamps_that_could_be_trusted(h264: Clip, tmp_path: Path) -> None:
    clip = load_clip(encode(tmp_path / "clip.mp4", frames=25), codec="mjpeg")
    with MjpegCamera(clip, login=Login("anpr", SECRET)) as server:
        with connected(server.url, user="anpr", password=SECRET) as camera:
            pictures = read(camera, 10)
            assert camera.facts.codec == "mjpeg"
        assert {picture.stamp_s for picture in pictures} == {None}
        assert not any(picture.suspect for picture in pictures)
        fails(camera_of(server.url, user="anpr", password="wrong").open, "authentication", OPEN_S)


def test_colours_and_the_small_grey_view(h264: Clip) -> None:
    with quick(h264) as server, connected(server.url) as camera:
        (picture,) = read(camera, 1)
        image, luma = picture.convert(), picture.luma()
    assert image.shape == (240, 320, 3)
    assert not image.flags.writeable
    clean = draw(0, 320, 240)
    assert np.abs(image.astype(int) - clean).mean() < 12
    assert np.abs(image[30:50, 10:30].astype(int) - (0, 0, 230)).max() < 12  # the red square
    assert luma.shape == (120, 160)
    assert not luma.flags.writeable
    assert np.corrcoef(luma.ravel(), clean[::2, ::2].mean(axis=2).ravel())[0, 1] > 0.8


@pytest.mark.parametrize("method", ["digest", "basic"])
def test_a_password_with_every_awkward_letter(h264: Clip, method: Any) -> None:
    with quick(h264, login=Login("an pr", SECRET, method)) as server:
        with connected(server.url, user="an pr", password=SECRET) as camera:
            read(camera, 1)
            assert SECRET not in repr(camera) + repr(camera.facts)
        fails(camera_of(server.url, user="anpr", password=SECRET).open, "authentication", OPEN_S)
        fails(camera_of(server.url).open, "authentication", OPEN_S)


@pytest.mark.parametrize(("status", "reason"), [(401, "authentication"), (403, "authentication"), (404, "missing"), (503, "unavailable")])
def test_what_the_camera_answers(h264: Clip, status: int, reason: SourceReason) -> None:
    with quick(h264) as server:
        server.faults.code(status)
        fails(camera_of(server.url, user="anpr", password=SECRET).open, reason, OPEN_S)


def test_nobody_there(h264: Clip) -> None:
    with quick(h264) as server:
        server.faults.offline()
        fails(camera_of(server.url, user="anpr", password=SECRET).open, "refused", OPEN_S)


def test_a_host_name_that_cannot_be_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = camera_of("rtsp://no-such-camera.invalid/cam", user="anpr", password=SECRET)

    def unknown(*arguments: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # a test asks nobody outside
    assert "no-such-camera.invalid" in fails(camera.open, "refused", OPEN_S)
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: answer.wait(10.0))
    fails(camera.open, "timeout", OPEN_S + LATE_S)
    answer.set()


def test_tls(h264: Clip, tls: tuple[Path, Path], caplog: pytest.LogCaptureFixture) -> None:
    with quick(h264, tls=tls_context(*tls), login=Login("anpr", SECRET)) as server:
        login = {"user": "anpr", "password": SECRET}
        assert "certificate" in fails(camera_of(server.url, **login).open, "tls", OPEN_S + LATE_S)
        with connected(server.url, ca_file=tls[0], **login) as camera:
            read(camera, 1)
        with connected(server.url, verify_tls=False, **login) as camera:
            read(camera, 1)
        assert "not checked" in caplog.text
        fails(camera_of(server.url, ca_file=tls[1].with_name("none.pem"), **login).open, "tls", OPEN_S)


def test_a_camera_that_answers_nothing(h264: Clip) -> None:
    with quick(h264) as server:
        server.faults.mute()
        fails(camera_of(server.url).open, "timeout", OPEN_S + LATE_S)


@pytest.mark.parametrize("full", [False, True])
def test_a_black_hole(full: bool) -> None:
    with socket.socket() as hole:  # takes connections and says nothing; or, once its queue is full, does not even take them
        hole.bind(("127.0.0.1", 0))
        hole.listen(0 if full else 8)
        crowd = [socket.socket() for _ in range(4 if full else 0)]
        for one in crowd:
            one.setblocking(False)
            one.connect_ex(hole.getsockname())
        fails(camera_of(f"rtsp://127.0.0.1:{hole.getsockname()[1]}/cam").open, "timeout", OPEN_S + LATE_S)
        for one in crowd:
            one.close()


@pytest.mark.parametrize("fault", ["stall", "novideo", "bye"])
def test_a_camera_that_stops_sending_is_told_after_one_time_out(h264: Clip, fault: str) -> None:
    with quick(h264) as server, connected(server.url) as camera:
        read(camera, 5)
        server.faults.apply(fault)
        fails(lambda: read_all(camera), "timeout", READ_S + LATE_S)


def test_a_camera_that_never_sends_a_picture(h264: Clip) -> None:
    with quick(h264) as server:
        server.faults.novideo()
        camera = camera_of(server.url)
        with closing(camera):

            def connect_and_read() -> None:
                camera.open()
                camera.read()

            fails(connect_and_read, "timeout", OPEN_S + READ_S + LATE_S)


def test_noise_instead_of_video_is_a_fault_in_the_end(h264: Clip) -> None:
    with quick(h264) as server, connected(server.url, first_frame_timeout_s=0.5) as camera:
        read(camera, 5)
        server.faults.garbage("payload")
        with pytest.raises(SourceError) as caught:
            read_all(camera)
    assert caught.value.reason in ("timeout", "damaged")


@pytest.mark.parametrize("fault", ["drop", "reset"])
def test_a_broken_connection(h264: Clip, fault: str) -> None:
    with quick(h264) as server, connected(server.url) as camera:
        read(camera, 3)
        server.faults.apply(fault)
        began = time.monotonic()
        read_all(camera)  # libav takes both for the end
        assert time.monotonic() - began < LATE_S
        camera.open()
        read(camera, 1)


def test_interrupt_ends_a_blocked_read(h264: Clip) -> None:
    with quick(h264) as server, connected(server.url, read_timeout_s=20.0) as camera:
        read(camera, 3)
        server.faults.stall()
        threading.Timer(0.3, camera.interrupt).start()
        fails(lambda: read_all(camera), "gone", 0.3 + LATE_S)
        fails(camera.read, "gone", 0.1)
        camera.close()
        fails(camera.open, "gone", 0.1)


def test_interrupt_ends_a_blocked_open(h264: Clip) -> None:
    with quick(h264) as server:
        server.faults.mute()
        camera = camera_of(server.url, open_timeout_s=20.0)
        threading.Timer(0.3, camera.interrupt).start()
        fails(camera.open, "gone", 0.3 + LATE_S)


def test_the_patience_of_one_camera_is_not_another_ones(h264: Clip) -> None:
    with quick(h264) as server, connected(server.url) as healthy:
        other = camera_of(server.url)
        other.interrupt()
        fails(other.open, "gone", 0.1)
        assert len(read(healthy, 20)) == 20


def seen_of(clip: Clip, transport: str, loss: float) -> dict[float, tuple[bytes, bool]]:
    """Give every picture of a clip by its stamp: its bytes, and whether it was suspect."""
    with quick(clip, loop=False, seed=5) as server, connected(server.url, transport=transport) as camera:
        server.faults.rate(6.0)
        server.faults.loss(loss)
        seen: dict[float, tuple[bytes, bool]] = {}
        while (picture := camera.read()) is not None:
            seen[round(picture.stamp_s or 0.0, 3)] = (picture.convert().tobytes(), picture.suspect)
        return seen


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_damage_is_suspect_until_a_sound_key_frame(request: pytest.FixtureRequest, codec: str) -> None:
    """Every picture that differs from the clean one must be marked; of the sound ones, few."""
    clip = request.getfixturevalue(codec)
    clean = seen_of(clip, "tcp", 0.0)
    *marks, last = [suspect for _, suspect in clean.values()]
    assert not any(marks)
    assert last, "whatever ends may have been cut off"
    for transport in ("tcp", "udp"):
        lossy = seen_of(clip, transport, 0.02)
        damaged = {stamp for stamp, (image, _) in lossy.items() if image != clean[stamp][0]}
        suspect = {stamp for stamp, (_, marked) in lossy.items() if marked}
        assert suspect, "nothing was lost: the test says nothing"
        assert not damaged - suspect
        assert len(suspect - damaged) <= 0.6 * len(lossy)


def test_key_frames_only_and_back(h264: Clip) -> None:
    with quick(h264) as server, connected(server.url, read_timeout_s=2.0) as camera:
        settle_to_key_frames(camera)
        keys = [picture.stamp_s or 0.0 for picture in read(camera, 3)]
        assert np.diff(keys) == pytest.approx(0.04 * GOP, abs=0.01)
        assert camera.facts.packets_skipped >= 2 * (GOP - 1)
        assert camera.facts.key_frame_interval_s == pytest.approx(0.04 * GOP)
        camera.decode_key_frames_only(False)
        pictures = read(camera, 10)
        stamps = [picture.stamp_s or 0.0 for picture in pictures]
        assert stamps[0] - keys[-1] == pytest.approx(0.04, abs=1e-3), "at once, not from the next key frame on"
        assert np.diff(stamps) == pytest.approx(0.04, abs=1e-3)
        assert not any(picture.suspect for picture in pictures)


def settle_to_key_frames(camera: NetworkCamera) -> None:
    """Read until only key frames come: it must have seen what size of packet is usual."""
    camera.decode_key_frames_only(True)
    last = -1.0
    while (stamp := read(camera, 1)[0].stamp_s or 0.0) - last < 0.03 * GOP or last < 0:
        last = stamp


STILL = 7 * GOP + GOP // 2


def test_motion_wakes_a_dozing_camera(tmp_path: Path) -> None:
    clip = load_clip(encode(tmp_path / "wake.mp4", frames=STILL + 3 * GOP, still=STILL))
    with quick(clip, loop=False) as first, quick(clip, loop=False) as second:
        wakes_in_time(first.url, second.url)


def test_motion_wakes_a_dozing_stream_whose_frames_come_out_of_order(tmp_path: Path) -> None:
    """Its decoder has to be flushed to hand out a key frame, and to be given that again before what follows."""
    content = encode(tmp_path / "wake.ts", frames=STILL + 3 * GOP, still=STILL, b_frames=2).read_bytes()
    with serving(content, "video/mp2t") as url:
        wakes_in_time(url, url)


def wakes_in_time(url: str, same: str) -> None:
    """All that moved is there, from the key frame before it on, and the same as if all had been decoded."""
    with connected(same) as camera:
        whole = {round(p.stamp_s or 0.0, 3): p.convert().tobytes() for p in iter(camera.read, None)}
    with connected(url) as camera:
        settle_to_key_frames(camera)
        stamps = []
        for picture in iter(camera.read, None):
            stamps.append(round(picture.stamp_s or 0.0, 3))
            assert picture.convert().tobytes() == whole[stamps[-1]]
            assert not picture.suspect or stamps[-1] == max(whole)
        last_key_before = sorted(whole)[STILL - GOP // 2]
        assert {stamp for stamp in whole if stamp >= last_key_before} <= set(stamps)
        assert stamps == sorted(set(stamps)), "in order, and none twice"
        assert camera.facts.packets_skipped >= GOP


def test_the_size_may_change(tmp_path: Path) -> None:
    files = [encode(tmp_path / "small.mp4", frames=25), encode(tmp_path / "large.mp4", width=640, height=480, frames=25)]
    with quick(load_clip(files)) as server, connected(server.url) as camera:
        pictures = read(camera, 40)
        assert {picture.convert().shape for picture in pictures} == {(240, 320, 3), (480, 640, 3)}
        assert all(picture.size == (picture.convert().shape[1], picture.convert().shape[0]) for picture in pictures[::10])
        assert not any(picture.suspect for picture in pictures)


def test_a_playlist_cannot_reach_files(tmp_path: Path) -> None:
    clip = encode(tmp_path / "secret.ts", frames=25)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{clip}\n#EXT-X-ENDLIST\n".encode()

    with serving(playlist, "application/vnd.apple.mpegurl") as url, pytest.raises(SourceError), connected(f"{url}.m3u8") as camera:
        camera.read()


@contextmanager
def serving(content: bytes, kind: str) -> Iterator[str]:
    """A web server that gives the same answer to everybody; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/stream"
        finally:
            server.shutdown()


def test_reopening_leaves_nothing_behind(h264: Clip) -> None:
    def left() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208 (their number is all)

    def reopen(camera: NetworkCamera, times: int) -> Iterator[tuple[int, int]]:
        for _ in range(times):
            camera.open()
            read(camera, 1)
            camera.close()
            camera.close()
            yield left()

    with quick(h264) as server:
        camera = camera_of(server.url)
        most = [max(counts) for counts in zip(*reopen(camera, 5), strict=True)]
        for _ in reopen(camera, 10):
            pass
        # The camera's end of a connection goes a little later than ours.
        wait_until(lambda: all(now <= before + 1 for now, before in zip(left(), most, strict=True)))


def test_hardware_that_is_not_there_is_told_once(h264: Clip, caplog: pytest.LogCaptureFixture) -> None:
    with quick(h264) as server:
        camera = camera_of(server.url, hwaccel="vaapi")
        for _ in range(2):
            camera.open()
            read(camera, 1)
            assert camera.facts.decoder in ("software", "vaapi")
            camera.close()
        assert caplog.text.count("no hardware to decode with") == (camera.facts.decoder != "vaapi")


def test_the_cameras_own_clock_comes_as_it_is(h264: Clip) -> None:
    with TestCamera(h264) as server:
        server.faults.clock(-3600.0)
        with connected(server.url) as camera:
            picture = read(camera, 5)[-1]
        assert picture.exposed is not None
        assert picture.exposed - datetime.now(UTC) == pytest.approx(timedelta(hours=-1), abs=timedelta(seconds=2))
        server.faults.reports(False)
        with connected(server.url) as camera:
            assert {picture.exposed for picture in read(camera, 3)} == {None}
