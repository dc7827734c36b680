"""Cameras in processes of their own, ports behind which there is none, and what this process itself uses."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socket import socket

ROOT = Path(__file__).resolve().parents[2]

_CHILD = """
import sys, threading
from pathlib import Path
from streamer.testcamera import TestCamera
camera = TestCamera(Path(sys.argv[1]), port=int(sys.argv[2]))
print(camera.port, flush=True)
for line in sys.stdin:
    camera.faults.apply(line)
"""


class CameraProcess:
    """The test camera as a process of its own, to be killed and frozen."""

    def __init__(self, clip: Path, port: int = 0) -> None:
        self.clip = clip
        command = [sys.executable, "-c", _CHILD, str(clip), str(port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"rtsp://127.0.0.1:{self.port}/cam"

    def apply(self, line: str) -> None:
        """Give it a fault, such as ``drop``."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def black_hole(*, full: bool = False) -> Iterator[str]:
    """A port that accepts and never answers; ``full``: one whose backlog is full, so that connecting itself hangs."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0 if full else 8)
        for _ in range(4 if full else 0):
            waiting = stack.enter_context(socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield f"rtsp://127.0.0.1:{listening.getsockname()[1]}/cam"


def thread_cpu_s(name: str) -> float:
    """Give the CPU seconds that a thread of this process has taken."""
    thread = next(one for one in threading.enumerate() if one.name == name)
    assert thread.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def rss_mb() -> float:
    """Give the memory of this process that is in use, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def descriptors() -> int:
    """Give how many files and sockets this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
