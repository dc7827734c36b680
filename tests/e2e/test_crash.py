"""Killed at any moment, the program loses nothing that was durable, doubles nothing, and leaves nothing half done."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "none", disk], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk needs the right to mount one: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.timeout(300)
def test_kills_on_a_disk_that_gets_full(small_disk: Path) -> None:
    command = [sys.executable, "-m", "tests.crashing", str(small_disk / "out"), "25", "6", str(small_disk)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["filled"] >= 25
    assert found["events"] >= found["acknowledged"] > 25


@pytest.mark.timeout(300)
def test_two_hundred_kills(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.crashing", str(tmp_path / "out"), "200", "6"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["acknowledged"] > 50
    assert found["events"] >= found["acknowledged"]
