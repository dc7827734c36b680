"""A sink that the user wrote: any object with ``write(lines)`` and, if it likes, ``close()``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from streamer.config_sinks import PythonSinkConfig
from streamer.errors import SinkError, StreamerError, UsageError
from streamer.outgoing import Outgoing


class PythonSink:
    """Hands lines to what the user's function made: ``ports.Sink``.

    ``write`` takes a list of JSON texts. It returns when they are safe, and raises whatever it likes when they are not: they come again.
    ``streamer.errors.RefusedError`` says that they never will be.
    """

    patience_s = 10.0

    def __init__(self, name: str, config: PythonSinkConfig) -> None:
        """Load the module and make the sink. Raises UsageError saying what is wrong with it."""
        self.batch = config.batch
        self._where = f"sinks.{name}.factory: {config.factory}"
        self._sink = self._make(config)

    def send(self, events: Sequence[Outgoing]) -> None:
        """Hand over. Raises what the user's sink raises."""
        self._sink.write([event.payload for event in events])

    def tend(self) -> None:
        """Nothing is asked of the user's sink."""

    def close(self) -> None:
        """Close the user's sink, if it can be closed. Raises SinkError."""
        close = getattr(self._sink, "close", None)
        if close is None:
            return
        try:
            close()
        except StreamerError:
            raise
        except Exception as error:  # whatever it is: the others must end well
            raise SinkError(f"{self._where}: cannot be closed: {type(error).__name__}: {error}") from error

    def _make(self, config: PythonSinkConfig) -> Any:
        module_name, _, function = config.factory.partition(":")
        if config.path is not None and str(config.path) not in sys.path:
            sys.path.insert(0, str(config.path))
        try:
            module = import_module(module_name)
        except ModuleNotFoundError as error:
            missing = "no such module" if error.name and module_name.startswith(error.name) else f"it needs the module {error.name}"
            raise UsageError(f"{self._where}: {missing}. Install it, or set path to the folder where it lies.") from error
        except Exception as error:  # a module runs when it is loaded
            raise UsageError(f"{self._where}: the module cannot be loaded: {type(error).__name__}: {error}") from error
        make = getattr(module, function, None)
        if not callable(make):
            raise UsageError(f"{self._where}: the module has no function {function}")
        try:
            sink = make(dict(config.options))
        except StreamerError:
            raise
        except Exception as error:
            raise UsageError(f"{self._where}: the function fails: {type(error).__name__}: {error}") from error
        if not callable(getattr(sink, "write", None)):
            raise UsageError(f"{self._where}: what it gives has no method write(lines)")
        return sink
