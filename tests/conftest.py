from __future__ import annotations

import dataclasses
import io
import ipaddress
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from streamer.cli import main
from streamer.events import EvidenceFile, Making, Place, event_of
from streamer.types import Box, ModelInfo, Passage, Stamp

ROOT = Path(__file__).resolve().parent.parent

# Wall time says nothing on shared machines; the same examples every time, so that a red run can be repeated.
settings.register_profile("default", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: after the set-up, nothing may reach beyond this machine."""
    if event not in ("socket.connect", "socket.sendto"):
        return
    address = arguments[1]
    if isinstance(address, tuple) and not _is_local(str(address[0])):
        raise RuntimeError(f"a test reaches for the network: {address}")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return host in ("localhost", "")


def pytest_configure() -> None:
    sys.addaudithook(_refuse_network)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """tests/data."""
    return ROOT / "tests" / "data"


class Done(NamedTuple):
    """What a command left: its exit code, and what it wrote to standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that was written."""
        return self.out + self.err


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line in this process, with the purpose "test" where none is given and the lines ``typed`` as standard input."""
    monkeypatch.setenv("PLATE_STREAMER_PURPOSE", "test")

    def call(*arguments: object, typed: Sequence[str] = ()) -> Done:
        monkeypatch.setattr("sys.argv", ["plate-streamer", *map(str, arguments)])
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in typed)))
        with pytest.raises(SystemExit) as left:
            main()
        return Done(int(left.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture
def no_purpose(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the purpose away that ``run`` gives."""
    monkeypatch.delenv("PLATE_STREAMER_PURPOSE")


def _stamp(t: float, start: datetime) -> Stamp:
    return Stamp(t, start + timedelta(seconds=t), round(t * 25))


@pytest.fixture(scope="session")
def make_passage() -> Callable[..., Passage]:
    """Gives a passage of four seconds from ``t`` on; any field can be set otherwise."""

    def make(t: float = 10.0, start: datetime = datetime(2026, 5, 1, 8, 0, 0, 250_000, tzinfo=UTC), **fields: Any) -> Passage:
        crop = np.random.default_rng(7).integers(0, 255, (24, 96, 3), np.uint8)
        passage = Passage(
            key="1-7",
            state="final",
            source_id="gate",
            session=1,
            tracks=(7, 9),
            plate="KA12BC",
            raw="KAI2BC",
            score=0.87654321,
            char_scores=(0.9, 0.91, 0.52, 0.99, 0.987654, 1.0),
            alternatives=(("KA12BG", 0.31),),
            country="DE",
            format="1956",
            reason=None,
            looks=40,
            reads=6,
            first=_stamp(t, start),
            last=_stamp(t + 4, start),
            best=_stamp(t + 3, start),
            clock="option",
            box=Box(100.04, 200.06, 196.0, 224.0),
            box_score=0.912345,
            frame_size=(1280, 720),
            crop=crop,
        )
        return dataclasses.replace(passage, **fields)

    return make


@pytest.fixture(scope="session")
def make_event(make_passage: Callable[..., Passage]) -> Callable[..., dict[str, Any]]:
    """Gives the event of ``make_passage``'s passage for a sequence number or a place in a store; fields of the passage can be set."""
    making = Making(
        ModelInfo("plate-detector", "a" * 64, "openvino cpu f32"), ModelInfo("plate-reader", "b" * 64, "openvino cpu f32"), "0.1.0"
    )

    def make(place: int | Place, **fields: Any) -> dict[str, Any]:
        if isinstance(place, int):
            place = Place(place, place, "d" * 64)
        sequence = place.sequence
        return event_of(
            make_passage(**fields),
            place,
            making,
            event_id=f"01890a5d-ac96-774b-bcce-{sequence:012x}",
            revision=1,
            evidence=[EvidenceFile("crop", "crops/2026-05-01/gate.png", "c" * 64, 96, 24)],
            salt=f"{sequence:032x}",
            written_at=datetime(2026, 5, 1, 9, 0, 0, tzinfo=UTC) + timedelta(seconds=sequence),
        )

    return make
