"""What is recorded of one plate: for whoever asks for their data, and for its erasure (pure)."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from streamer.events import Event
from streamer.plates import fold
from streamer.sealing import plain_name

PICTURES: Final = ("crop", "vehicle")
"""Kinds that are handed out: a scene shows others, too."""

README: Final = """This is what the record has of one number plate.

subject.json     who made this, when, and how often the plate is only another possible reading of somebody else's
events.json      all revisions of the events; urn:plate-streamer:schema:event:4 explains the fields
crops, vehicles  pictures; scenes and clips are left out, because they show others;
                 those that end in .age are sealed: who handed this out can open them
"""


def names(event: Event, texts: Collection[str]) -> bool:
    """Say whether a revision, or what somebody said of it, names one of some folded plates at all."""
    return any(text is not None and fold(text) in texts for text in _texts(event))


def is_of(event: Event, texts: Collection[str]) -> bool:
    """Say whether a revision is about one of some folded plates: what was decided, corrected or typed, or all that was read."""
    said = [event.get("plate") or event.get("raw"), (event.get("correction") or {}).get("plate"), event.get("truth")]
    return any(text is not None and fold(text) in texts for text in said)


def package(
    about: dict[str, Any],
    revisions: Sequence[Event],
    picture: Callable[[str], bytes | None],
    open_sealed: Callable[[bytes, Event], bytes] | None = None,
) -> tuple[bytes, int, tuple[str, ...]]:
    """Make the ZIP file.

    Args:
        about: what ``subject.json`` says.
        revisions: of the events.
        picture: gives the content of a file, None if it is not there.
        open_sealed: gives what is in a sealed picture; None: sealed ones are handed out as they are, and nobody without a key can look.

    Returns:
        The file, how many pictures are in it, and the names of those that are missing or were changed.
    """
    files = {one["file"]: one for event in revisions for one in event["evidence"] if one["kind"] in PICTURES}
    missing, packed, pictures = list[str](), io.BytesIO(), 0
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README)
        archive.writestr("events.json", json.dumps(list(revisions), ensure_ascii=False, indent=1))
        for name, one in sorted(files.items()):
            content = picture(name)
            if content is None or hashlib.sha256(content).hexdigest() != one["sha256"]:
                missing.append(name)
            elif open_sealed is not None and "sealed" in one:
                archive.writestr(plain_name(name), open_sealed(content, one), zipfile.ZIP_STORED)
                pictures += 1
            else:
                archive.writestr(name, content, zipfile.ZIP_STORED)
                pictures += 1
        archive.writestr("subject.json", json.dumps({**about, "pictures": pictures, "missing": missing}, ensure_ascii=False, indent=1))
    return packed.getvalue(), pictures, tuple(missing)


def _texts(event: Event) -> list[str | None]:
    """Give all plate texts of a revision, or of an entry about one."""
    correction = event.get("correction") or {}
    others = [one["plate"] for one in event.get("alternatives", ())]
    return [event.get("plate"), event.get("raw"), event.get("truth"), correction.get("plate"), *others]
