"""Which settings decided about an event: the configuration as an entry of the chain, and its hash in every event."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from streamer.events import utc_text

CONFIGURATION: Final = "configuration"
"""Kind of such entries."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings that decide about events, without credentials."""

    content: Mapping[str, Any]
    """JSON values."""

    @property
    def sha256(self) -> str:
        """Of the content as JSON with sorted keys, without white space, in UTF-8; lower-case hex."""
        return sha256_of(self.content)


def sha256_of(content: Mapping[str, Any]) -> str:
    """Give the hash by which events name a configuration."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def payload_of(configuration: Configuration, *, program_version: str, salt: str, written_at: datetime) -> str:
    """Give the entry's content, one JSON object. ``written_at`` is aware, ``salt`` random hex as of all entries."""
    said = {"configuration": dict(configuration.content), "sha256": configuration.sha256, "program_version": program_version}
    return json.dumps(said | {"written_at": utc_text(written_at), "salt": salt})


@dataclass(slots=True)
class Configurations:
    """Those that a chain holds, as somebody who verifies it comes to them."""

    _known: set[str] = field(default_factory=set)

    def note(self, payload: str) -> Iterator[str]:
        """Take an entry's content; gives what is wrong with it."""
        try:
            said = json.loads(payload)
            content, sha256 = said["configuration"], said["sha256"]
        except (ValueError, KeyError, TypeError):
            yield "is no configuration"
            return
        if sha256_of(content) != sha256:
            yield "its configuration has another hash than it says"
        self._known.add(sha256)

    def look_up(self, event: Mapping[str, Any]) -> Iterator[str]:
        """Give what is wrong with what an event says of its configuration."""
        named = event.get("configuration")
        if named is not None and named not in self._known:
            yield "names a configuration that no entry before it holds"
