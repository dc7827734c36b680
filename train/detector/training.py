"""Training with ultralytics, from a YOLO data set and a configuration."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import yaml

from streamer import weights
from streamer.errors import UsageError
from train.collect.labels import as_names
from train.detector.average import average
from train.detector.config import DetectorTraining
from train.detector.record import as_it_began, write_record

_SCRATCH = re.compile(r"^yolov8[nsmlx]$")
_BEGAN = "began.pt"
"""What a training began with, if some of it is kept: a name of the manifest may be of other weights by the time that it ends."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How well a network finds what the validation pictures have; each 0..1."""

    precision: float
    recall: float
    map50: float
    """Mean average precision at IoU 0.5."""
    map50_95: float
    """The same, mean over IoU 0.5 to 0.95."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training."""

    weights: Path
    """Of the best epoch, ``best.pt``; ``mean.pt`` if some of what it began with is kept."""
    scores: Scores
    epochs: int
    """That were trained, those before a resumption included."""
    seconds: float
    """Of this run."""
    names: tuple[str, ...]
    """Classes."""
    corners: bool
    """Whether the network finds keypoints too."""


class Watch(Protocol):
    """Is told how a training goes on."""

    def batch(self, epoch: int, epochs: int, batch: int, batches: int) -> None:
        """A batch is done; all count from 1."""

    def epoch(self, epoch: int, epochs: int, loss: float, scores: Scores) -> None:
        """An epoch is done, validated and saved."""


def train_detector(data: Path, config: DetectorTraining, out: Path, *, resume: bool = False, watch: Watch | None = None) -> Trained:
    """Train on a YOLO data set (``data``: its data.yaml); the best weights are ``out/weights/best.pt``, or ``mean.pt`` with ``keep``.

    The number of classes is that of the data set. Every epoch is saved; ``resume`` goes on after the last one of the run in
    ``out``, with the settings that it began with. With ``watch`` ultralytics itself says nothing. Raises UsageError if there is
    nothing to resume, if it began with other settings than ``config`` names, if there is no data, or no such device.
    """
    if not data.is_file():
        raise UsageError(f"{data}: there is no such file; it must be a YOLO data.yaml with train, val and names")
    last = out / "weights" / "last.pt"
    if resume and not last.is_file():
        raise UsageError(f"{last}: nothing to resume; start without --resume")
    if config.keep and (_SCRATCH.match(config.model) or config.model.endswith(".yaml") or _has_corners(data)):
        raise UsageError(f"keep: {config.keep} asks for a mean with weights to start from, but {config.model} has none of this kind")
    began = monotonic()
    with _ultralytics(quiet=watch is not None):
        from ultralytics.models import YOLO

        if resume:
            _demand_unfinished(last)
            config = as_it_began(out, config)
            if config.keep and not (out / _BEGAN).is_file():
                raise UsageError(f"{out / _BEGAN}: missing; it holds the weights that the training began with, for keep: {config.keep}")
            model = YOLO(str(last))
        else:
            model = _with_corners(config.model) if _has_corners(data) else YOLO(_start(config.model))
        model.add_callback("on_train_start", _lay_out)
        if watch:
            _connect(model, watch)
        if resume:
            model.train(resume=True, augmentations=config.augment.transforms(), device=_device(config), workers=config.workers)
        else:
            out.mkdir(parents=True, exist_ok=True)
            if config.keep:
                _lay_aside(model, data, config, out)
            write_record(out, config)
            _set(model, data, config, out)
        return _result(model, config, out, monotonic() - began)


def _set(model: Any, data: Path, config: DetectorTraining, out: Path) -> None:
    model.train(data=str(_resolved(data, out)), project=str(out.parent.absolute()), name=out.name, exist_ok=True, **_arguments(config))


def _lay_aside(model: Any, data: Path, config: DetectorTraining, out: Path) -> None:
    """Keep the weights to begin with for the mean. Raises UsageError if there can be none."""
    content = yaml.safe_load(_resolved(data, out).read_text("utf-8"))
    given = len(as_names(content.get("names"), str(data))) or content.get("nc", 0)
    if given != len(model.names):
        why = f"has {given} classes, {config.model} has {len(model.names)}, so that there is no mean of their weights"
        raise UsageError(f"{data}: {why}; set keep: 0")
    shutil.copyfile(_start(config.model), out / _BEGAN)


@contextmanager
def _ultralytics(*, quiet: bool) -> Iterator[None]:
    if not quiet:
        os.environ.setdefault("YOLO_OFFLINE", "true")
        yield
        return
    from streamer.detector.export import quiet_ultralytics

    with tempfile.TemporaryDirectory(prefix="plate-train-") as settings, quiet_ultralytics(Path(settings)):
        yield


def _demand_unfinished(last: Path) -> None:
    import torch

    try:
        epoch = torch.load(last, map_location="cpu", weights_only=False)["epoch"]  # the run is the user's own
    except Exception as error:  # unpickling a damaged file may raise anything
        raise UsageError(f"{last}: cannot be loaded ({type(error).__name__}: {error}); resume from an epoch: copy one over it") from error
    if epoch < 0:
        raise UsageError(f"{last}: this training is finished; to train on, start a new one from it: --model {last}")


def _lay_out(trainer: Any) -> None:
    """Use the CPU whole: all cores (ultralytics leaves one idle), and numbers in the order of pixels, not of channels.

    oneDNN works in that order; a step of YOLOv8n at 640 pixels takes a tenth less with it.
    """
    import torch

    if trainer.device.type == "cpu":
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        trainer.model.to(memory_format=torch.channels_last)


def _connect(model: Any, watch: Watch) -> None:
    state = {"epoch": -1, "batch": 0}

    def batch(trainer: Any) -> None:
        state["batch"] = state["batch"] + 1 if trainer.epoch == state["epoch"] else 1
        state["epoch"] = trainer.epoch
        watch.batch(trainer.epoch + 1, trainer.epochs, state["batch"], len(trainer.train_loader))

    def epoch(trainer: Any) -> None:
        if trainer.epoch == state["epoch"]:  # it is called once more after the last epoch, for the best weights
            state["epoch"] = -1
            watch.epoch(trainer.epoch + 1, trainer.epochs, _loss(trainer.tloss), _scores(trainer.metrics))

    model.add_callback("on_train_batch_end", batch)
    model.add_callback("on_fit_epoch_end", epoch)


def _loss(parts: Any) -> float:
    """Add up box, class and distribution loss; versions of ultralytics give a tensor or a mapping."""
    values = parts.values() if isinstance(parts, dict) else parts
    return sum(float(value) for value in values)


def _scores(metrics: dict[str, Any]) -> Scores:
    def of(name: str) -> float:
        return float(metrics.get(f"metrics/{name}(B)", 0.0))

    return Scores(of("precision"), of("recall"), of("mAP50"), of("mAP50-95"))


def _result(model: Any, config: DetectorTraining, out: Path, seconds: float) -> Trained:
    best = out / "weights" / "best.pt"
    if config.keep:
        best = average(out / _BEGAN, best, config.keep, best.with_name("mean.pt"))
    box = model.trainer.validator.metrics.box
    names = tuple(str(name) for _, name in sorted(model.trainer.data["names"].items()))
    scores = Scores(float(box.mp), float(box.mr), float(box.map50), float(box.map))
    return Trained(best, scores, model.trainer.epoch + 1, seconds, names, model.task == "pose")


def _resolved(data: Path, out: Path) -> Path:
    """Copy the data.yaml into the run with its path made absolute: ultralytics takes a relative one from where it was started."""
    try:
        content = yaml.safe_load(data.read_text("utf-8"))
        content["path"] = str((data.parent / content.get("path", ".")).resolve())
    except (yaml.YAMLError, TypeError, AttributeError) as error:
        raise UsageError(f"{data}: is no YOLO data.yaml ({error})") from error
    copy = out / "data.yaml"
    copy.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    return copy


def _start(model: str) -> str:
    if _SCRATCH.match(model):
        return f"{model}.yaml"
    return model if model.endswith(".yaml") else str(weights.resolve(model, prefer="torch"))


def _has_corners(data: Path) -> bool:
    content = yaml.safe_load(data.read_text("utf-8"))
    return isinstance(content, dict) and "kpt_shape" in content


def _with_corners(model: str) -> Any:
    """Give a network that finds keypoints too, with all layers of ``model`` that it has in common with it."""
    from ultralytics.models import YOLO

    if _SCRATCH.match(model):
        return YOLO(f"{model}-pose.yaml")
    start: Any = YOLO(_start(model))
    if start.task == "pose":
        return start
    scale = start.model.yaml.get("scale") or "n"
    return YOLO(f"yolov8{scale}-pose.yaml").load(start.model)


def _device(config: DetectorTraining) -> str:
    import torch

    if config.device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if config.device != "cpu" and int(config.device.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise UsageError(f"--device {config.device}: torch sees {torch.cuda.device_count()} CUDA devices; use cpu or auto")
    return config.device


def _arguments(config: DetectorTraining) -> dict[str, Any]:
    device = _device(config)
    a = config.augment
    return {
        "epochs": config.epochs,
        "patience": config.patience,
        "imgsz": config.input_size,
        "batch": config.batch,
        "optimizer": "AdamW",
        "lr0": config.learning_rate,
        "momentum": 0.9,
        "warmup_epochs": config.warmup_epochs,
        "warmup_bias_lr": 0.0,  # AdamW needs no faster start of the biases
        "cos_lr": True,
        "lrf": 0.02,
        "freeze": config.freeze or None,
        "close_mosaic": config.close_mosaic,
        "seed": config.seed,
        "device": device,
        "workers": config.workers,
        "save_period": 1,
        "plots": config.plots,
        "amp": device != "cpu",
        "mosaic": a.mosaic,
        "scale": a.scale,
        "degrees": a.degrees,
        "shear": a.shear,
        "perspective": a.perspective,
        "translate": a.translate,
        "fliplr": a.flip,
        "hsv_h": a.hue,
        "hsv_s": a.saturation,
        "hsv_v": a.brightness,
        "augmentations": a.transforms(),
    }
