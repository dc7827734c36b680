"""Secrets of sinks: from the configuration, a file or the environment; and certificates."""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path

from streamer.config_sink_section import SinkSection
from streamer.errors import UsageError

_log = logging.getLogger(__name__)


def secret_of(config: SinkSection, key: str, sink: str) -> str | None:
    """Give what stands in ``key``, in the first line of the file ``key_file`` or in the environment variable ``key_env``.

    None if none of them is given. Raises UsageError naming the sink and the file or variable that is missing, unreadable or empty.
    """
    given, file, variable = (getattr(config, name) for name in (key, f"{key}_file", f"{key}_env"))
    if given is not None:
        return str(given.get_secret_value())
    if file is not None:
        return _first_line(file, f"sinks.{sink}.{key}_file")
    if variable is not None:
        found = os.environ.get(variable)
        if not found:
            raise UsageError(f"sinks.{sink}.{key}_env: the environment variable {variable} is not set")
        return found
    return None


def tls_context(sink: str, *, ca_file: Path | None, verify: bool) -> ssl.SSLContext:
    """Give what a client checks its server with. Raises UsageError: the certificates cannot be read."""
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file is not None else None)
    except OSError as error:
        raise UsageError(f"sinks.{sink}.ca_file: {ca_file} cannot be read, or holds no certificates: {error}") from error
    if not verify:
        _log.warning("sink %s: verify_tls is off: anybody may be at the other end", sink)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _first_line(file: Path, key: str) -> str:
    try:
        with file.open(encoding="utf-8") as lines:
            found = lines.readline().rstrip("\r\n")
    except OSError as error:
        raise UsageError(f"{key}: {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise UsageError(f"{key}: {file} is not text in UTF-8") from None
    if not found:
        raise UsageError(f"{key}: the first line of {file} is empty")
    return found
