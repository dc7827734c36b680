"""Killed at any moment, the program loses nothing that was durable, doubles nothing, and leaves nothing half done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
def test_two_hundred_kills(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.crashing", str(tmp_path / "out"), "200", "6"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["acknowledged"] > 200
    assert found["events"] >= found["acknowledged"]
