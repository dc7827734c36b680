"""Another event log beside the one of the program, as a sink of its own."""

from __future__ import annotations

from collections.abc import Sequence

from streamer.config import EventsConfig
from streamer.config_sinks import JsonlSinkConfig
from streamer.outgoing import Outgoing
from streamer.sinks.jsonl import JsonlSink


class JsonlFiles:
    """An ``outgoing.EventSink`` around ``JsonlSink``, opened by the first event."""

    batch = 200
    patience_s = 10.0
    """A disk that hangs."""

    def __init__(self, config: JsonlSinkConfig) -> None:
        """Take the section of the sink."""
        self._directory = config.directory
        # What is wanted was chosen before.
        self._config = EventsConfig(
            directory=config.directory,
            states="all",
            flush=config.flush,
            flush_interval_s=config.flush_interval_s,
            rotate_mb=config.rotate_mb,
            rotate_daily=config.rotate_daily,
            compress=config.compress,
            keep_days=config.keep_days,
        )
        self._log: JsonlSink | None = None

    def send(self, events: Sequence[Outgoing]) -> None:
        """Append. Raises SinkError."""
        if self._log is None:
            self._log = JsonlSink(self._directory, self._config)
        self._log.write([event.payload for event in events])

    def tend(self) -> None:
        """Flush what is due. Raises SinkError."""
        if self._log is not None:
            self._log.write([])

    def close(self) -> None:
        """Flush and let go. Raises SinkError."""
        if self._log is not None:
            self._log.close()
