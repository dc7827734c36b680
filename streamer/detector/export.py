"""A YOLOv8 checkpoint to ONNX and OpenVINO: ``python -m streamer.detector.export CHECKPOINT FOLDER [[tensorrt] SIZE]``.

A program of its own, because ultralytics brings torch along and reads its settings from the environment at import.
A checkpoint is a pickle, which torch's safe mode keeps from running what it likes; still, export only what you trust.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def quiet_ultralytics(settings: Path) -> Iterator[None]:
    """Import ultralytics within: no network, no package installed, no settings outside ``settings``, nothing on standard output.

    It also unpickles checkpoints in torch's safe mode, with the classes of its own networks only. Has no effect if something
    else imported ultralytics before.
    """
    wanted = {
        "YOLO_CONFIG_DIR": str(settings),
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_VERBOSE": "false",
        "ULTRALYTICS_SAFE_LOAD": "true",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def export(checkpoint: Path, folder: Path, size: int = 640) -> None:
    """Write ``NAME.onnx``, ``NAME.xml`` and ``NAME.bin`` (f32, any batch and any size in multiples of 32) into ``folder``.

    ``size``: that it was trained with, pixels; the files say it.
    """
    with tempfile.TemporaryDirectory(prefix="plate-streamer-") as temporary, quiet_ultralytics(Path(temporary)):
        work = Path(temporary)
        from ultralytics.models import YOLO

        copy = work / checkpoint.name
        shutil.copyfile(checkpoint, copy)
        onnx = Path(YOLO(copy).export(format="onnx", imgsz=size, dynamic=True, simplify=False, device="cpu"))
        openvino = Path(YOLO(copy).export(format="openvino", imgsz=size, dynamic=True, device="cpu"))
        shutil.copyfile(onnx, folder / f"{checkpoint.stem}.onnx")
        _with_size(openvino / f"{checkpoint.stem}.xml", folder / f"{checkpoint.stem}.xml", size)


def _with_size(source: Path, target: Path, size: int) -> None:
    """Write an OpenVINO model that says its size itself: ultralytics says it in a file of the same name beside each."""
    import openvino

    model = openvino.Core().read_model(source)
    model.set_rt_info(str(size), ["model_info", "imgsz"])
    openvino.save_model(model, target, compress_to_fp16=False)


def export_engine(checkpoint: Path, folder: Path, size: int) -> None:
    """Write ``NAME.engine``: TensorRT in fp16 for the GPU of this machine, any batch up to 8 and any shape up to ``size``."""
    with tempfile.TemporaryDirectory(prefix="plate-streamer-") as temporary, quiet_ultralytics(Path(temporary)):
        from ultralytics.models import YOLO

        copy = Path(temporary) / checkpoint.name
        shutil.copyfile(checkpoint, copy)
        engine = YOLO(copy).export(format="engine", imgsz=size, dynamic=True, batch=8, half=True, device=0)
        shutil.copyfile(engine, folder / f"{checkpoint.stem}.engine")


if __name__ == "__main__":
    if sys.argv[3:4] == ["tensorrt"]:
        export_engine(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[4]))
    else:
        export(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:4]))
