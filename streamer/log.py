"""The program's own messages: text for people or JSON for machines, and no credentials in either."""

from __future__ import annotations

import json
import logging
import math
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from streamer.config import LogConfig

MASK: Final = "***"

_WORD: Final = re.compile(r"\S+")
_SLASHES: Final = re.compile("%2f%2f", re.IGNORECASE)
_SECRET_NAME: Final = re.compile(
    r"password|passwd|passphrase|secret|token|credential|authorization|signature|(?:api|access|private)[_-]?key"
    r"|loginpas|(?<![a-z])(?:pass|pas|pwd|psw|pw|auth|sig)(?![a-z])",
    re.IGNORECASE,
)
# What is in quotes, and all that sticks to it; after "Authorization" the rest of the line.
_NAMED: Final = re.compile(
    rf"""(?:{_SECRET_NAME.pattern})[\w-]{{0,40}}["']?\s{{0,9}}(?:[=:]|%3[AD])\s{{0,9}}"""
    r"""(?P<secret>(?:basic|bearer|digest)\s[^\n]*|(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')?\S*)""",
    re.IGNORECASE,
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LEFT_OUT: Final = "left_out"
"""Attribute of a record: (how many like it were left out before it, in how many seconds)."""
_RECORD_FIELDS: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", _LEFT_OUT}
_KINDS_KEPT: Final = 1000
"""Kinds of messages that are remembered; a longer list would be a leak."""


def redact(text: str) -> str:
    """Mask the credentials in a text.

    Masked are the user and password of a URL (``scheme://user:password@host``, whatever the password contains but white space), and
    what follows a name like ``password``, ``pwd``, ``token`` or ``secret`` with ``=`` or ``:``, up to the next white space. In doubt
    more is masked.
    """
    spans = sorted([*_user_infos(text), *(match.span("secret") for match in _NAMED.finditer(text))])
    parts: list[str] = []
    end = 0
    for start, stop in spans:
        if start > end or not parts:
            parts += [text[end:start], MASK]
        end = max(end, stop)
    return "".join([*parts, text[end:]])


def configure(config: LogConfig, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
    """Send the messages of all libraries to ``stream``: the program's own from the configured level on, others' warnings and errors.

    The same message is written once in ``config.repeat_s`` of ``clock``, seconds. May be called again; what an earlier call set up is
    replaced.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler.formatter, _Formatter)]:
        root.removeHandler(handler)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JsonFormatter() if config.format == "json" else _TextFormatter())
    if config.repeat_s > 0:
        handler.addFilter(RepeatFilter(config.repeat_s, clock))
    root.addHandler(handler)
    level = logging.getLevelNamesMapping()[config.level.upper()]
    root.setLevel(max(level, logging.WARNING))
    for package in ("streamer", "train"):
        logging.getLogger(package).setLevel(level)


class RepeatFilter(logging.Filter):
    """Lets the same message about the same camera pass once in so many seconds; when it comes again, it says how many were left out.

    The same are messages of one logger, level, text before its arguments are filled in, and kind of exception, about one camera: the
    attribute ``camera`` of the record (``extra={"camera": name}``), whatever the arguments. Without that attribute the arguments count.
    Any thread. If more than a thousand kinds come at once, the ones not seen for longest are forgotten, with their count.
    """

    def __init__(self, repeat_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._repeat_s = repeat_s
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is written; marks one before which others were left out."""
        kind = _kind(record)
        with self._lock:
            now = self._clock()
            since, left_out = self._kinds.pop(kind, (-math.inf, 0))
            if now - since < self._repeat_s:
                self._kinds[kind] = (since, left_out + 1)
                return False
            self._kinds[kind] = (now, 0)
            if len(self._kinds) > _KINDS_KEPT:
                self._kinds.popitem(last=False)
        if left_out:
            setattr(record, _LEFT_OUT, (left_out, now - since))
        return True


def _kind(record: logging.LogRecord) -> Hashable:
    error = record.exc_info[0] if record.exc_info else None
    camera = record.__dict__.get("camera")
    about = str(camera) if camera is not None else repr(record.args)
    return record.name, record.levelno, str(record.msg), error, about


class _Formatter(logging.Formatter):
    """Takes a record apart without changing it: other handlers get the same one."""

    def message(self, record: logging.LogRecord) -> str:
        message = redact(record.getMessage())
        count, seconds = self.left_out(record)
        return f"{message} ({count} more like it in {seconds:.0f} s)" if count else message

    def left_out(self, record: logging.LogRecord) -> tuple[int, float]:
        found: tuple[int, float] = record.__dict__.get(_LEFT_OUT, (0, 0.0))
        return found

    def time(self, record: logging.LogRecord) -> str:
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def extras(self, record: logging.LogRecord) -> dict[str, object]:
        return {key: _plain(value, key) for key, value in record.__dict__.items() if key not in _RECORD_FIELDS}

    def trace(self, record: logging.LogRecord) -> str:
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        if record.stack_info:
            parts.append(record.stack_info)
        return redact("\n".join(parts))


class _TextFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        words = [self.time(record), f"{record.levelname:7}", f"{record.name}:", self.message(record)]
        words += [f"{key}={value}" for key, value in self.extras(record).items()]
        line = _CONTROL.sub(_escape, " ".join(words))  # nobody's text may forge a line or drive the terminal
        trace = self.trace(record)
        return f"{line}\n{trace}" if trace else line


class _JsonFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": self.time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.message(record),
        }
        trace = self.trace(record)
        if trace:
            fields["exception"] = trace
        return json.dumps(self.extras(record) | fields, allow_nan=False)


def _user_infos(text: str) -> Iterator[tuple[int, int]]:
    """Give where the words of a text have something between ``//`` and ``@``, also if both are percent-encoded.

    Passwords contain "/", "@" and ":" unescaped, so it ends at the word's last "@": rather a host lost than a password shown.
    """
    for word in _WORD.finditer(text):
        start, stop = word[0].find("//") + 2, word[0].rfind("@")
        if 2 <= start < stop:
            yield word.start() + start, word.start() + stop
        encoded, stop = _SLASHES.search(word[0]), word[0].rfind("%40")
        if encoded and encoded.end() < stop:
            yield word.start() + encoded.end(), word.start() + stop


def _plain(value: object, name: str) -> object:
    """Give a value as JSON can hold it, without credentials."""
    if _SECRET_NAME.search(name):
        return MASK
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping):
        return {redact(str(key)): _plain(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, "") for item in value]
    return redact(str(value))


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
