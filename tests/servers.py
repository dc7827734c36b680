"""Servers from Debian for the tests of sinks: Redis, NATS, PostgreSQL. Each skips where its program is missing."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from tests.receivers import free_port, wait_until

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program(name: str, package: str, path: str = _PATH) -> str:
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"needs the program {name} (Debian: apt-get install {package})")
    return found


class Server:
    """A program that listens at a port of 127.0.0.1; it can go away and come back."""

    def __init__(self, command: Sequence[str], port: int, *, user: str | None = None) -> None:
        self.port = port
        self._command = command
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self.come()

    def come(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=self._user)
        wait_until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self._command[0]} has ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def go(self, number: int = 9) -> None:
        """Go away, by SIGKILL or another signal."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGSTOP:
            wait_until(lambda: " (stopped)" in Path(f"/proc/{self._process.pid}/status").read_text())


def redis_server(folder: Path, *settings: str) -> Server:
    port = free_port()
    command = [program("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    return Server([*command, "--save", "", "--appendonly", "yes", "--appendfsync", "always", *settings], port)


def nats_server(folder: Path, *settings: str) -> Server:
    port = free_port()
    command = [program("nats-server", "nats-server"), "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder / "nats")]
    return Server([*command, *settings], port)


def s3_server() -> Server:
    """A server of S3 that keeps everything in memory: moto's. It runs in an environment of its own, see .ci/run."""
    found = shutil.which("moto_server")
    if found is None:
        pytest.skip("needs the program moto_server (in a virtual environment of its own: pip install 'moto[s3]' flask flask-cors)")
    port = free_port()
    return Server([found, "-H", "127.0.0.1", "-p", str(port)], port)


class Postgres(Server):
    """A cluster of PostgreSQL of its own, with a user ``anpr`` whose password is ``hunter2``. It does not run as root."""

    def __init__(self, folder: Path) -> None:
        places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name))
        path = str(places[-1]) if places else _PATH
        initdb, postgres = program("initdb", "postgresql", path), program("postgres", "postgresql", path)
        self._user = "postgres" if os.getuid() == 0 else None
        data = folder / "cluster"
        data.mkdir()
        secret = folder / "secret"
        secret.write_text("hunter2\n")
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            for place in (data, secret):
                os.chown(place, owner.pw_uid, owner.pw_gid)
            folder.chmod(0o711)
        make = [initdb, "-D", str(data), "-U", "anpr", "--pwfile", str(secret), "-A", "scram-sha-256", "--no-sync"]
        subprocess.run(make, check=True, capture_output=True, timeout=120, user=self._user, cwd="/")
        port = free_port()
        command = [
            postgres,
            "-D",
            str(data),
            "-p",
            str(port),
            "-c",
            "fsync=off",
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={data}",
        ]
        super().__init__(command, port, user=self._user)
        self._copies = 0

    def url(self, database: str) -> str:
        """For a ``Store``."""
        return f"postgresql+psycopg://anpr:hunter2@127.0.0.1:{self.port}/{database}"

    def copy_of(self, database: str) -> str:
        """Give the URL of a new database that is like another one, to which nobody is connected."""
        self._copies += 1
        with psycopg.connect(f"postgresql://anpr:hunter2@127.0.0.1:{self.port}/template1", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE copy{self._copies} TEMPLATE {database}")  # type: ignore[arg-type]
        return self.url(f"copy{self._copies}")

    def go(self, number: int = 9) -> None:
        """Killed, its children still take a statement or two: they count, too."""
        pid = self._process.pid if self._process is not None else None
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if pid is not None else []
        super().go(number)
        wait_until(lambda: not any(Path("/proc", child).exists() for child in children))

    def _answers(self) -> bool:
        """It takes connections before it can do anything with them."""
        if not super()._answers():
            return False
        try:
            psycopg.connect(f"postgresql://anpr:hunter2@127.0.0.1:{self.port}/postgres", connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Not in a folder of pytest's, to which only their owner gets: the server is another user."""
    with TemporaryDirectory(prefix="postgres-") as folder:
        server = Postgres(Path(folder))
        try:
            yield server
        finally:
            server.go(signal.SIGINT)
