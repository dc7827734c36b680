"""How long to wait before a camera is tried again: longer after every failure, by what went wrong. Pure."""

from __future__ import annotations

import random
from typing import Final

from streamer.errors import SourceReason

HEALTHY_S: Final = 10.0
"""So many seconds of frames forgive all earlier failures: enough that a camera which drops at once every time is left in peace, and
not so much that one which was away for a night and drops once in its first minute stays away for half a minute more."""
JITTER: Final = 0.2
"""Waits vary by this share, so that cameras behind one switch do not come back in one breath."""
_MOST_DOUBLINGS: Final = 30
"""Beyond any cap; keeps the power from growing for months."""


class Backoff:
    """The waits of one camera. Not thread-safe: it belongs to the thread that reads the camera.

    The first failure waits ``min_s``, each further one twice as long, up to ``max_s``, all by +-20 %. A session that gave frames for
    10 s forgives what was before. Wrong credentials wait ``auth_s`` from the first time on, because cameras lock accounts.
    """

    def __init__(self, min_s: float, max_s: float, auth_s: float, rng: random.Random | None = None) -> None:
        self._min_s = min_s
        self._max_s = max_s
        self._auth_s = auth_s
        self._rng = rng or random.Random()  # noqa: S311 (nothing secret hangs on it)
        self._failures = 0

    @property
    def failures(self) -> int:
        """Failures since the last healthy session."""
        return self._failures

    def next(self, reason: SourceReason, *, healthy_s: float = 0.0) -> float:
        """Give the seconds to wait after a failure.

        Args:
            reason: Why the attempt or the session ended.
            healthy_s: How long frames had come before; 0.0 if the camera never went live.
        """
        if healthy_s >= HEALTHY_S:
            self._failures = 0
        doublings = min(self._failures, _MOST_DOUBLINGS)
        self._failures += 1
        jitter = self._rng.uniform(1.0 - JITTER, 1.0 + JITTER)
        if reason == "authentication":
            return self._auth_s * jitter
        return min(self._max_s, self._min_s * 2.0**doublings * jitter)
