"""What the section ``privacy`` of a configuration means for a program that records: what of a passage it keeps, and what it forgets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from logging import getLogger
from pathlib import Path

from streamer.config import Config
from streamer.config_sinks import CsvSinkConfig, JsonlSinkConfig, S3SinkConfig
from streamer.privacy import Disclosure, Limits
from streamer.privacy_keys import EVENT_KEYS, KeyFile
from streamer.purge import Pause, Purge, Purged, PurgeThread
from streamer.store import Store

_log = getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Forgetting:
    """Keeps a folder as the configuration wants it."""

    def __init__(self, config: Config, store: Store, folder: Path, clock: Callable[[], datetime] = _utc_now) -> None:
        """Finish what an earlier run left to delete: to be called before anything writes logs.

        Raises StoreError; UsageError: the file of the keys is none.
        """
        self._config = config.privacy
        self._store = store
        self._folder = folder
        self._logs = log_folders(config)
        self._copies = forgetful_sinks(config)
        self._clock = clock
        self._keys = key_file(config, folder, clock) if config.privacy.mode == "pseudonymous" else None
        if config.privacy.mode == "hits_only":
            _log.warning("privacy.mode: hits_only: there are no rules yet that a vehicle could break, so nothing is recorded")
        self._rotate()
        self.purge(lambda seconds: False).finish(forget_after_s=0.0)
        self._thread = PurgeThread(self._work, every_s=config.privacy.purge_every_s)

    @property
    def disclosure(self) -> Disclosure:
        """Says what of a passage may be recorded."""
        ring = self._keys.ring if self._keys is not None else None
        return Disclosure(self._config.mode, pictures=self._config.pseudonymous_pictures, ring=ring)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.alive

    def start(self) -> None:
        """Erase from now on what is due, in a thread."""
        self._thread.start()

    def close(self) -> None:
        """End the thread. Idempotent."""
        self._thread.close()

    def purge(self, pause: Pause) -> Purge:
        """Give what erases in the folder and the logs of the configuration."""
        return Purge(self._store, self._folder, clock=self._clock, pause=pause, logs=self._logs, copies=self._copies)

    def _work(self, pause: Pause) -> Purged:
        self._rotate()
        return self.purge(pause).run(limits_of(self._config.retention.model_dump()))

    def _rotate(self) -> None:
        if self._keys is not None and self._config.rotate_days is not None:
            self._keys.rotate(self._config.rotate_days, self._config.keep_keys)


def limits_of(retention: dict[str, float | None]) -> Limits:
    """Give the limits of a section ``privacy.retention``, by its keys."""
    return Limits(**retention)


def key_file(config: Config, folder: Path, clock: Callable[[], datetime] = _utc_now) -> KeyFile:
    """Give the keys of the pseudonyms in events. Raises StoreError, UsageError."""
    return KeyFile(config.privacy.key_file or folder / EVENT_KEYS, clock)


def forgetful_sinks(config: Config) -> tuple[str, ...]:
    """Give the names of the sinks that delete copies of what is erased."""
    return tuple(name for name, sink in config.sinks.items() if isinstance(sink, S3SinkConfig) and sink.forget)


def log_folders(config: Config) -> tuple[Path, ...]:
    """Give the folders of logs and tables that the configuration has beside that of the record."""
    return tuple(sink.directory for sink in config.sinks.values() if isinstance(sink, JsonlSinkConfig | CsvSinkConfig))
