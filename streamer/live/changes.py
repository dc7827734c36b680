"""What a changed configuration means for a running program (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.config import Config

WHILE_RUNNING = frozenset({"cameras", "tracker", "passages", "evidence"})
"""Sections that can change while the program runs."""

NOT_USED = frozenset({"sources"})
"""Sections that a running program does not use."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference of two configurations."""

    added: tuple[str, ...] = ()
    """Cameras."""
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    rules: bool = False
    """How plates are tracked, passages decided and pictures taken."""
    needs_restart: tuple[str, ...] = ()
    """Dotted keys that are taken over by the next start only."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.rules or self.needs_restart)

    def __str__(self) -> str:
        said = [f"camera {name} {what}" for what, names in self._cameras() for name in names]
        said += ["other rules for passages, and for tracks from each camera's next session on"] if self.rules else []
        said += [f"{', '.join(self.needs_restart)}: taken over at the next start only"] if self.needs_restart else []
        return "; ".join(said) or "nothing"

    def _cameras(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return ("added", self.added), ("removed", self.removed), ("changed", self.changed)


def changes(old: Config, new: Config) -> Changes:
    """Say what differs from one configuration to another."""
    both = old.cameras.keys() & new.cameras.keys()
    return Changes(
        added=tuple(name for name in new.cameras if name not in old.cameras),
        removed=tuple(name for name in old.cameras if name not in new.cameras),
        changed=tuple(name for name in new.cameras if name in both and old.cameras[name] != new.cameras[name]),
        rules=(old.tracker, old.passages, old.evidence) != (new.tracker, new.passages, new.evidence)
        or any(old.cameras[name].region != new.cameras[name].region for name in both),  # regions of redaction are cut by it
        needs_restart=tuple(_differing(old, new)),
    )


def _differing(old: Config, new: Config) -> list[str]:
    keys = []
    for section in type(old).model_fields:
        if section in WHILE_RUNNING | NOT_USED:
            continue
        one, other = getattr(old, section), getattr(new, section)
        if one == other:
            continue
        fields = getattr(type(one), "model_fields", None)
        keys += [f"{section}.{key}" for key in fields if getattr(one, key) != getattr(other, key)] if fields else [section]
    return keys
