"""What can go wrong with a camera, on demand and while it runs."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from streamer.errors import UsageError

Garbage = Literal["payload", "packets"]


@dataclass(frozen=True, slots=True)
class State:
    """The faults of a camera at one moment; the default is a camera without any."""

    stalled: bool = False
    no_video: bool = False
    frozen: bool = False
    stamps_frozen: bool = False
    muted: bool = False
    status: int | None = None
    loss: float = 0.0
    garbage: Garbage | None = None
    fuzz: float = 0.0
    jump_s: float = 0.0
    """Sum of all jumps."""
    byes: int = 0
    """How often the camera said BYE."""
    reports: bool = True
    clock_error_s: float = 0.0


class Lines(Protocol):
    """What a fault needs of the camera's connections and its clock."""

    def hang_up(self, *, reset: bool) -> None:
        """End the connections."""

    def offline(self) -> None:
        """Close the port and end its connections."""

    def online(self) -> None:
        """Open the port."""

    def run_at(self, rate: float) -> None:
        """Send pictures faster or slower than their time stamps say."""


class Faults:
    """The switches. Any thread. ``state`` is what holds now; a sender reads it once per picture."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._lock = threading.Lock()
        self.state = State()

    def _set(self, **changes: object) -> None:
        with self._lock:
            self.state = replace(self.state, **changes)  # type: ignore[arg-type]  # names and types are those below

    def normal(self) -> None:
        """End every fault but the time that was jumped, and open the port."""
        with self._lock:
            self.state = State(jump_s=self.state.jump_s, byes=self.state.byes)
        self._lines.run_at(1.0)
        self._lines.online()

    def stall(self) -> None:
        """Send nothing more; connections stay."""
        self._set(stalled=True)

    def resume(self) -> None:
        """Go on after ``stall``, with the next key picture."""
        self._set(stalled=False)

    def novideo(self) -> None:
        """Send sender reports only."""
        self._set(no_video=True)

    def video(self) -> None:
        """Go on after ``novideo``, with the next key picture."""
        self._set(no_video=False)

    def freeze(self) -> None:
        """Show the same picture again and again, bit by bit; time stamps go on."""
        self._set(frozen=True)

    def thaw(self) -> None:
        """Show the clip again, from the next key picture on."""
        self._set(frozen=False)

    def freezestamps(self) -> None:
        """Give every picture the time stamp of the last one; the pictures go on."""
        self._set(stamps_frozen=True)

    def thawstamps(self) -> None:
        """Give pictures their own time stamps again."""
        self._set(stamps_frozen=False)

    def drop(self) -> None:
        """Close all connections, with FIN."""
        self._lines.hang_up(reset=False)

    def reset(self) -> None:
        """Break all connections, with RST."""
        self._lines.hang_up(reset=True)

    def mute(self) -> None:
        """Answer no request; connections are still accepted."""
        self._set(muted=True)

    def unmute(self) -> None:
        """Answer requests again."""
        self._set(muted=False)

    def code(self, status: int | None = None) -> None:
        """Answer every request with this status, such as 401, 404 or 503; None ends it."""
        self._set(status=status)

    def loss(self, share: float) -> None:
        """Leave out this share of the packets, 0..1."""
        self._set(loss=_share(share))

    def garbage(self, what: Garbage | None = "payload") -> None:
        """Send noise: instead of what packets carry, or instead of whole packets; None ends it."""
        self._set(garbage=what)

    def fuzz(self, share: float) -> None:
        """Change some bytes in this share of the packets, 0..1; the same bytes for the same seed."""
        self._set(fuzz=_share(share))

    def ptsjump(self, seconds: float) -> None:
        """Set the time stamps forward or, negative, back, from now on."""
        with self._lock:
            self.state = replace(self.state, jump_s=self.state.jump_s + seconds)

    def rate(self, factor: float) -> None:
        """Send pictures ``factor`` times as fast as their time stamps say: 0.84 for one that stamps 25 a second and sends 21."""
        if factor <= 0:
            raise UsageError("the rate must be greater than 0")
        self._lines.run_at(factor)

    def bye(self) -> None:
        """Say BYE (RTCP) to everybody who looks and send them nothing more; connections stay."""
        with self._lock:
            self.state = replace(self.state, byes=self.state.byes + 1)

    def offline(self) -> None:
        """Close the listening port and all of its connections, those of the other cameras of this port too."""
        self._lines.offline()

    def online(self) -> None:
        """Open the listening port again."""
        self._lines.online()

    def reports(self, wanted: bool) -> None:
        """Send sender reports, or none: many cameras do not."""
        self._set(reports=wanted)

    def clock(self, error_s: float) -> None:
        """Set the clock that sender reports tell wrong by so many seconds."""
        self._set(clock_error_s=error_s)

    def apply(self, line: str) -> None:
        """Do what a line says: a fault's name and its values, such as ``loss 0.01``. Raises UsageError."""
        name, values = read_line(line)
        getattr(self, name)(*values)


def read_line(line: str) -> tuple[str, tuple[object, ...]]:
    """Give the fault that a line names, and its values. Raises UsageError."""
    name, *words = line.split() or [""]
    if name not in COMMANDS:
        raise UsageError(f"no such fault: {name!r}; there are {', '.join(COMMANDS)}")
    try:
        return name, COMMANDS[name](words)
    except (ValueError, KeyError) as error:
        raise UsageError(f"the fault {name} cannot be used with {' '.join(words) or 'no value'}") from error


def _share(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise UsageError("a share is a number from 0 to 1")
    return value


def _nothing(words: Sequence[str]) -> tuple[()]:
    if words:
        raise ValueError("takes no value")
    return ()


def _number(words: Sequence[str]) -> tuple[float]:
    (word,) = words
    return (float(word),)


def _status(words: Sequence[str]) -> tuple[int | None]:
    if words and not 100 <= int(words[0]) <= 999:
        raise ValueError("no status")
    return (int(words[0]) if words else None,)


def _switch(words: Sequence[str]) -> tuple[bool]:
    (word,) = words
    return ({"on": True, "off": False}[word],)


def _kind(words: Sequence[str]) -> tuple[Garbage | None]:
    kinds: dict[str, Garbage | None] = {"payload": "payload", "packets": "packets", "off": None}
    return (kinds[words[0] if words else "payload"],)


COMMANDS: Mapping[str, Callable[[Sequence[str]], tuple[object, ...]]] = {
    **dict.fromkeys(("stall", "resume", "novideo", "video", "freeze", "thaw", "freezestamps", "thawstamps"), _nothing),
    **dict.fromkeys(("drop", "reset", "mute", "unmute", "bye", "offline", "online", "normal"), _nothing),
    **dict.fromkeys(("loss", "fuzz", "ptsjump", "rate", "clock"), _number),
    "code": _status,
    "garbage": _kind,
    "reports": _switch,
}
"""The faults by name, with what reads the values that follow on a line."""


@dataclass(frozen=True, slots=True)
class TimedFault:
    """A fault that is to come."""

    camera: str | None
    """None: every camera."""
    line: str
    """For ``Faults.apply``."""
    after_s: float


_TIMED = re.compile(r"(?:(?P<camera>[^:]+):)?(?P<line>[^:@]+)(?:@(?P<after>\d+(?:\.\d+)?)s?)?")


def parse_timed(text: str) -> TimedFault:
    """Read ``NAME:FAULT VALUE@10s``: after ten seconds; without a name for every camera, without a time at once. Raises UsageError."""
    match = _TIMED.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not NAME:FAULT@10s")
    read_line(match["line"])
    return TimedFault(match["camera"], match["line"].strip(), float(match["after"] or 0.0))
