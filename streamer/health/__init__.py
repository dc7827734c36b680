"""Health, metrics and status over HTTP, for Prometheus, load balancers, ``plate-streamer status`` and people.

``/healthz`` (does the work go on?), ``/readyz`` (would a vehicle be seen?), ``/metrics``, ``/status`` (everything, as JSON). GET and HEAD
only. Bound to this machine unless clients must send a token.
"""

from __future__ import annotations

import dataclasses
import errno
import ipaddress
import logging
import os
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from streamer.errors import UsageError
from streamer.health.http import CLIENT_TIMEOUT_S, Answer, BoundedServer, json_answer
from streamer.live.health_state import Health, Recent, degraded, obstacles, problems

if TYPE_CHECKING:
    from streamer.config import HealthConfig
    from streamer.metrics import Metrics

_log = logging.getLogger(__name__)

_POLL_S: Final = 0.1
_CLOSE_S: Final = 0.4
_ENDPOINTS: Final = ("/healthz", "/readyz", "/metrics", "/status")


class HealthServer:
    """Serves from ``start`` to ``close``, in threads of its own."""

    def __init__(
        self, config: HealthConfig, metrics: Metrics, health: Callable[[], Health], *, client_timeout_s: float = CLIENT_TIMEOUT_S
    ) -> None:
        """Bind the address.

        Args:
            config: Address and token.
            metrics: What ``/metrics`` gives.
            health: Gives the state of the moment, without waiting; called in any thread.
            client_timeout_s: How long one client may take.

        Raises:
            UsageError: the address cannot be had, or it can be reached from other machines and there is no token.
        """
        token = _token(config)
        family, address = _resolve(config)
        if token is None and not _is_loopback(address[0]):
            raise UsageError(
                f"health.host: {config.host} can be reached from other machines, so clients must send a token: "
                "set health.token_file or health.token_env, or health.host to 127.0.0.1"
            )
        self._metrics = metrics
        self._health = health
        self._thread: threading.Thread | None = None
        self._closing = threading.Lock()
        self._closed = False
        try:
            self._server = BoundedServer(family, address, self._answer, token, client_timeout_s)
        except OSError as error:
            raise UsageError(_why_not_bound(config, error)) from error

    @property
    def address(self) -> str:
        """Beginning of the URLs, without a slash at the end: ``http://127.0.0.1:9464``. The port is the one that was bound, never 0."""
        host, port = self._server.server_address[:2]
        return f"http://[{host!s}]:{port}" if self._server.address_family == socket.AF_INET6 else f"http://{host!s}:{port}"

    def start(self) -> None:
        """Serve from now on."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_S,), name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and let the address go, within a second; whoever is being served is cut off. Idempotent, in every state."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            if self._thread is not None:
                self._server.shutdown()
                self._thread.join(_CLOSE_S)
            self._server.server_close()
            self._server.cut_all(_CLOSE_S)

    def _answer(self, path: str, accept: str) -> Answer:
        try:
            if path == "/metrics":
                body, content_type = self._metrics.render(accept)
                return Answer(HTTPStatus.OK, body, content_type)
            if path in _ENDPOINTS:
                return self._of_health(path)
        except Exception:  # noqa: BLE001 - a state that cannot be told is an answer too: the caller must not take silence for health
            _log.warning("%s could not be answered", path, exc_info=True)
            return json_answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "the state could not be told; the log says why"})
        return json_answer(HTTPStatus.NOT_FOUND, {"error": "there is no such page", "pages": _ENDPOINTS})

    def _of_health(self, path: str) -> Answer:
        health = self._health()
        if path == "/status":
            return json_answer(HTTPStatus.OK, status_of(health, self._metrics.recent()))
        wrong = obstacles(health) if path == "/readyz" else problems(health)
        document: dict[str, Any] = {"ready" if path == "/readyz" else "healthy": not wrong, "problems": wrong}
        document["degraded"] = degraded(health)
        if path == "/readyz":
            document["cameras"] = {
                camera.source_id: {"state": camera.state, "since_s": camera.since_s, "reason": camera.reason} for camera in health.cameras
            }
        return json_answer(HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK, document)


def status_of(health: Health, recent: Recent) -> dict[str, Any]:
    """Give everything that ``/status`` tells, as plain data: the fields of ``Health`` and ``Recent`` under their names.

    Beside them stand ``healthy`` and ``ready`` with what speaks against them in ``problems`` and ``obstacles``, what the program does
    without in ``degraded``, and ``waiting`` in every camera.
    """
    wrong, missing = problems(health), obstacles(health)
    document = {"healthy": not wrong, "problems": wrong, "degraded": degraded(health), "ready": not missing, "obstacles": missing}
    document |= dataclasses.asdict(health) | {"recent": dataclasses.asdict(recent)}
    document["cameras"] = [dataclasses.asdict(camera) | {"waiting": camera.waiting} for camera in health.cameras]
    return document


def _token(config: HealthConfig) -> str | None:
    if config.token_file is not None and config.token_env is not None:
        raise UsageError("health.token_env: give the token by token_file or by token_env, not by both")
    if config.token_file is not None:
        key, place = "health.token_file", str(config.token_file)
        try:
            text = config.token_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "is no text"
            raise UsageError(f"{key}: {place} cannot be read: {why}") from error
    elif config.token_env is not None:
        key, place = "health.token_env", config.token_env
        text = os.environ.get(config.token_env, "")
    else:
        return None
    token = (text.splitlines() or [""])[0].strip()
    if not token:
        raise UsageError(f"{key}: there is no token in {place}: put a long random one there, for example from openssl rand -hex 32")
    return token


def _resolve(config: HealthConfig) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"health.host: {config.host} is no address: {error}") from error
    family, _, _, _, address = found[0]
    return family, address


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


def _why_not_bound(config: HealthConfig, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"health.port: port {config.port} of {config.host} is in use, perhaps by another plate-streamer: "
            "choose another one, or 0 for any that is free"
        )
    if error.errno == errno.EACCES:
        return f"health.port: port {config.port} is not allowed for this user: choose one above 1023"
    return f"health.host: {config.host} cannot be bound: {error.strerror}"
