"""The thread of a source: what it offers, what it reports, and that it never dies in silence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from streamer.capture import Capture, SessionReport
from streamer.errors import SourceError
from streamer.mailbox import Mailbox
from streamer.ports import Picture, RecordedSource
from streamer.sources import find_recordings, sessions_of
from streamer.types import Frame, Image, SessionEnd
from tests.make_clips import make_clip, number_of, numbered_picture, steady

START = datetime(2026, 5, 1, tzinfo=UTC)


class Scripted:
    """A source that gives ``pictures`` pictures and then ends, with ``error`` if there is one."""

    def __init__(self, name: str, pictures: int, *, error: Exception | None = None, opens: bool = True) -> None:
        self.name = name
        self.damaged = 0
        self.missing_s = 0.0
        self.duration_s: float | None = None
        self.converted: list[int] = []
        self.closed_by: threading.Thread | None = None
        self._numbers = iter(range(pictures))
        self._error = error
        self._opens = opens

    def open(self) -> None:
        if self._error is not None and not self._opens:
            raise self._error

    def read(self) -> Picture | None:
        number = next(self._numbers, None)
        if number is not None:
            return Picture(number / 25, START + timedelta(seconds=number / 25), "option", lambda: self._convert(number))
        if self._error is not None:
            raise self._error
        return None

    def _convert(self, number: int) -> Image:
        self.converted.append(number)
        return numbered_picture(number % 256)

    def interrupt(self) -> None: ...

    def close(self) -> None:
        self.closed_by = threading.current_thread()


class Run:
    """A capture over scripted sources, with everything that came of it."""

    def __init__(self, *sources: RecordedSource, every: int = 1, sessions: list[Callable[[], RecordedSource]] | None = None) -> None:
        self.reports: list[SessionReport] = []
        self.stop = threading.Event()
        self.mailbox = Mailbox(files=["gate"], depth=4)
        ticks = count()
        makers = sessions if sessions is not None else [lambda source=source: source for source in sources]
        self.capture = Capture(
            "gate", makers, self.mailbox, self.stop, every=every, clock=lambda: float(next(ticks)), on_report=self.reports.append
        )

    def items(self) -> list[Frame | SessionEnd]:
        self.capture.start()
        items: list[Frame | SessionEnd] = []
        while taken := self.mailbox.take(3, 0.0):
            items += taken
        return items


def told(items: list[Frame | SessionEnd]) -> list[str]:
    return [f"{item.session}.{item.index}" if isinstance(item, Frame) else f"{item.session} end" for item in items]


def test_sessions_follow_each_other_and_each_has_its_end() -> None:
    run = Run(Scripted("a.mp4", 3), Scripted("b.mp4", 2))
    items = run.items()
    assert run.capture.join(10)
    assert told(items) == ["0.0", "0.1", "0.2", "0 end", "1.0", "1.1", "1 end"]
    assert [(report.session, report.name, report.frames, report.trouble) for report in run.reports] == [
        (0, "a.mp4", 3, None),
        (1, "b.mp4", 2, None),
    ]


def test_frames_carry_the_stamps_of_their_picture_and_the_time_of_reading() -> None:
    run = Run(Scripted("a.mp4", 3))
    frame = run.items()[2]
    assert isinstance(frame, Frame)
    assert (frame.source_id, frame.t, frame.wall, frame.clock) == ("gate", 0.08, START + timedelta(seconds=0.08), "option")
    assert frame.read_at == 2.0
    assert number_of(frame.image) == 2


def test_only_each_nth_picture_is_converted_and_the_indices_say_so() -> None:
    source = Scripted("a.mp4", 8)
    run = Run(source, every=3)
    assert told(run.items()) == ["0.0", "0.3", "0.6", "0 end"]
    assert source.converted == [0, 3, 6]
    assert run.reports[0].frames == 8


@pytest.mark.parametrize("opens", [True, False])
def test_a_source_that_breaks_is_reported_and_the_next_one_follows(opens: bool, caplog: pytest.LogCaptureFixture) -> None:
    error = SourceError("damaged", "a.mp4: is broken")
    broken = Scripted("a.mp4", 2, error=error, opens=opens)
    run = Run(broken, Scripted("b.mp4", 1))
    items = told(run.items())
    assert run.capture.join(10)
    assert items == (["0.0", "0.1"] if opens else []) + ["0 end", "1.0", "1 end"]
    assert [report.error for report in run.reports] == [error, None]
    assert run.reports[0].trouble is not None
    assert run.reports[0].trouble.startswith("a.mp4: is broken")
    assert "a.mp4: is broken" in caplog.text
    assert broken.closed_by is not None
    assert broken.closed_by.name == "capture gate", "only the reading thread may close"


def fault() -> RecordedSource:
    raise ZeroDivisionError("a fault")


@pytest.mark.parametrize("where", ["read", "make"])
def test_a_fault_of_the_program_reaches_the_main_thread_and_stops_the_rest(where: str) -> None:
    source = Scripted("a.mp4", 2, error=ZeroDivisionError("a fault"))
    run = Run(sessions=[fault] if where == "make" else [lambda: source])
    run.items()  # ends: the mailbox was told
    with pytest.raises(ZeroDivisionError, match="a fault"):
        run.capture.join(10)
    with pytest.raises(ZeroDivisionError, match="a fault"):
        run.capture.raise_failure()
    assert run.stop.is_set()
    if where == "read":
        assert source.closed_by is not None


def test_stop_ends_the_reading_and_what_was_seen_still_gets_its_end() -> None:
    run = Run(Scripted("a.mp4", 10**6), Scripted("never.mp4", 1))
    run.capture.start()
    items = run.mailbox.take(3, 0.0)
    run.stop.set()
    while taken := run.mailbox.take(3, 0.0):
        items += taken
    assert run.capture.join(10)
    assert isinstance(items[-1], SessionEnd)
    assert [report.name for report in run.reports] == ["a.mp4"]
    assert run.reports[0].frames < 100
    assert run.reports[0].trouble is None


def test_a_closed_mailbox_ends_the_reading_at_once() -> None:
    run = Run(Scripted("a.mp4", 10**6), Scripted("never.mp4", 1))
    run.capture.start()
    run.mailbox.take(1, 0.0)
    run.mailbox.close()
    assert run.capture.join(10)
    assert len(run.reports) == 1


def test_real_files_with_a_truncated_and_an_empty_one_among_them(tmp_path: Path) -> None:
    data = make_clip(tmp_path / "1.mkv", steady(100), options={"bf": "0"}).read_bytes()
    (tmp_path / "2.mkv").write_bytes(data[: len(data) * 2 // 5])
    (tmp_path / "3.mkv").touch()
    make_clip(tmp_path / "4.mp4", steady(20))
    run = Run(sessions=sessions_of(find_recordings([tmp_path])))
    items = run.items()
    assert run.capture.join(10)
    frames = [item for item in items if isinstance(item, Frame)]
    assert [number_of(frame.image) for frame in frames if frame.session in (0, 3)] == [*range(100), *range(20)]
    assert [frame.index for frame in frames if frame.session == 1] == list(range(run.reports[1].frames))
    whole, cut, empty, last = run.reports
    assert (whole.trouble, last.trouble) == (None, None)
    assert cut.trouble is not None
    assert f"truncated: {cut.frames / 25:.1f} s of 4.0 s readable" in cut.trouble
    assert str(tmp_path / "2.mkv") in cut.trouble
    assert empty.error is not None
    assert empty.error.reason == "empty"
    assert [item.session for item in items if isinstance(item, SessionEnd)] == [0, 1, 2, 3]
