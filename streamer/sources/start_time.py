"""When a recording began, so that its events carry real times.

In this order: what the user says; the user's pattern over the file name; the container's own record; a common form of file
name; the file's modification time less its duration.

The container's ``creation_time`` is meant to be the start, in UTC. Many recorders write the time at which they closed the
file, or local time: where that matters, the user gives ``start`` or ``start_pattern``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from logging import getLogger
from pathlib import Path
from zoneinfo import ZoneInfo

from streamer.config import START_GROUPS
from streamer.errors import UsageError
from streamer.types import Clock

_log = getLogger(__name__)

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Before it there were no recordings like these; unset clocks say 1904 (QuickTime), 1970 (Unix) or 1980 (FAT, GPS)."""
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StartRules:
    """What the user says about the start of recordings. Raises UsageError for a pattern or a zone that cannot be used."""

    start: datetime | None = None
    """Wins over everything; without an offset it is taken in ``time_zone``."""
    pattern: str | None = None
    """Regular expression, searched in the file name, with the groups year, month, day, hour, minute, second (and, if
    wanted, microsecond: the decimals of the second), or the one group epoch (seconds; 13 digits: ms; 16 digits: µs)."""
    time_zone: str = "UTC"
    """IANA name, used for times that carry no offset."""

    def __post_init__(self) -> None:
        _zone(self.time_zone)
        if self.pattern is not None:
            _compiled(self.pattern)


def recording_start(path: Path, rules: StartRules, *, metadata: Mapping[str, str], duration_s: float | None) -> tuple[datetime, Clock]:
    """Give (start in UTC, where it comes from). Only the last resort looks at the file system."""
    zone = _zone(rules.time_zone)
    if rules.start is not None:
        return _utc(rules.start, zone), "option"
    if rules.pattern is not None:
        found = time_by_pattern(path.name, rules.pattern, rules.time_zone)
        if found is not None:
            return found, "file_name"
        _log.warning("%s: the start pattern %r does not fit the name; looking elsewhere", path, rules.pattern)
    recorded = time_in_metadata(metadata, rules.time_zone)
    if recorded is not None:
        return recorded, "metadata"
    named = time_in_name(path, rules.time_zone)
    if named is not None:
        return named, "file_name"
    return _file_time(path) - timedelta(seconds=duration_s or 0.0), "file_time"


def time_in_metadata(metadata: Mapping[str, str], time_zone: str = "UTC") -> datetime | None:
    """Give the time that a container's tags name (UTC), None if there is none or it comes from a clock that was never set."""
    for key in ("com.apple.quicktime.creationdate", "creation_time"):  # Apple's has the offset and is surely the start
        try:
            moment = _utc(datetime.fromisoformat(metadata.get(key, "").strip()), _zone(time_zone))
        except (ValueError, OverflowError):
            continue
        if _EARLIEST <= moment < _LATEST:
            return moment
    return None


def time_by_pattern(name: str, pattern: str, time_zone: str = "UTC") -> datetime | None:
    """Give the time (UTC) that the user's pattern finds in a name; None if it does not fit. Raises UsageError for a bad pattern."""
    match = _compiled(pattern).search(name)
    return None if match is None else _moment(match, _zone(time_zone))


def time_in_name(path: Path, time_zone: str = "UTC") -> datetime | None:
    """Give the time (UTC) in the name of a file, in one of the forms that recorders, phones and people use; None without one.

    Frigate and Dahua spread date and hour over the folders above the file.
    """
    zone = _zone(time_zone)
    for match, zone_of_form in _candidates(path, zone):
        moment = _moment(match, zone_of_form)
        if moment is not None and _EARLIEST <= moment < _LATEST:
            return moment
    return None


_DATE = r"(?P<year>(?:19|20)\d\d)[-_.]?(?P<month>\d\d)[-_.]?(?P<day>\d\d)"
# 2024-05-01_13-45-00  20240501134500  2024-05-01T13:45:00.250Z  2024_0501_134500 (dash-cams)  20240501134500123 (Hikvision)
# ..._20240501_134500_134530 (Reolink)  WIN_20240501_13_45_00_Pro  2024-05-01 13h45m00s: the first time is the start
_DATE_TIME = re.compile(
    rf"(?<!\d){_DATE}(?:[-_.T\s]|\sat\s|__)?(?P<hour>\d\d)[-_:.h]?(?P<minute>\d\d)[-_:.m]?(?P<second>\d\d)"
    r"(?:[.,](?P<microsecond>\d{1,6})(?!\d)|(?P<millisecond>\d{3}))?(?!\d)(?P<offset>Z|[+-]\d\d:?\d\d(?!\d))?"
)
_PIXEL = re.compile(rf"^PXL_{_DATE}_(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?P<millisecond>\d{{3}})")  # Android: UTC
_EPOCH = re.compile(r"(?<![\d.])(?P<epoch>1\d{15}|1\d{12}|1\d{9}(?:\.\d{1,6})?)(?!\d)")
_FRIGATE = re.compile(rf"/{_DATE}/(?P<hour>\d\d)/[^/]+/(?P<minute>\d\d)\.(?P<second>\d\d)\.\w+$")  # UTC
_DAHUA = re.compile(rf"/{_DATE}/(?:[^/]+/)*(?P<hour>\d\d)\.(?P<minute>\d\d)\.(?P<second>\d\d)-\d\d\.\d\d\.\d\d[^/]*$")


def _candidates(path: Path, zone: ZoneInfo) -> Iterator[tuple[re.Match[str], ZoneInfo]]:
    utc = ZoneInfo("UTC")
    for expression, text, zone_of_form in (
        (_PIXEL, path.name, utc),
        (_DATE_TIME, path.name, zone),
        (_FRIGATE, path.as_posix(), utc),
        (_DAHUA, path.as_posix(), zone),
        (_EPOCH, path.name, utc),
    ):
        for match in expression.finditer(text):
            yield match, zone_of_form


def _moment(match: re.Match[str], zone: ZoneInfo) -> datetime | None:
    """Give the time that a match spells, in UTC; None where it is no time, such as hour 31."""
    part = {name: text for name, text in match.groupdict().items() if text}
    try:
        if "epoch" in part:
            return _from_epoch(part["epoch"])
        decimals = part.get("microsecond") or part.get("millisecond") or "0"
        year, month, day, hour, minute, second = (int(part[name]) for name in START_GROUPS)
        moment = datetime(year + 2000 if year < 100 else year, month, day, hour, minute, second, int(decimals[:6].ljust(6, "0")), zone)
        if "offset" in part:
            moment = moment.replace(tzinfo=datetime.strptime(part["offset"], "%z").tzinfo)
        return moment.astimezone(UTC)
    except (KeyError, ValueError, OverflowError):  # KeyError: a group of the user's pattern took no part in the match
        return None


def _from_epoch(text: str) -> datetime:
    whole, _, decimals = text.partition(".")
    unit_us = {13: 1_000, 16: 1}.get(len(whole), 1_000_000)
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(whole) * unit_us + int(decimals[:6].ljust(6, "0")))


def _file_time(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:  # gone meanwhile: opening it will say so
        return datetime.fromtimestamp(0, UTC)


def _utc(moment: datetime, zone: ZoneInfo) -> datetime:
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # not found; a folder of the database; a path that leads out of it
        raise UsageError(f"time zone {name!r}: there is no such zone; give an IANA name such as Europe/Berlin or UTC") from error


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"start pattern {pattern!r}: is not a regular expression ({error})") from error
    lacking = [name for name in START_GROUPS if name not in compiled.groupindex]
    if lacking and "epoch" not in compiled.groupindex:
        raise UsageError(
            f"start pattern {pattern!r}: lacks the groups {', '.join(lacking)}, each written (?P<name>...), or the group epoch"
        )
    return compiled
