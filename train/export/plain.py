"""ONNX and OpenVINO files of a YOLOv8 checkpoint, as ultralytics makes them: what other forms are made from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from streamer.errors import UsageError

WORK = ".export"
"""Folder in the export's folder, removed when it is done: not all of the files in it may be asked for."""


def plain_forms(checkpoint: Path, out: Path, size: int = 640) -> Path:
    """Give the folder with ``NAME.onnx``, ``NAME.xml`` and ``NAME.bin``, made at the first call. Raises UsageError.

    ``size``: pixels that the files say they were trained with; they take any multiple of 32.
    """
    folder = out / WORK
    if not (folder / f"{checkpoint.stem}.xml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        export_with(checkpoint, folder, str(size))
    return folder


def export_with(checkpoint: Path, folder: Path, *more: str) -> None:
    """Run ``streamer.detector.export`` in a process of its own. Raises UsageError with the end of what it says if it fails."""
    command: list[Any] = [sys.executable, "-m", "streamer.detector.export", checkpoint.absolute(), folder.absolute(), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-8:])
        raise UsageError(f"{checkpoint}: cannot be exported:\n{tail}")
