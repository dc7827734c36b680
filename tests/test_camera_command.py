"""``plate-streamer camera``: files as cameras, faults on a line."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.camera_command import run_camera
from streamer.errors import UsageError
from tests.make_clips import make_clip, steady
from tests.rtspclient import numbers, wait_until

PICTURES = 30


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "gate.mp4", steady(PICTURES, 50.0), options={"bf": "0"})


def refused(url: str) -> bool:
    try:
        numbers(url, 1)
    except av.error.FFmpegError:
        return True
    return False


@contextmanager
def command(*files: Path, **options: object) -> Iterator[subprocess.Popen[str]]:
    call = f"run_camera([*map(Path, {[str(file) for file in files]})], **{options})"
    script = f"import sys; from pathlib import Path; from streamer.camera_command import *; sys.exit({call})"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_command_serves_files_and_obeys_lines(file: Path, tmp_path: Path) -> None:
    again = tmp_path / "gate.mp4"
    again.write_bytes(file.read_bytes())
    options = {"port": 0, "http_port": 0, "user": "me", "password": "s3cret", "fault": ["gate:code 503@0.5s"]}
    with command(file, again, **options) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        urls = [process.stdout.readline().strip() for _ in range(4)]
        gate, second, gate_http, second_http = [url.replace("://", "://me:s3cret@") for url in urls]
        assert [url.rpartition("/")[2] for url in urls] == ["gate", "gate-2"] * 2
        assert [len(numbers(url, 3)) for url in (second, second_http)] == [3, 3]
        wait_until(lambda: refused(gate) and refused(gate_http))
        process.stdin.write("nonsense\ngate normal\ngate-2 code 404\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("no such fault: 'nonsense'")
        wait_until(lambda: refused(second) and refused(second_http) and not refused(gate))
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=5)
        assert process.returncode == 0
        assert "s3cret" not in "".join(urls) + rest


def test_the_command_ends_when_all_is_played(file: Path) -> None:
    watched: list[int] = []

    def watch() -> None:
        wait_until(lambda: not refused_port(port))
        watched.extend(numbers(f"rtsp://127.0.0.1:{port}/gate", 1000))

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        with pytest.raises(UsageError, match=str(port)):
            run_camera([file], port=port, lines=[])
    watcher = threading.Thread(target=watch)
    watcher.start()
    assert run_camera([file], port=port, loop=False, lines=[]) == 0
    watcher.join()
    assert watched == list(range(PICTURES))


def refused_port(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"user": "me"}, "together"),
        ({"cert": Path("c")}, "key"),
        ({"fault": ["other:stall"]}, "no such camera: other; there are gate"),
        ({"fault": ["gate:explode"]}, "explode"),
    ],
)
def test_the_command_says_what_it_cannot_use(file: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run_camera([file], port=0, lines=[], **given)
