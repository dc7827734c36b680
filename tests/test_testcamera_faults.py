"""Every fault of the test camera has the effect that its name promises."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.testcamera import Clip, MjpegCamera, TestCamera, load_clip
from tests.make_clips import make_clip, number_of, steady
from tests.rtspclient import Rtp, RtspClient, numbers, report_of, seen, wait_until

PICTURES, FPS, GOP = 30, 50.0, 10


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "cam.mp4", steady(PICTURES, FPS), gop=GOP, options={"bf": "0"})


@pytest.fixture(scope="session")
def clip(file: Path) -> Clip:
    return load_clip(file)


@pytest.fixture
def camera(clip: Clip) -> Iterator[TestCamera]:
    with TestCamera(clip) as camera:
        yield camera


@pytest.fixture
def client(camera: TestCamera) -> Iterator[RtspClient]:
    with RtspClient(camera.url, timeout_s=1.0) as client:
        yield client.play()


def nothing_comes(client: RtspClient, *, for_s: float = 0.3) -> bool:
    """Drain what was on its way; then nothing may come for a while."""
    client.socket.settimeout(for_s)
    try:
        return len(list(islice(client.packets(), 40))) < 40
    except TimeoutError:
        client.socket.settimeout(1.0)
        return True


def starts_with_key_picture(packet: Rtp) -> bool:
    return packet.payload[0] & 31 == 7  # a sequence parameter set


def test_stall_and_resume(camera: TestCamera, client: RtspClient) -> None:
    list(islice(client.rtp(), 5))
    camera.faults.stall()
    assert nothing_comes(client)
    sent = camera.sent
    camera.faults.resume()
    assert starts_with_key_picture(next(client.rtp()))
    assert camera.sent in (sent, sent + 1)


def test_novideo_leaves_the_sender_reports(camera: TestCamera, client: RtspClient) -> None:
    camera.faults.novideo()
    client.socket.settimeout(3.0)
    reports = client.rtcp()
    next(reports)
    next(reports)  # what came before it was on its way
    channel, _ = next(client.packets())
    assert channel == 1
    camera.faults.video()
    assert starts_with_key_picture(next(client.rtp()))


def test_freeze_repeats_a_picture_bit_by_bit_and_thaw_goes_on(camera: TestCamera) -> None:
    with av.open(camera.url, options={"fpsprobesize": "0", "rtsp_transport": "tcp"}, timeout=(5.0, 3.0)) as container:
        frames = container.decode(video=0)
        before = [number_of(frame.to_ndarray(format="bgr24")) for frame in islice(frames, 5)]
        camera.faults.freeze()
        frozen = list(islice(frames, 15))[5:]
        camera.faults.thaw()
        after = [number_of(frame.to_ndarray(format="bgr24")) for frame in islice(frames, 40)]
    assert before == [0, 1, 2, 3, 4]
    pictures = [frame.to_ndarray(format="bgr24") for frame in frozen]
    assert all(np.array_equal(pictures[0], picture) for picture in pictures)
    assert number_of(pictures[0]) % GOP == 0
    assert all(former.pts < latter.pts for former, latter in pairwise(frozen))
    tail = after[-20:]
    assert [(latter - former) % PICTURES for former, latter in pairwise(tail)] == [1] * 19, "undamaged"


def test_freezestamps_and_thawstamps(camera: TestCamera, client: RtspClient) -> None:
    camera.faults.freezestamps()
    list(islice(client.rtp(), 5))
    packets = list(islice(client.rtp(), 20))
    assert len({packet.stamp for packet in packets}) == 1
    assert len({packet.payload for packet in packets}) > 10, "the pictures go on"
    camera.faults.thawstamps()
    assert len({packet.stamp for packet in islice(client.rtp(), 20)}) > 5


def test_drop_is_an_end_and_reset_an_error(camera: TestCamera, client: RtspClient) -> None:
    camera.faults.drop()
    assert all(channel in (0, 1) for channel, _ in client.packets()), "and then the end"
    with RtspClient(camera.url) as other:
        other.play()
        list(islice(other.rtp(), 3))
        camera.faults.reset()
        with pytest.raises(ConnectionResetError):
            list(other.packets())
    wait_until(lambda: camera.connections == 0)
    assert len(numbers(camera.url, 3)) == 3, "the next one is served"


def test_mute_and_unmute(camera: TestCamera) -> None:
    camera.faults.mute()
    with RtspClient(camera.url, timeout_s=0.3) as client:
        with pytest.raises(TimeoutError):
            client.ask("OPTIONS")
        camera.faults.unmute()
        assert client.ask("OPTIONS")[0] == 200
    assert [method for _, method in camera.requests] == ["OPTIONS", "OPTIONS"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, av.error.HTTPUnauthorizedError),
        (403, av.error.HTTPForbiddenError),
        (404, av.error.HTTPNotFoundError),
        (503, av.error.HTTPServerError),
    ],
)
def test_code(camera: TestCamera, status: int, error: type[Exception]) -> None:
    camera.faults.code(status)
    with pytest.raises(error):
        numbers(camera.url, 1)
    camera.faults.code()
    assert len(numbers(camera.url, 1)) == 1


def lost(packets: list[Rtp]) -> float:
    """The share of the packets that the sequence numbers miss."""
    span = (packets[-1].sequence - packets[0].sequence) % 65_536
    return 1 - (len(packets) - 1) / span


def padded(clip: Clip, size: int = 60_000) -> Clip:
    """Every picture with filler data of many packets."""
    return replace(clip, units=tuple(replace(unit, nals=(*unit.nals, b"\x0c" + b"\xff" * size + b"\x80")) for unit in clip.units))


def test_loss(clip: Clip) -> None:
    with TestCamera(padded(clip)) as camera, RtspClient(camera.url) as client:
        client.play()
        assert lost(list(islice(client.rtp(), 500))) == 0
        camera.faults.loss(0.1)
        list(islice(client.rtp(), 200))
        assert 0.05 < lost(list(islice(client.rtp(), 1500))) < 0.15


def changes(clip: Clip, seed: int, *, fuzz: float) -> list[bytes]:
    """The first payloads of a fuzzed camera."""
    with TestCamera(clip, seed=seed) as camera:
        camera.faults.fuzz(fuzz)
        with RtspClient(camera.url) as client:
            return [packet.payload for packet in islice(client.play().rtp(), 100)]


def test_fuzz_is_the_same_for_the_same_seed(clip: Clip) -> None:
    large = padded(clip, 20_000)
    true = [payload for payloads in large.payloads for payload in payloads][:100]
    once = changes(large, 1, fuzz=0.3)
    assert once == changes(large, 1, fuzz=0.3) != changes(large, 2, fuzz=0.3)
    assert 10 < sum(a != b for a, b in zip(once, true, strict=True)) < 50
    assert [len(payload) for payload in once] == [len(payload) for payload in true]


def test_garbage_of_payloads_or_whole_packets(camera: TestCamera, client: RtspClient, clip: Clip) -> None:
    camera.faults.garbage()
    list(islice(client.rtp(), 5))
    true = {payload for payloads in clip.payloads for payload in payloads}
    packets = list(islice(client.rtp(), 20))
    assert not any(packet.payload in true for packet in packets if len(packet.payload) > 8)
    assert [(b.sequence - a.sequence) % 65_536 for a, b in pairwise(packets)] == [1] * 19, "headers are what they were"
    camera.faults.garbage("packets")
    whole = [packet for channel, packet in islice(client.packets(), 40) if channel == 0]
    assert any(packet[0] != 0x80 for packet in whole)
    camera.faults.garbage(None)
    assert len(numbers(camera.url, 3)) == 3


def test_nothing_can_be_decoded_from_garbage(camera: TestCamera) -> None:
    camera.faults.garbage()
    try:
        assert numbers(camera.url, 1, timeout_s=1.0) == []
    except av.error.FFmpegError:
        return


@pytest.mark.parametrize("seconds", [100.0, -200.0])
def test_ptsjump(camera: TestCamera, client: RtspClient, seconds: float) -> None:
    before = list(islice(client.rtp(), 3))[-1]
    camera.faults.ptsjump(seconds)
    after = list(islice(client.rtp(), 10))[-1]
    step = (after.stamp - before.stamp + 2**31) % 2**32 - 2**31
    assert step / 90_000 == pytest.approx(seconds, abs=0.5)


def test_rate_ships_slower_than_it_stamps(camera: TestCamera, client: RtspClient) -> None:
    list(islice(client.rtp(), 5))
    camera.faults.rate(0.5)
    list(islice(client.rtp(), 3))
    began = time.monotonic()
    packets = [packet for packet in islice(client.rtp(), 60) if packet.marker][:20]
    took = time.monotonic() - began
    stamped = ((packets[-1].stamp - packets[0].stamp) % 2**32) / 90_000
    assert stamped < 0.75 * took


def test_bye(camera: TestCamera, client: RtspClient) -> None:
    list(islice(client.rtp(), 5))
    camera.faults.bye()
    kinds = [packet[1] for packet in islice(client.rtcp(), 1)]
    while kinds[-1] != 203:
        kinds.extend(packet[1] for packet in islice(client.rtcp(), 1))
    assert nothing_comes(client)
    assert client.ask("OPTIONS")[0] == 200, "the connection stays"
    assert len(numbers(camera.url, 3)) == 3, "the next one is served"


def test_offline_and_online(camera: TestCamera, client: RtspClient) -> None:
    port = camera.port
    for _ in range(10):
        camera.faults.offline()
        camera.faults.offline()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        camera.faults.online()
        camera.faults.online()
    list(client.packets())  # comes to its end
    assert camera.port == port
    assert len(numbers(camera.url, 3)) == 3


def test_reports_tell_when_a_picture_was_due(camera: TestCamera, client: RtspClient) -> None:
    report = report_of(next(client.rtcp()))
    assert report.unix_s == pytest.approx(time.time(), abs=0.5)
    first = next(client.rtp())
    assert (first.stamp - report.stamp) % 2**32 <= 90_000 / FPS
    camera.faults.clock(3600.0)
    assert report_of(next(client.rtcp())).unix_s - time.time() == pytest.approx(3600.0, abs=0.5)


def test_reports_can_be_switched_off(camera: TestCamera) -> None:
    camera.faults.reports(False)
    with RtspClient(camera.url) as client:
        assert {channel for channel, _ in islice(client.play().packets(), 80)} == {0}


def test_mjpeg_has_the_same_faults(file: Path) -> None:
    with MjpegCamera(file) as camera:
        camera.faults.code(503)
        with pytest.raises(av.error.HTTPServerError):
            numbers(camera.url, 1)
        camera.faults.code(None)
        with av.open(camera.url, timeout=(5.0, 1.0)) as container:
            frames = container.decode(video=0)
            next(frames)
            camera.faults.freeze()
            assert len({frame.to_ndarray(format="bgr24").tobytes() for frame in list(islice(frames, 60))[-5:]}) == 1
            camera.faults.thaw()
            camera.faults.stall()
            with pytest.raises(av.error.FFmpegError):
                list(frames)
        camera.faults.resume()
        assert len(numbers(camera.url, 3)) == 3
        camera.faults.offline()
        with pytest.raises(av.error.FFmpegError):
            numbers(camera.url, 1)


def test_loss_by_udp_damages_and_is_seen_by_the_client(clip: Clip) -> None:
    with TestCamera(padded(clip, 5000)) as camera:
        camera.faults.loss(0.02)
        assert len(seen(camera.url, 20, rtsp_transport="udp")) == 20
