"""Pictures through the models, with the code that ships."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from streamer.config import Config, FileSource
from streamer.crops import cut
from streamer.errors import UsageError
from streamer.types import Detection, Image, ModelInfo, Passage
from train.evaluate import boxes, clips, photographs, reads
from train.evaluate.data import Clip, Sample, Truth, plates_to_read
from train.evaluate.figures import Part
from train.evaluate.rendered import Crop

What = Literal["detector", "reader", "end-to-end"]
EVERYTHING: tuple[What, ...] = ("detector", "reader", "end-to-end")
Track = Callable[[Sequence[Any], str], Iterable[Any]]
"""Shows progress over things, described by a word."""
BATCH = 8
CROPS = 16
"""Crops in a call of the reader."""


@dataclass(slots=True)
class Side:
    """One set of weights and settings, and what it came to."""

    label: str
    config: Config
    models: dict[str, ModelInfo] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)


def run(side: Side, samples: Sequence[Sample], known_clips: Sequence[Clip], only: Sequence[What], track: Track) -> None:
    """Measure what can be measured on the samples and is in ``only``. Raises UsageError if that is nothing."""
    photos = [sample for sample in samples if sample.kind == "photo"]
    readable = [photo for photo in photos if (photo.boxed == "all" and not photo.truths) or any(truth.text for truth in photo.truths)]
    boxed = [photo for photo in photos if photo.boxed != "none"]
    texts = any(truth.text for photo in photos for truth in photo.truths)
    whole = texts and "end-to-end" in only
    chosen = {id(photo): photo for photo in [*(boxed if "detector" in only else ()), *(readable if whole else ())]}
    if chosen:
        _photographs(side, list(chosen.values()), track, read=whole, boxed="detector" in only and bool(boxed))
    if "reader" in only:
        _reader(side, samples, track)
    if known_clips and "end-to-end" in only:
        _clips(side, known_clips, track)
    if not side.parts:
        raise UsageError(
            f"nothing to measure for {', '.join(only)}: detectors need photographs with boxes, readers crops with text "
            "(--kind crop if the pictures are crops) or photographs with boxes and texts, end to end photographs with texts"
        )


class _Kept:
    """Gives the pipeline the boxes from its own confidence on, and keeps all of them."""

    def __init__(self, detector: Any, confidence: float) -> None:
        self._detector, self._confidence = detector, confidence
        self.all: list[list[Detection]] = []

    @property
    def info(self) -> ModelInfo:
        """See ports.Detector."""
        info: ModelInfo = self._detector.info
        return info

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """See ports.Detector. The weaker boxes never changed which stronger ones were kept: suppression goes from the best down."""
        self.all = self._detector.detect(images)
        return [[detection for detection in found if detection.score >= self._confidence] for found in self.all]


def _photographs(side: Side, photos: Sequence[Sample], track: Track, *, read: bool, boxed: bool) -> None:
    from streamer import build_pipeline
    from streamer.detector import build_detector
    from streamer.stills import load_picture

    confidence = side.config.detector.confidence
    pipeline = build_pipeline(side.config, stills=True) if read else None
    low = side.config.detector.model_copy(update={"confidence": min(boxes.LOWEST, confidence)})
    detector = _Kept(build_detector(low, stills=True), confidence)
    if pipeline is not None:
        pipeline.detector = detector
        side.models["reader"] = pipeline.reader.info
    side.models["detector"] = detector.info
    seen, told = [], []
    for chunk in _chunks(track(photos, f"{side.label}: photographs"), BATCH):
        pictures = [load_picture(photo.path) for photo in chunk]
        light = [float(picture.mean()) for picture in pictures]
        if pipeline is not None:
            results = pipeline.read_many(pictures)
            told += [photographs.Told(*row) for row in zip(chunk, results, light, strict=True)]
        else:
            detector.detect(pictures)
        seen += [boxes.Seen(*row) for row in zip(chunk, detector.all, light, strict=True)]
    if boxed:
        side.parts["detector"] = boxes.measure(seen, confidence)
    if told:
        side.parts["photographs"] = photographs.measure(told)


def _reader(side: Side, samples: Sequence[Sample], track: Track) -> None:
    if crops := plates_to_read(samples):
        side.parts["reader"] = _read(side, crops, lambda number: _crop(*crops[number]), track(crops, f"{side.label}: crops"))


def read_made(side: Side, name: str, crops: Sequence[Crop], track: Track) -> None:
    """Measure a reader on pictures that were made for it: the part ``name``."""
    known = [(crop.sample, crop.truth) for crop in crops]
    side.parts[name] = _read(side, known, lambda number: crops[number].image, track(known, f"{side.label}: {name}"), keep=True)


def _read(
    side: Side, crops: Sequence[tuple[Sample, Truth]], picture_of: Callable[[int], Image], shown: Iterable[Any], *, keep: bool = False
) -> Part:
    from streamer.reader import build_reader

    reader = build_reader(side.config.reader)
    side.models["reader"] = reader.info
    done: list[reads.Read] = []
    wall, cpu = [], 0.0
    for chunk in _chunks(shown, CROPS):
        pictures = [picture_of(len(done) + place) for place in range(len(chunk))]
        if not done:
            reader.read(pictures[:1])  # the first call makes things ready
        begin, used = time.perf_counter(), time.process_time()
        texts = reader.read(pictures)
        wall.append((time.perf_counter() - begin) / len(chunk))
        cpu += time.process_time() - used
        for (sample, truth), picture, text in zip(chunk, pictures, texts, strict=True):
            size = (truth.box.width, truth.box.height) if truth.box else (float(picture.shape[1]), float(picture.shape[0]))
            done.append(reads.Read(sample, truth, text, size, float(picture.mean()), picture if keep else None))
    # The median: where other work runs beside it, single calls wait for a core.
    return reads.measure(done, 1000 * statistics.median(wall), 1000 * cpu / len(crops))


def _crop(sample: Sample, truth: Truth) -> Image:
    from streamer.stills import load_picture

    picture = load_picture(sample.path)
    return cut(picture, truth.box) if truth.box is not None and sample.kind == "photo" else picture


def _clips(side: Side, known: Sequence[Clip], track: Track) -> None:
    from streamer import build_pipeline
    from streamer.replay import replay, sources_of_paths

    replayed = []
    for clip in track(known, f"{side.label}: clips"):
        pipeline = build_pipeline(side.config)
        side.models = {"detector": pipeline.detector.info, "reader": pipeline.reader.info}
        listener = _Finals()
        sources = sources_of_paths([str(clip.path)], lambda path: FileSource(path=path))
        replay(sources, pipeline, listener, threading.Event(), batch=side.config.batch)  # type: ignore[arg-type]
        replayed.append(clips.Replayed(clip, tuple(listener.passages)))
    side.parts["clips"] = clips.measure(replayed)


class _Finals:
    """Stands for the recorder: keeps the final passages."""

    def __init__(self) -> None:
        self.passages: list[Passage] = []

    def record(self, passages: Sequence[Passage]) -> list[Any]:
        """Keep them; give no event."""
        self.passages += [passage for passage in passages if passage.state == "final"]
        return []


def _chunks(things: Iterable[Any], size: int) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for thing in things:
        chunk.append(thing)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def sides_of(config: Path | None, against: Path | None, detectors: Sequence[str], readers: Sequence[str]) -> list[Side]:
    """Make the one or two sides that options name: what is given once holds for both. Raises UsageError or ConfigError."""
    from streamer import load_config

    count = max(2 if against is not None else 1, len(detectors), len(readers))
    if count > 2:
        raise UsageError("two sets of weights can be set side by side: give --detector and --reader at most twice")
    sides = []
    for place in range(count):
        detector, reader = (given[min(place, len(given) - 1)] if given else None for given in (detectors, readers))
        chosen = against if place == 1 and against is not None else config
        made = load_config(chosen, {"detector.weights": detector, "reader.weights": reader})
        sides.append(Side("AB"[place] if count > 1 else "weights", made))
    return sides
