"""A YOLOv8 checkpoint to ONNX and OpenVINO: ``python -m streamer.detector.export CHECKPOINT FOLDER``.

A program of its own, because ultralytics brings torch along and reads its settings from the environment at import.
A checkpoint is a pickle and can run anything: export only what you trust.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path


def quiet_ultralytics(settings: Path) -> None:
    """Keep ultralytics from the network, from installing packages and from the user's home; call before its first import."""
    os.environ["YOLO_CONFIG_DIR"] = str(settings)
    os.environ["YOLO_OFFLINE"] = "true"
    os.environ["YOLO_AUTOINSTALL"] = "false"


def export(checkpoint: Path, folder: Path, size: int = 640) -> None:
    """Write ``NAME.onnx``, ``NAME.xml`` and ``NAME.bin`` (f32, any batch and any size in multiples of 32) into ``folder``."""
    with tempfile.TemporaryDirectory(prefix="plate-streamer-") as temporary:
        work = Path(temporary)
        quiet_ultralytics(work)
        from ultralytics import YOLO

        copy = work / checkpoint.name
        shutil.copyfile(checkpoint, copy)
        onnx = Path(YOLO(copy).export(format="onnx", imgsz=size, dynamic=True, simplify=False, device="cpu"))
        openvino = Path(YOLO(copy).export(format="openvino", imgsz=size, dynamic=True, device="cpu"))
        shutil.copyfile(onnx, folder / f"{checkpoint.stem}.onnx")
        for suffix in (".xml", ".bin"):
            shutil.copyfile(openvino / f"{checkpoint.stem}{suffix}", folder / f"{checkpoint.stem}{suffix}")


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
