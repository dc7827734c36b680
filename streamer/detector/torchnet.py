"""The YOLOv8 network on torch (``.pt``) and TensorRT (``.engine``), both through ultralytics."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamer.config import DetectorConfig
from streamer.detector.boxes import RawBoxes
from streamer.detector.export import quiet_ultralytics
from streamer.detector.nets import by_shape, checked, threads_of
from streamer.errors import UsageError, WeightsError
from streamer.types import Image


class TorchNet:
    """Torch on CPU or CUDA (fp16 there, if configured), TensorRT on CUDA.

    On CUDA the pictures of a call are one batch, whose size may change the last bits of a score; on a CPU each goes by itself.
    """

    def __init__(self, path: Path, config: DetectorConfig, device: str) -> None:
        """Load. Raises WeightsError if the file is damaged, UsageError if there is no such CUDA device."""
        with tempfile.TemporaryDirectory(prefix="plate-streamer-") as settings, quiet_ultralytics(Path(settings)):
            import torch
            from ultralytics.nn.autobackend import AutoBackend

            self._torch, self._path = torch, path
            self._device = torch.device(device)
            if self._device.type == "cuda" and (self._device.index or 0) >= torch.cuda.device_count():
                raise UsageError(f"detector.device: torch sees {torch.cuda.device_count()} CUDA devices, so no {device}; use cpu")
            if self._device.type == "cpu":
                torch.set_num_threads(threads_of(config))
            try:
                self._net: Any = AutoBackend(str(path), device=self._device, fp16=config.half, verbose=False).eval()
            except Exception as error:  # unpickling a damaged file may raise anything
                raise WeightsError(f"{path}: cannot be loaded ({type(error).__name__}: {error})") from error
        self.fixed = path.suffix == ".engine" and not self._net.dynamic
        made_for = getattr(self._net, "imgsz", None)
        if self.fixed and made_for and set(made_for) != {config.input_size}:
            raise WeightsError(f"{path}: was built for {made_for}; set detector.input_size to it, or export it anew")
        kind = "tensorrt" if path.suffix == ".engine" else "torch"
        self.backend = f"{kind} {device} {'f16' if self._net.fp16 else 'f32'}"

    def run(self, pictures: Iterable[Image]) -> list[RawBoxes]:
        """See Net."""
        if self._device.type == "cpu":
            return [raw for picture in pictures for raw in self._forward([picture])]
        ready = list(pictures)
        results: dict[int, RawBoxes] = {}
        for indices in by_shape(ready).values():
            results.update(zip(indices, self._forward([ready[index] for index in indices]), strict=True))
        return [results[index] for index in range(len(ready))]

    def _forward(self, pictures: Sequence[Image]) -> list[RawBoxes]:
        torch = self._torch
        with torch.inference_mode():
            batch = torch.from_numpy(np.stack(pictures)).to(self._device).permute(0, 3, 1, 2).flip(1)
            batch = (batch.half() if self._net.fp16 else batch.float()) / 255
            output = self._net(batch.contiguous())
            while isinstance(output, list | tuple):
                output = output[0]
            return [checked(raw, self._path) for raw in output.float().cpu().numpy()]
