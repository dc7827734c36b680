"""Builds the parts from a configuration: the only file, with the commands, that knows everybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from streamer.config import Config
from streamer.configentry import Configuration
from streamer.detector import build_detector
from streamer.log import redact
from streamer.passages import MakeBook, PassageBook, PassageRules
from streamer.pipeline import Observer, Pipeline
from streamer.plates import FormatBook
from streamer.polygons import of_part
from streamer.reader import build_reader
from streamer.redaction import Redaction
from streamer.sealing import Sealer, sealer_of
from streamer.tracker import PlateTracker
from streamer.types import PlateRead
from streamer.views import taker_of
from streamer.vote import Decision, Vote, VoteRules

_DECIDES_NOTHING: Final = {"health", "log", "sinks", "timestamps"}
"""Sections of a configuration that events do not depend on."""


def configuration_of(config: Config) -> Configuration:
    """Give what decides about events, as it is recorded beside them: without credentials."""
    return Configuration(_redacted(config.model_dump(mode="json", exclude=_DECIDES_NOTHING)))


def _redacted(value: Any) -> Any:
    """Mask credentials in JSON values: addresses of cameras hold some in their query, which cameras invent."""
    if isinstance(value, dict):
        return {key: _redacted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return redact(value) if isinstance(value, str) else value


def build_rules(config: Config) -> tuple[Callable[[], PlateTracker], MakeBook]:
    """Give what makes the tracker of a session and the book of a source: all of the pipeline that can change while it runs."""
    rules = config.passages
    formats = FormatBook.load(rules.countries, only=rules.only_countries)
    vote = VoteRules(rules.min_reads, rules.sure_reads, rules.min_plate_chars, rules.max_plate_chars, rules.min_plate_score)
    passages = PassageRules(
        read_interval_s=rules.read_interval_s,
        min_plate_height_px=rules.min_plate_height_px,
        same_plate_window_s=rules.same_plate_window_s,
        similar_plate_window_s=rules.similar_plate_window_s,
        vote=vote,
    )
    tracker = config.tracker.model_dump()

    def make_book(source_id: str) -> PassageBook:
        return PassageBook(source_id, passages, formats, taker_of(config.evidence, redaction_of(config, source_id)))

    return lambda: PlateTracker(**tracker), make_book


def redaction_of(config: Config, source_id: str) -> Redaction:
    """Give what is to be hidden in the pictures of a camera or a recorded source."""
    redact = config.evidence.redact
    camera = config.cameras.get(source_id)
    part = camera.region if camera is not None else None
    regions = tuple(of_part(polygon, part) for polygon in redact.regions.get(source_id, ()))
    return Redaction(redact.other_plates, redact.windows, regions)


def sealer_from(config: Config) -> Sealer | None:
    """Give what seals the evidence, None if it is not to be sealed. Raises UsageError, MissingPackageError."""
    return sealer_of(config.evidence.seal_to, config.evidence.seal_to_file)


def build_pipeline(config: Config, observer: Observer | None = None, *, stills: bool = False) -> Pipeline:
    """Load the models and give the pipeline; ``stills``: for single pictures rather than for video.

    Raises WeightsError or MissingPackageError saying what to do.
    """
    rules = config.passages
    formats = FormatBook.load(rules.countries, only=rules.only_countries)
    # The vote counts a single look two thirds of its scores.
    single = VoteRules(1, 1, rules.min_plate_chars, rules.max_plate_chars, rules.min_plate_score * 2 / 3)

    def decide_single(read: PlateRead | None) -> Decision:
        ballot = Vote(single, formats)
        if read is None:
            return ballot.decision()
        ballot.add(read, weight=1.0, order=0)
        decision = ballot.decision()
        if decision.plate is None:
            return decision
        # One look has nothing to agree with: its own scores say more than a vote of one. Formats never change the length.
        return replace(decision, score=read.score, char_scores=read.char_scores)

    make_tracker, make_book = build_rules(config)
    return Pipeline(
        build_detector(config.detector, stills=stills),
        build_reader(config.reader),
        make_tracker=make_tracker,
        make_book=make_book,
        decide_single=decide_single,
        observer=observer,
    )
