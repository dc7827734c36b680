"""Licences as people write them, to SPDX names (pure)."""

from __future__ import annotations

import re

_NONE = re.compile(r"^(none|unknown|n/?a|not stated|-|\?)\b", re.IGNORECASE)
_CREATIVE_COMMONS = re.compile(r"^CC[ -](BY(?:-(?:SA|NC|ND|NC-SA|NC-ND))?)[ -](\d\.\d)\b", re.IGNORECASE)
_ALONE = {"apache 2.0": "Apache-2.0", "apache-2": "Apache-2.0", "mit license": "MIT", "public domain": "CC0-1.0", "cc0": "CC0-1.0"}
# The old names say nothing of later versions.
_GNU = re.compile(r"^(A?GPL|LGPL)-(\d\.\d)$")


def spdx(written: str) -> str:
    """Give the SPDX name of a licence as written; empty if none is stated or what is stated contradicts itself.

    Remarks in brackets are dropped (``Apache-2.0 (repo)``); a name that is not recognised is kept.
    """
    text = re.sub(r"\s*\([^)]*\)", "", written).strip()
    if not text or _NONE.match(text) or ";" in text:
        return ""
    if found := _CREATIVE_COMMONS.match(text):
        return f"CC-{found[1].upper()}-{found[2]}"
    if found := _GNU.match(text):
        return f"{found[1]}-{found[2]}-only"
    return _ALONE.get(text.lower(), text)
