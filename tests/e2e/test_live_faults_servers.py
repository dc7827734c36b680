"""Row 18 of the table of fault tests, both transports and both ways to ask for a password; and the commonest faults against a server that
is not ours (Debian's gst-rtsp-server), where it is installed.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest

from streamer.errors import UsageError
from streamer.testcamera import Login, TestCamera, load_clip
from tests.e2e.livecamera import CAP_S, OPEN_S, Rig, T, camera
from tests.e2e.livecamera_clip import FPS, GOP_S, make_clip
from tests.gstcamera import PYTHON, gst_camera, why_not

FIRST_FRAME_S = 3.0
USER, PASSWORD = "anpr", "s3cr@t/x%:?"
WAYS = [(transport, method) for transport in ("tcp", "udp") for method in ("digest", "basic")]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips"))


def check_all(urls: dict[str, str], sent: Callable[[str], int] | None = None) -> None:
    """Watch cameras by every way at once: pictures come soon, and all of them."""
    cameras = {}
    for name, url in urls.items():
        transport, _ = name.split("-")
        cameras[name] = camera(url, transport=transport, user=USER, password=PASSWORD)
    with Rig(cameras) as rig:
        for name in cameras:
            assert rig.live(name) - rig.turns[name][0].at <= FIRST_FRAME_S
        before, began = {name: rig.of(name) for name in cameras}, time.monotonic()
        time.sleep(3.0)
        seconds = time.monotonic() - began
        for name in cameras:
            after = rig.of(name)
            assert after.faults == {}
            assert after.suspect == 0
            assert after.offered - before[name].offered >= 0.95 * FPS * seconds, "or more: it had a backlog"
            if sent is not None:
                assert 0 <= sent(name) - after.offered <= 4
                assert after.clock == "rtcp"  # the other server's first report may come later


def test_18_both_transports_and_passwords(path: Path) -> None:
    with ExitStack() as stack:
        servers = {}
        for transport, method in WAYS:
            scheme: Literal["digest", "basic"] = "digest" if method == "digest" else "basic"
            login = Login(USER, PASSWORD, scheme)
            servers[f"{transport}-{method}"] = stack.enter_context(TestCamera(load_clip(path), login=login))
        check_all({name: server.url for name, server in servers.items()}, lambda name: servers[name].sent)


def test_18_both_transports_and_passwords_of_another_server(path: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        urls = {}
        for transport, method in WAYS:
            folder = tmp_path / f"{transport}-{method}"
            folder.mkdir()
            server = gst_camera(path, folder, user=USER, password=PASSWORD, digest=method == "digest")
            urls[f"{transport}-{method}"] = stack.enter_context(server).url
        check_all(urls)


def test_01_and_02_another_server_killed_and_frozen(path: Path, tmp_path: Path) -> None:
    """The promises are those of test_live_faults.py."""
    with ExitStack() as stack:
        names = [f"{fault} {transport}" for fault in ("killed", "frozen") for transport in ("tcp", "udp")]
        servers = {name: stack.enter_context(gst_camera(path, folder(tmp_path, name))) for name in names}
        rig = stack.enter_context(Rig({name: camera(servers[name].url, transport=name.split()[1]) for name in names}))
        for name in names:
            rig.live(name)
        time.sleep(1.0)

        began = time.monotonic()
        for name in names:
            servers[name].kill() if name.startswith("killed") else servers[name].freeze()
        for name in names:
            reason, within_s = ("gone", 0.5) if name.startswith("killed") else ("timeout", T + 0.5)
            noticed = rig.fault(name, began)
            assert noticed.reason == reason
            assert noticed.at - began <= within_s

        time.sleep(max(0.0, began + 3.0 - time.monotonic()))
        back = {}
        for name in names:
            if name.startswith("frozen"):
                back[name] = time.monotonic()
                servers[name].go_on()
        for name in names:
            if name.startswith("killed"):
                begun = stack.enter_context(gst_camera(path, folder(tmp_path, f"{name} again"), port=servers[name].port))
                back[name] = time.monotonic()
                assert begun.process.poll() is None
        for name in names:
            within_s = 1.2 * CAP_S + OPEN_S + GOP_S if name.startswith("killed") else OPEN_S + GOP_S + 1.0
            assert rig.live(name, began + 1.0) - back[name] <= within_s
        check_flow(rig)


JPEG_SERVER = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server, factory = GstRtspServer.RTSPServer(address="127.0.0.1", service="0"), GstRtspServer.RTSPMediaFactory()
raw = "video/x-raw,width=320,height=240,framerate=25/1,format=I420"
factory.set_launch(f"( videotestsrc is-live=true ! {raw} ! jpegenc ! rtpjpegpay name=pay0 pt=26 )")
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


def test_18_jpeg_over_rtsp() -> None:
    """Our own camera sends JPEG over HTTP only (RFC 2435 is not there), and says so."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    with subprocess.Popen([PYTHON, "-c", JPEG_SERVER], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = f"rtsp://127.0.0.1:{int(process.stdout.readline())}/cam"
            with Rig({transport: camera(url, transport=transport) for transport in ("tcp", "udp")}) as rig:
                for transport in ("tcp", "udp"):
                    assert rig.live(transport) - rig.turns[transport][0].at <= FIRST_FRAME_S
                rig.wait(lambda: all(rig.of(transport).offered >= FPS for transport in ("tcp", "udp")))
                for one in rig.service.snapshots():
                    assert one.facts is not None
                    assert (one.faults, one.suspect, one.facts.codec) == ({}, 0, "mjpeg")
        finally:
            process.kill()


def test_our_own_camera_refuses_jpeg_over_rtsp(path: Path) -> None:
    with pytest.raises(UsageError, match="HTTP"):
        TestCamera(load_clip(path, codec="mjpeg"))


def check_flow(rig: Rig) -> None:
    before, began = {one.source_id: one for one in rig.service.snapshots()}, time.monotonic()
    time.sleep(2.0)
    seconds = time.monotonic() - began
    for after in rig.service.snapshots():
        assert after.state == "live"
        assert after.offered - before[after.source_id].offered >= 0.9 * FPS * seconds, "or more: it had a backlog"


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made
