"""A wrong password, by Digest and by Basic: it is told as that, tried again slowly, and stands in no output whatsoever."""

from __future__ import annotations

import json
import logging
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Literal
from urllib.parse import quote, quote_plus

import pytest

from streamer.config import Camera, Config, HealthConfig
from streamer.daemon import Daemon
from streamer.testcamera import Login, TestCamera, load_clip
from tests.e2e.livecamera import QUICK
from tests.e2e.livecamera_clip import make_clip

SECRET = "wr0ng:p@ss/w0rd%&?"
OTHER = "r1ght:p@ss"
PARTS = (
    SECRET,
    quote(SECRET, safe=""),
    quote(SECRET),
    quote_plus(SECRET),
    "wr0ng",
    "w0rd%",
    "w0rd%25",
    OTHER,
    quote(OTHER, safe=""),
    "r1ght",
)
"""Plain, encoded, and what would be left of it if it were cut at one of its own signs."""


def found_in(text: str) -> list[str]:
    return [part for part in PARTS if part.lower() in text.lower()]


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 (our own server)
        return str(answer.read().decode())


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips"))


def test_08_a_wrong_password_is_nowhere(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    methods: tuple[Literal["digest", "basic"], ...] = ("digest", "basic")
    password_file = tmp_path / "password"
    password_file.write_text(SECRET + "\n")
    with ExitStack() as stack:
        servers = {m: stack.enter_context(TestCamera(load_clip(path), login=Login("anpr", OTHER, m))) for m in methods}
        right = stack.enter_context(TestCamera(load_clip(path), login=Login("anpr", SECRET)))
        gone = stack.enter_context(TestCamera(load_clip(path), login=Login("anpr", SECRET)))
        wrong_path = right.url.replace("/cam", "/none")
        given = {name: {"url": server.url, "password": SECRET} for name, server in servers.items()}
        given |= {
            "by_file": {"url": servers["digest"].url, "password_file": str(password_file)},
            "right": {"url": right.url, "password": SECRET},
            "missing": {"url": wrong_path, "password": SECRET},
            "broken": {"url": gone.url, "password": SECRET},
        }
        cameras = {name: Camera.model_validate({**QUICK, "user": "anpr", **fields}) for name, fields in given.items()}
        config = Config(cameras=cameras, health=HealthConfig(port=0))
        daemon = Daemon(config, tmp_path / "out")
        try:
            daemon.start()
            told = ""
            deadline = time.monotonic() + 20.0
            states: dict[str, dict[str, object]] = {}
            while time.monotonic() < deadline:
                daemon.tick()
                status = json.loads(get(f"{daemon.address}/status"))
                states = {one["source_id"]: one for one in status["cameras"]}
                told += json.dumps(status)
                if states["right"]["state"] == "live" and all(states[name]["reason"] == "authentication" for name in methods):
                    break
                time.sleep(0.1)
            gone.faults.garbage("packets")
            time.sleep(0.5)
            gone.faults.code(503)
            gone.faults.reset()
            time.sleep(2.0)
            daemon.tick()
            told += get(f"{daemon.address}/status") + get(f"{daemon.address}/metrics") + get(f"{daemon.address}/readyz?")
        finally:
            daemon.stop()
    for name in (*methods, "by_file"):
        assert states[name]["state"] == "backoff"
        assert states[name]["faults"] == {"authentication": 1}, "once: cameras lock accounts"
    assert states["missing"]["reason"] == "missing"
    out, error = capfd.readouterr()
    events = "".join(file.read_text() for file in (tmp_path / "out").rglob("*.jsonl"))
    logged = caplog.text + "".join(f"{record.__dict__}{record.exc_info}" for record in caplog.records)
    places = {"status and metrics": told, "log": logged, "events": events, "standard output": out, "standard error": error}
    places |= {"configuration": repr(config) + str(config) + config.model_dump_json(), "daemon": repr(vars(daemon))}
    assert {place: parts for place, text in places.items() if (parts := found_in(text))} == {}
    assert "user or password" in caplog.text
