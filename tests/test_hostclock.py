"""Whether this machine's clock is right: every program's answer, every way not to answer, and the real kernel."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest

from streamer.live import hostclock
from streamer.live.health_state import HostClockState
from streamer.live.hostclock import HostClock, ask_chrony, ask_kernel, ask_timesyncd, state_of

GOOD = "A29FC87B,162.159.200.123,4,1700000000.123456789,{slow},-0.000012,0.000100,-12.345,0.001,0.020,0.010000000,0.002000000,64.2,Normal\n"


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Puts programs on PATH that do what they are told, and nothing else there."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(name: str, script: str) -> Path:
        file = tmp_path / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    return make


@pytest.mark.parametrize(("slow", "offset_s"), [("0.000250000", -0.00025), ("-0.001500000", 0.0015), ("0.000000000", 0.0)])
def test_chrony_tells_offset_and_error(programs, slow, offset_s):
    programs("chronyc", f"/bin/echo '{GOOD.format(slow=slow).strip()}'")
    state = ask_chrony()
    assert (state.source, state.synchronised) == ("chrony", True)
    assert state.offset_s == pytest.approx(offset_s)
    assert state.error_s == pytest.approx(abs(offset_s) + 0.002 + 0.010 / 2)


def test_chrony_that_has_found_no_server_yet(programs):
    programs("chronyc", "/bin/echo '7F7F0101,,0,0.000000000,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised'")
    assert ask_chrony() == HostClockState("chrony", False, None, None)


@pytest.mark.parametrize(
    "script",
    ["/bin/echo '506 Cannot talk to daemon'; exit 1", "exit 0", "/bin/echo a,b,c", "/bin/echo 1,2,3,4,x,6,7,8,9,10,11,12,13,Normal"],
)
def test_chrony_that_does_not_answer(programs, script):
    programs("chronyc", script)
    assert ask_chrony() is None


def test_programs_that_are_not_there_or_cannot_be_run(programs):
    assert ask_chrony() is None
    assert ask_timesyncd() is None
    programs("chronyc", "").chmod(0o644)
    assert ask_chrony() is None


def test_a_program_that_hangs_is_left(programs, monkeypatch):
    monkeypatch.setattr(hostclock, "TIMEOUT_S", 0.2)
    programs("chronyc", "exec /bin/sleep 20")
    began = time.monotonic()
    assert ask_chrony() is None
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize(("answer", "synchronised"), [("yes", True), ("no", False)])
def test_timesyncd(programs, answer, synchronised):
    programs("timedatectl", f"/bin/echo NTP=yes; /bin/echo NTPSynchronized={answer}")
    state = ask_timesyncd()
    assert (state.source, state.synchronised, state.offset_s) == ("systemd-timesyncd", synchronised, None)


def test_timesyncd_that_is_switched_off(programs):
    programs("timedatectl", "/bin/echo NTP=no; /bin/echo NTPSynchronized=yes")
    assert ask_timesyncd() is None


def test_the_real_kernel_answers():
    state = ask_kernel()
    assert state.source == "kernel"
    if state.synchronised:
        assert abs(state.offset_s) < 1.0
        assert 0.0 <= state.error_s < 20.0
    else:
        assert (state.offset_s, state.error_s) == (None, None)


def test_what_the_kernels_answers_mean():
    assert state_of(0, 0x2001, -1_500_000, 250_000) == HostClockState("kernel", True, 0.0015, 0.25)
    assert state_of(0, 0x0001, 1_500, 250_000) == HostClockState("kernel", True, -0.0015, 0.25)
    assert state_of(5, 0x0040, 0, 16_000_000) == HostClockState("kernel", False, None, None)
    assert state_of(0, 0x2040, 0, 16_000_000).synchronised is False
    assert state_of(5, 0x2001, 0, 0).synchronised is False


CHRONY = HostClockState("chrony", True, 0.001, 0.02)
LOST = HostClockState("chrony", False, None, None)


def test_it_is_asked_once_a_minute_and_the_first_answer_counts():
    now, asked = [100.0], []
    clock = HostClock(
        (lambda: asked.append("first"), lambda: asked.append("second") or CHRONY, lambda: pytest.fail("not needed")), clock=lambda: now[0]
    )
    assert clock.latest() is None
    assert clock.refresh() == clock.latest() == CHRONY
    assert asked == ["first", "second"]
    now[0] += 59.0
    assert clock.refresh() == CHRONY
    assert len(asked) == 2
    now[0] += 1.0
    clock.refresh()
    assert len(asked) == 4


def test_nobody_knows():
    assert HostClock((lambda: None,)).refresh() == HostClockState(None, None, None, None)
    assert HostClock(()).refresh() == HostClockState(None, None, None, None)


def test_only_changes_are_told(caplog):
    now = [0.0]
    answers = iter([CHRONY, CHRONY, LOST, LOST, CHRONY])
    clock = HostClock((lambda: next(answers),), every_s=1.0, clock=lambda: now[0])
    with caplog.at_level(logging.INFO, "streamer"):
        for _ in range(5):
            clock.refresh()
            now[0] += 1.0
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "INFO"]


def test_a_thread_that_comes_while_another_asks_does_not_wait():
    asking, answer = threading.Event(), threading.Event()

    def slow() -> HostClockState:
        asking.set()
        assert answer.wait(10)
        return CHRONY

    clock = HostClock((slow,))
    thread = threading.Thread(target=clock.refresh)
    thread.start()
    assert asking.wait(10)
    assert clock.refresh() is None
    answer.set()
    thread.join(10)
    assert clock.latest() == CHRONY
