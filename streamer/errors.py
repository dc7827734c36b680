"""The exception tree. Everything raised on purpose derives from StreamerError; the command line maps it to an exit code.

::

    StreamerError               exit code 1
    ├── UsageError              2  what the user gave cannot be used: says what and what to do
    │   ├── ConfigError         2  mistakes in a configuration, all at once, with file, line and key
    │   └── WeightsError        2  a weight file is missing, damaged or of an unknown kind
    ├── SourceError             a source cannot be opened or read (typed reason)
    ├── MissingPackageError     2  an optional package or program is not installed: says which extra
    ├── StoreError              the durable record of events or their evidence cannot be written or read
    │   └── DiskFullError       there is no room for evidence
    ├── TimestampError          a timestamp cannot be had, or is not one that is trusted
    │   └── OtherHashError      it is of something else
    └── SinkError               a sink cannot write
        └── RefusedError        its receiver will not take this, however often it is sent
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SourceReason = Literal[
    "missing",
    "empty",
    "damaged",
    "unsupported",
    "permission",
    "refused",
    "authentication",
    "timeout",
    "tls",
    "gone",
    "frozen",
    "busy",
    "unavailable",
]
"""Why a source cannot be read.

Of cameras: ``missing`` no such path or device (404); ``refused`` nobody listens, or the host is unknown; ``authentication`` wrong or no
credentials (401, 403); ``timeout`` no answer or no picture in time; ``unsupported`` no decoder for its codec; ``tls`` certificate or
handshake; ``gone`` it ended the stream or was pulled out; ``frozen`` it sends, but time stamps or picture stand still; ``damaged`` what it
sends is no video; ``busy`` somebody else has the device; ``unavailable`` it answered with another error (503); ``permission`` not allowed
to open the device.
"""


class StreamerError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 1


class UsageError(StreamerError):
    """What the user gave cannot be used."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One mistake in a configuration file."""

    file: str
    line: int | None
    """1-based; of the section around it if the key itself is missing from the file, None if that is too."""
    key: str
    """Dotted path, for example ``detector.confidence``; empty if it is about the file as a whole."""
    value: str | None
    """As written, shortened, secrets masked; None if the key is missing."""
    message: str
    """What is wrong and, if one is near, the valid key."""
    column: int | None = None
    """1-based, where the file is no YAML."""

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        value = f" = {self.value}" if self.value is not None else ""
        return f"{where}: {self.key}{value}: {self.message}" if self.key else f"{where}: {self.message}"


class ConfigError(UsageError):
    """A configuration with mistakes; ``problems`` holds them all."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class WeightsError(UsageError):
    """A weight file is missing, damaged or of an unknown kind."""


class MissingPackageError(UsageError):
    """An optional package or program is not installed."""


class SourceError(StreamerError):
    """A source cannot be opened or read any further."""

    def __init__(self, reason: SourceReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreError(StreamerError):
    """The durable record of events or their evidence cannot be written or read."""


class DiskFullError(StoreError):
    """There is no room for evidence, or the quota is used up."""


class TimestampError(StreamerError):
    """A timestamp cannot be had, or is not one that is trusted."""


class OtherHashError(TimestampError):
    """A timestamp is of something else."""


class SinkError(StreamerError):
    """A sink cannot write."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        """``retry_after_s``: how long the receiver asks to be left alone, seconds; None if it does not say."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RefusedError(SinkError):
    """The receiver of a sink will not take what it was sent, however often it is sent."""
