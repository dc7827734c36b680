"""The files of the keys that make pseudonyms: for their owner only, never half written; a key that is given up is overwritten."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from streamer import private
from streamer.errors import StoreError, UsageError
from streamer.privacy import KeyRing, before, new_key, ring_of

EVENT_KEYS: Final = "pseudonym-keys.json"
AUDIT_KEYS: Final = "audit-keys.json"
"""A ring of its own: who asked for a plate must be known for longer than pseudonyms can be linked."""


def keys_held(file: Path) -> KeyRing | None:
    """Give the keys in a file, which is not made; None if it is not there. Raises StoreError: it cannot be read; UsageError: it is none."""
    try:
        return ring_of(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{file}: the keys of pseudonyms cannot be had: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from error


class KeyFile:
    """Keys in a file, which is made if it is not there. May be used by any thread; one process may rotate."""

    def __init__(self, file: Path, clock: Callable[[], datetime]) -> None:
        """``clock`` gives now, aware. Raises StoreError if the file cannot be read or written, UsageError if it is no key file."""
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()
        try:
            if not file.exists():
                private.make_folder(file.parent)
                private.write_whole(file, KeyRing((new_key(clock()),)).to_text().encode())
            self._ring = ring_of(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise StoreError(f"{file}: the keys of pseudonyms cannot be had: {error.strerror or error}") from error
        except ValueError as error:
            raise UsageError(f"{file}: {error}") from error

    def ring(self) -> KeyRing:
        """Give the keys."""
        with self._lock:
            return self._ring

    def rotate(self, after_days: float, keep: int) -> bool:
        """Make a new key if the one in use is older than so many days, and give up all but the last ``keep`` of the others.

        Gives whether it did. Raises StoreError: the keys are as they were.
        """
        now = self._clock()
        with self._lock:
            if self._ring.keys[-1].made > before(now, after_days):
                return False
            ring = self._ring.rotated(new_key(now), keep)
            try:
                with self._file.open("r+b") as old:
                    private.write_whole(self._file, ring.to_text().encode())
                    size = old.seek(0, os.SEEK_END)
                    old.seek(0)
                    old.write(bytes(size))
                    old.flush()
                    os.fsync(old.fileno())
            except OSError as error:
                raise StoreError(f"{self._file}: the keys of pseudonyms cannot be rotated: {error.strerror or error}") from error
            self._ring = ring
            return True
