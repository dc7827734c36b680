"""A second implementation of an RTSP camera, so that clients are not only tested against our own: Debian's gst-rtsp-server.

It is bound to the system's Python: this file is run by /usr/bin/python3 as the server, and imported by tests to start it.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

PYTHON = "/usr/bin/python3"
PATH = "/cam"


@cache
def why_not() -> str | None:
    """Say why the server cannot be had on this machine; None if it can."""
    if shutil.which(PYTHON) is None:
        return f"needs {PYTHON}"
    probe = [PYTHON, __file__, "--probe"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=60)
    return None if done.returncode == 0 else "needs Debian's gir1.2-gst-rtsp-server-1.0 and its plugins (see .ci/run)"


@dataclass(frozen=True, slots=True, eq=False)
class GstCamera:
    """The server as a process of its own, with one camera."""

    process: subprocess.Popen[str]
    port: int
    user: str | None
    password: str | None

    @property
    def url(self) -> str:
        """Without user and password."""
        return f"rtsp://127.0.0.1:{self.port}{PATH}"

    @property
    def login_url(self) -> str:
        """With user and password, percent-encoded."""
        who = f"{quote(self.user, safe='')}:{quote(self.password or '', safe='')}@" if self.user is not None else ""
        return self.url.replace("://", f"://{who}")

    def freeze(self) -> None:
        """Stop the process where it stands: connections stay, nothing comes (SIGSTOP)."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let the process run again (SIGCONT)."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a power cut does (SIGKILL)."""
        self.process.kill()
        self.process.wait()


@contextmanager
def gst_camera(
    clip: Path, folder: Path, *, user: str | None = None, password: str | None = None, digest: bool = False, port: int = 0
) -> Iterator[GstCamera]:
    """Serve a clip in a loop until the end of the block; skips the test where the server cannot be had.

    Args:
        clip: Any video; sent as H.264 or H.265, as ``load_clip`` decides.
        folder: Where the access units may be written.
        user: Who may look; None for everybody.
        password: Of the user.
        digest: Ask by Digest; else by Basic.
        port: 0 for any that is free; that of a camera before it, to bring it back.
    """
    import pytest

    from streamer.testcamera import load_clip

    if (reason := why_not()) is not None:
        pytest.skip(reason)
    loaded = load_clip(clip)
    units = folder / "units.bin"
    with units.open("wb") as file:
        for unit in loaded.units:
            data = b"".join(b"\x00\x00\x00\x01" + nal for nal in unit.nals)
            file.write(struct.pack(">I", len(data)) + data)
    login = ["--user", user, "--password", password or ""] if user is not None else []
    command = [PYTHON, __file__, "--units", str(units), "--codec", loaded.codec, "--fps", str(round(loaded.fps)), "--port", str(port)]
    with subprocess.Popen([*command, *login, *["--digest"] * digest], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready.startswith("ready"), "gst-rtsp-server has not started"
            yield GstCamera(process, int(ready.split()[1]), user, password)
        finally:
            process.kill()


# What follows runs in the system's Python, which knows neither this project nor its packages.


def _serve(options: argparse.Namespace) -> None:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    gi.require_version("GstRtsp", "1.0")
    from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

    Gst.init(None)
    needed = ("appsrc", "h264parse", "h265parse", "rtph264pay", "rtph265pay")
    missing = [name for name in needed if Gst.ElementFactory.find(name) is None]
    if missing:
        sys.exit(f"missing elements: {missing}")
    if options.probe:
        return
    units = _read_units(Path(options.units))

    class Factory(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]
        """Feeds the units to a payloader. Only do_configure: with the signal media-configure too, every picture is sent twice."""

        def do_configure(self, media: Any) -> None:
            duration = Gst.SECOND // options.fps
            numbers = iter(range(sys.maxsize))

            def feed(source: Any, _wanted: int) -> None:
                number = next(numbers)
                buffer = Gst.Buffer.new_wrapped(units[number % len(units)])
                buffer.pts = buffer.dts = number * duration
                buffer.duration = duration
                source.emit("push-buffer", buffer)

            media.get_element().get_child_by_name("src").connect("need-data", feed)

    factory = Factory()
    name = options.codec
    caps = f"video/x-{name},stream-format=byte-stream,alignment=au,framerate={options.fps}/1"
    source = f"appsrc name=src is-live=true format=time do-timestamp=false block=true max-bytes=0 caps={caps}"
    factory.set_launch(f"( {source} ! {name}parse config-interval=-1 ! rtp{name}pay name=pay0 pt=96 config-interval=-1 )")
    factory.set_shared(True)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options.port))
    server.get_mount_points().add_factory(PATH, factory)
    if options.user is not None:
        _ask_for_password(server, factory, options, GstRtsp, GstRtspServer)
    server.attach(None)
    sys.stdout.write(f"ready {server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


def _ask_for_password(server: Any, factory: Any, options: argparse.Namespace, rtsp: Any, rtsp_server: Any) -> None:
    auth = rtsp_server.RTSPAuth()
    token = rtsp_server.RTSPToken()
    token.set_string("media.factory.role", "user")
    if options.digest:
        auth.set_supported_methods(rtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(options.user, options.password, token)
    else:
        auth.add_basic(rtsp_server.RTSPAuth.make_basic(options.user, options.password), token)
    server.set_auth(auth)
    permissions = rtsp_server.RTSPPermissions()
    permissions.add_permission_for_role("user", "media.factory.access", True)
    permissions.add_permission_for_role("user", "media.factory.construct", True)
    factory.set_permissions(permissions)


def _read_units(path: Path) -> list[bytes]:
    data, units, at = path.read_bytes(), [], 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        units.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return units


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--units")
    parser.add_argument("--codec", default="h264")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--digest", action="store_true")
    _serve(parser.parse_args())


if __name__ == "__main__":
    _main()
