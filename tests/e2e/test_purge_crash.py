"""Killed in the middle of a purge at any moment, the program leaves nothing half forgotten."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KILLS = 20


@pytest.mark.timeout(300)
def test_a_crash_in_the_middle_of_a_purge_leaves_nothing_half_done(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.forgetting", str(tmp_path / "out"), str(KILLS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["done"] < KILLS, "some were killed in the middle"
