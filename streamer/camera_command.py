"""``plate-streamer camera``: clips served as cameras, with faults on demand."""

from __future__ import annotations

import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from streamer.errors import UsageError
from streamer.testcamera import (
    Camera,
    CameraServer,
    Clip,
    Codec,
    Login,
    MjpegServer,
    PortServer,
    TimedFault,
    load_clip,
    parse_timed,
    tls_context,
)
from streamer.testcamera.auth import Scheme

_TICK_S = 0.1
"""How exactly faults that were ordered for a time come."""


def run_camera(
    files: Sequence[Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8554,
    user: str | None = None,
    password: str | None = None,
    auth: Scheme = "digest",
    loop: bool = True,
    udp: bool = True,
    fault: Sequence[str] = (),
    cert: Path | None = None,
    key: Path | None = None,
    http_port: int | None = None,
    lines: Iterable[str] | None = None,
) -> int:
    """Serve each file as a camera that is named after it until a signal comes or, not in a loop, until all have been played.

    Args:
        files: Videos; two of one name in different folders are told apart by a number.
        host: Address to listen at.
        port: Of RTSP; 0 for any that is free.
        user: With ``password``: who may look; None for everybody.
        password: Is never shown.
        auth: How the password is asked for.
        loop: Show the files again and again.
        udp: Whether clients may have UDP.
        fault: Faults to come, such as ``gate:stall@10s``, ten seconds after the start.
        cert: With ``key``: PEM files of a certificate; RTSP and HTTP speak TLS only.
        key: Of the certificate.
        http_port: Serve the same files as MJPEG over HTTP at this port too; 0 for any that is free.
        lines: Where faults are typed: ``NAME FAULT VALUE``, or without the name for every camera; None for standard input.

    Returns:
        The exit code 0.

    Raises:
        UsageError: What was given cannot be used, the port for one.
        SourceError: A file cannot be read as a video.
    """
    console = Console()
    login = _login(user, password, auth)
    timed = [parse_timed(text) for text in fault]
    tls = _tls(cert, key)
    with ExitStack() as stack:
        stop = stack.enter_context(_stopped_by_signals())
        rtsp = _cameras(files, None, loop)
        _check_names(timed, rtsp)
        servers: list[PortServer] = []
        _open(stack, servers, lambda: CameraServer(list(rtsp.values()), host=host, port=port, login=login, tls=tls, udp=udp), port)
        if http_port is not None:
            http = list(_cameras(files, "mjpeg", loop).values())
            _open(stack, servers, lambda: MjpegServer(http, host=host, port=http_port, login=login, tls=tls), http_port)
        cameras = [camera for server in servers for camera in server.cameras.values()]
        for camera in cameras:
            console.print(camera.url, highlight=False, soft_wrap=True, markup=False)
        typing = threading.Thread(
            target=_obey, args=(sys.stdin if lines is None else lines, cameras, console), name="fault lines", daemon=True
        )
        typing.start()
        _play(cameras, timed, stop, console, loop=loop)
    return 0


def _login(user: str | None, password: str | None, auth: Scheme) -> Login | None:
    if (user is None) != (password is None):
        raise UsageError("user and password go together")
    return None if user is None or password is None else Login(user, password, auth)


def _tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if (cert is None) != (key is None):
        raise UsageError("a certificate needs its key, and a key its certificate")
    return None if cert is None or key is None else tls_context(cert, key)


def _cameras(files: Sequence[Path], codec: Codec | None, loop: bool) -> dict[str, Camera]:
    cameras: dict[str, Camera] = {}
    clips: dict[Path, Clip] = {}
    for file in files:
        if file not in clips:
            clips[file] = load_clip(file, codec=codec)
        name, number = file.stem, 1
        while name in cameras:
            number += 1
            name = f"{file.stem}-{number}"
        cameras[name] = Camera(name, clips[file], loop=loop)
    return cameras


def _open(stack: ExitStack, servers: list[PortServer], build: Callable[[], PortServer], port: int) -> None:
    try:
        servers.append(stack.enter_context(build()))
    except OSError as error:
        raise UsageError(f"port {port} cannot be had: {error.strerror}") from error


def _check_names(timed: Sequence[TimedFault], cameras: Mapping[str, Camera]) -> None:
    for fault in timed:
        if fault.camera is not None and fault.camera not in cameras:
            raise UsageError(f"no such camera: {fault.camera}; there are {', '.join(cameras)}")


def _play(cameras: Sequence[Camera], timed: Sequence[TimedFault], stop: threading.Event, console: Console, *, loop: bool) -> None:
    """Wait for the end, and let the faults that were ordered happen in their time."""
    began = time.monotonic()
    to_come = sorted(timed, key=lambda fault: fault.after_s)
    while not stop.wait(_TICK_S):
        while to_come and time.monotonic() - began >= to_come[0].after_s:
            fault = to_come.pop(0)
            _apply(cameras, fault.camera, fault.line, console)
        if not loop and all(camera.timeline.ended and not camera.watched for camera in cameras):
            return


def _obey(lines: Iterable[str], cameras: Sequence[Camera], console: Console) -> None:
    """Do what is typed, until there are no more lines."""
    names = {camera.name for camera in cameras}
    for line in lines:
        first, _, rest = line.strip().partition(" ")
        if not first:
            continue
        named = first in names
        _apply(cameras, first if named else None, rest if named else line, console)


def _apply(cameras: Sequence[Camera], name: str | None, line: str, console: Console) -> None:
    for camera in cameras:
        if name in (camera.name, None):
            try:
                camera.faults.apply(line)
            except (UsageError, OSError) as error:  # mistyped; a port that somebody else has taken
                console.print(str(error), highlight=False, soft_wrap=True, markup=False)
                return


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    former = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
