"""Why a camera cannot be reached or read: libav's errors and what lies behind them, as typed reasons."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult

from streamer.errors import SourceError, SourceReason

if TYPE_CHECKING:
    from av.error import FFmpegError

_PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935, "rtmps": 443}
_SYSTEM_CERTIFICATES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Red Hat
    "/etc/ssl/cert.pem",  # Alpine
)

_REASONS: Final[dict[str, SourceReason]] = {
    "HTTPUnauthorizedError": "authentication",
    "HTTPForbiddenError": "authentication",
    "HTTPNotFoundError": "missing",
    "HTTPError": "unavailable",
    "HTTPClientError": "unavailable",
    "ConnectionRefusedError": "refused",
    "ConnectionResetError": "gone",
    "BrokenPipeError": "gone",
    "EOFError": "gone",
    "TimeoutError": "timeout",
    "ExitError": "timeout",
    "InvalidDataError": "damaged",
    "ProtocolNotFoundError": "unsupported",
    "DemuxerNotFoundError": "unsupported",
    "DecoderNotFoundError": "unsupported",
    "PatchWelcomeError": "unsupported",
    "PermissionError": "permission",
}
"""By the name of the exception or the nearest of its bases that is here."""
_UNREACHABLE: Final = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EHOSTDOWN, errno.ENETDOWN}

_WORDS: Final[dict[SourceReason, str]] = {
    "authentication": "the camera refuses user or password; see the keys user and password_file",
    "missing": "the camera has no such stream (404); see the path of the url",
    "unavailable": "the camera answers with an error",
    "refused": "nobody answers there; see host and port of the url, and whether the camera is on",
    "gone": "the camera closed the connection",
    "timeout": "the camera did not answer in time",
    "damaged": "what comes is no video",
    "unsupported": "this build of FFmpeg cannot read that",
    "permission": "it may not be opened",
}


def source_error(error: FFmpegError, *, ran_out: bool) -> SourceError:
    """Give libav's error as ours; ``ran_out``: it came because the time was over. The text holds no address and no credentials."""
    reason: SourceReason = "timeout" if ran_out else _reason(error)
    words = _WORDS[reason]
    # Only libav's name for the error: its text holds the URL with the password, and "last error log" may be another camera's.
    detail = "" if reason in ("authentication", "missing", "timeout") else f" ({type(error).__name__}: {error.strerror})"
    return SourceError(reason, words + detail)


def _reason(error: FFmpegError) -> SourceReason:
    if error.errno in _UNREACHABLE:
        return "refused"
    for base in type(error).__mro__:
        if base.__name__ in _REASONS:
            return _REASONS[base.__name__]
    return "unavailable"


def resolve(parts: SplitResult, timeout_s: float) -> None:
    """Make sure that a host name can be resolved in time: libav cannot be interrupted while it resolves.

    libav asks again, but then the resolver has its answer at hand, or nearly so. Raises SourceError (refused, timeout).
    """
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return
    failures: list[OSError] = []

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, None)
        except OSError as failure:
            failures.append(failure)

    thread = threading.Thread(target=look_up, name=f"resolve {host}", daemon=True)  # the system's resolver gives up by itself
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        raise SourceError("timeout", f"the host name {host} could not be resolved in time")
    if failures:
        raise SourceError("refused", f"the host name {host} cannot be resolved ({failures[0].strerror})")


def tls_trouble(parts: SplitResult, ca_file: Path | None, verify: bool, timeout_s: float) -> SourceError | None:
    """Say what is wrong with a camera's TLS, of which libav says nothing but "input/output error"; None if it is all right."""
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    address = (parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443))
    try:
        with socket.create_connection(address, timeout_s) as plain, context.wrap_socket(plain, server_hostname=parts.hostname):
            return None
    except ssl.SSLCertVerificationError as error:
        advice = "see the keys ca_file and verify_tls"
        return SourceError("tls", f"the camera's certificate is not accepted: {error.verify_message}; {advice}")
    except ssl.SSLError as error:
        return SourceError("tls", f"TLS fails: {error.reason or error}")
    except OSError:
        return None  # whatever libav found


def certificates(ca_file: Path | None) -> str | None:
    """Give the file of certificates to check cameras against: the configured one, else the system's; None if it has none.

    Raises SourceError (tls) if the configured one cannot be read.
    """
    if ca_file is not None:
        try:
            ssl.create_default_context(cafile=str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise SourceError("tls", f"the certificates in {ca_file} cannot be read ({error.strerror or error})") from error
        return str(ca_file)
    paths = [ssl.get_default_verify_paths().cafile, *_SYSTEM_CERTIFICATES]
    return next((path for path in paths if path is not None and Path(path).is_file()), None)
