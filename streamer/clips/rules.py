"""What a configuration says about clips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamer.clips.choice import Wanted
from streamer.clips.cutter import ClipRules

if TYPE_CHECKING:
    from streamer.config import ClipConfig, Config

SLACK_S: Final = 3.0
"""That an event may take from its decision to its recording, without its clip losing its beginning."""


def wanted_of(clip: ClipConfig) -> Wanted:
    """Give how long clips are."""
    return Wanted(clip.before_s, clip.after_s, clip.longest_s)


def pictures_are_kept(config: Config) -> bool:
    """Say whether events may have pictures at all."""
    privacy = config.privacy
    return privacy.mode != "pseudonymous" or privacy.pseudonymous_pictures


def rules_of(config: Config) -> ClipRules | None:
    """Give the rules for live cameras; None: there are no clips.

    A passage is decided when its vehicle cannot come back any more: until then its packets must be there.
    """
    clip = config.evidence.clip
    if not clip.enabled or not pictures_are_kept(config):
        return None
    decided_s = config.passages.longest_window_s + config.tracker.lost_after_s
    names = frozenset(name for name in config.cameras if name not in clip.without)
    return ClipRules(
        wanted_of(clip),
        ring_s=clip.longest_s + decided_s + SLACK_S,
        ring_bytes=round(clip.memory_mb * 1e6),
        cameras=names,
        without_packets=frozenset(name for name in names if config.cameras[name].url is None),
    )
