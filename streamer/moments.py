"""Points in time as people type them (pure)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from streamer.errors import UsageError
from streamer.events import utc_text

_AGO: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>s|min|m|h|d|w)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_of(text: str, now: datetime) -> str:
    """Give a point in time as events write it.

    Args:
        text: ISO 8601, a day (its beginning) or day and time, in UTC unless an offset is given; or how long ago: ``45s``, ``30min``,
            ``2h``, ``3d``, ``1w``.
        now: aware.

    Raises:
        UsageError: it is none of these.
    """
    try:
        ago = _AGO.fullmatch(text.strip())
        if ago is not None:
            return utc_text(now - timedelta(**{_UNITS[ago["unit"]]: float(ago["number"])}))
        moment = datetime.fromisoformat(text.strip())
        return utc_text(moment if moment.utcoffset() is not None else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        message = (
            f"{text!r} is no point in time: write 2026-05-01, 2026-05-01T08:00, 2026-05-01T08:00+02:00, or how long ago: 30min, 2h, 3d"
        )
        raise UsageError(message) from error
