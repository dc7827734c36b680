"""A busy machine shared fairly: who may have how many frames a second (pure)."""

from __future__ import annotations

from collections.abc import Mapping

GIVEN_AWAY = 1.1
"""Share of what the machine was measured to do that is given away. A little more than all: a batch that is full takes less time a frame,
so that a machine that is asked for more can do more; and nothing grows old of it, because of each camera only the newest frame waits."""

FLOOR_FPS = 1.0
"""No camera gets less than this, or than what it wants: a vehicle should be seen at least once."""

EVERY_S = 2.0
"""How often the shares are worked out anew."""

SMOOTHING = 0.5
"""Weight of the newest measurement of the machine's capacity."""


def shares(wanted: Mapping[str, float], priority: Mapping[str, float], capacity: float) -> dict[str, float]:
    """Give each camera's share of ``capacity`` (frames a second): in proportion to priority, but nobody more than is wanted.

    What a camera does not want goes to the others (weighted max-min fairness, also called water-filling; Bertsekas and Gallager, Data
    Networks, 6.5.2).
    """
    given: dict[str, float] = {}
    open_ones = set(wanted)
    left = capacity
    while open_ones:
        weight = sum(priority[name] for name in open_ones)
        content = {name for name in open_ones if wanted[name] <= left * priority[name] / weight}
        if not content:
            return given | {name: left * priority[name] / weight for name in open_ones}
        given |= {name: wanted[name] for name in content}
        left = max(left - sum(wanted[name] for name in content), 0.0)
        open_ones -= content
    return given


class LoadControl:
    """Watches how long frames take and says what each camera may have, if the machine cannot do all that is wanted."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._busy_s = 0.0
        self._frames = 0
        self.capacity_fps: float | None = None
        """Frames a second that the machine can analyse; None until it is known."""

    def worked(self, frames: int, seconds: float) -> None:
        """Note that a batch of ``frames`` took ``seconds``."""
        self._frames += frames
        self._busy_s += seconds

    def limits(self, wanted: Mapping[str, float], priority: Mapping[str, float], now: float) -> dict[str, float | None] | None:
        """Give each camera's limit in frames a second, None where there is none; None altogether if it is not yet time for new ones."""
        if now - self._since < EVERY_S:
            return None
        if self._frames and self._busy_s > 0:
            measured = self._frames / self._busy_s
            before = self.capacity_fps if self.capacity_fps is not None else measured
            self.capacity_fps = before + SMOOTHING * (measured - before)
        self._since, self._busy_s, self._frames = now, 0.0, 0
        if self.capacity_fps is None or sum(wanted.values()) <= GIVEN_AWAY * self.capacity_fps:
            return dict.fromkeys(wanted)
        fair = shares(wanted, priority, GIVEN_AWAY * self.capacity_fps)
        return {name: max(fair[name], min(FLOOR_FPS, wanted[name])) if fair[name] < wanted[name] else None for name in wanted}
