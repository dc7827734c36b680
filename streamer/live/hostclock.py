"""Is this machine's clock right? Asks chrony, else systemd-timesyncd, else the kernel, which knows whether anybody keeps its clock."""

from __future__ import annotations

import ctypes
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from logging import getLogger

from streamer.live.health_state import HostClockState

_log = getLogger(__name__)

EVERY_S = 60.0
"""Clocks drift by milliseconds in a minute."""
TIMEOUT_S = 1.0
"""For each program; they answer in some milliseconds."""

_STA_UNSYNC, _STA_NANO = 0x0040, 0x2000
_TIME_ERROR = 5
"""What ntp_adjtime returns for a clock that is not synchronised (ntp_adjtime(3))."""

Ask = Callable[[], HostClockState | None]


class _Timex(ctypes.Structure):
    """``struct timex`` of glibc and musl, <sys/timex.h>."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", ctypes.c_long * 2),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("counts", ctypes.c_long * 4),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


class HostClock:
    """The last answer, and a new one at most once a minute. Any thread."""

    def __init__(
        self, asks: tuple[Ask, ...] | None = None, *, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take whom to ask, in order, until one answers (default: chrony, timesyncd, kernel), and how often at most, seconds."""
        self._asks = (ask_chrony, ask_timesyncd, ask_kernel) if asks is None else asks
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._due = -math.inf
        self._state: HostClockState | None = None

    def latest(self) -> HostClockState | None:
        """Give the last answer without asking; None before the first ``refresh``."""
        return self._state

    def refresh(self) -> HostClockState | None:
        """Ask again if it is time to. Takes some milliseconds, at most TIMEOUT_S for each program; never raises for want of an answer."""
        if not self._lock.acquire(blocking=False):
            return self._state  # another thread asks just now
        try:
            if self._clock() >= self._due:
                self._due = self._clock() + self._every_s
                self._tell(next((state for ask in self._asks if (state := ask()) is not None), None))
        finally:
            self._lock.release()
        return self._state

    def _tell(self, state: HostClockState | None) -> None:
        """Keep an answer; log it if it means something else than the last one."""
        state = state or HostClockState(None, None, None, None)
        if self._state is None or state.synchronised != self._state.synchronised:
            if state.synchronised:
                _log.info("this machine's clock is synchronised (%s)", state.source)
            else:
                _log.warning(
                    "times of events are only as good as this machine's clock, which is not known to be right (%s)",
                    state.source or "unknown",
                )
        self._state = state


def ask_chrony() -> HostClockState | None:
    """Ask ``chronyc -c tracking``; None where chrony does not run.

    Its fields (chronyc(1), and print_report in its source for the signs): 4 is how far the system's clock is behind; 10 and 11 are the
    delay and dispersion to the reference: the clock is right within offset + dispersion + delay / 2; 13 is the leap status.
    """
    fields = _run("chronyc", "-n", "-c", "tracking").strip().split(",")
    try:
        slow_s, delay_s, dispersion_s = float(fields[4]), float(fields[10]), float(fields[11])
        synchronised = fields[13] != "Not synchronised" and int(fields[2]) > 0
    except (IndexError, ValueError):
        return None
    if not synchronised:
        return HostClockState("chrony", False, None, None)
    return HostClockState("chrony", True, -slow_s, abs(slow_s) + dispersion_s + delay_s / 2)


def ask_timesyncd() -> HostClockState | None:
    """Ask ``timedatectl``; None where systemd does not answer, or keeps no time itself. It tells no offset; the kernel tells the error."""
    answer = dict(line.partition("=")[::2] for line in _run("timedatectl", "show", "-p", "NTP", "-p", "NTPSynchronized").splitlines())
    if answer.get("NTP") != "yes":
        return None
    kernel = ask_kernel()
    synchronised = answer.get("NTPSynchronized") == "yes"
    return HostClockState("systemd-timesyncd", synchronised, None, kernel.error_s if kernel is not None and synchronised else None)


def ask_kernel() -> HostClockState | None:
    """Ask the kernel (``ntp_adjtime``, changing nothing), which is told by whoever keeps the time; None where it cannot be asked."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        adjtime = ctypes.CDLL(None, use_errno=True).ntp_adjtime
    except (OSError, AttributeError):
        return None
    values = _Timex()
    result = int(adjtime(ctypes.byref(values)))
    return None if result < 0 else state_of(result, values.status, values.offset, values.maxerror)


def state_of(result: int, status: int, offset: int, maxerror_us: int) -> HostClockState:
    """Read an answer of ntp_adjtime(3): ``offset`` in micro- or nanoseconds (as ``status`` says), ``maxerror_us`` in microseconds.

    The kernel's offset is what it still has to add to its clock, so its sign is turned: positive is ahead.
    """
    if result == _TIME_ERROR or status & _STA_UNSYNC:
        return HostClockState("kernel", False, None, None)
    return HostClockState("kernel", True, -offset / (1e9 if status & _STA_NANO else 1e6), maxerror_us / 1e6)


def _run(*command: str) -> str:
    """Give what a program prints; nothing if it is not there, fails, or takes too long."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
            stdin=subprocess.DEVNULL,
            env=dict(os.environ, LC_ALL="C"),
        )
    except (OSError, subprocess.SubprocessError) as error:
        _log.debug("%s: %s", command[0], error)
        return ""
    return done.stdout.decode("utf-8", "replace")
