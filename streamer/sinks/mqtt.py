"""Events to an MQTT 5 broker, acknowledged by it (QoS 1); Home Assistant finds the cameras by itself.

Topics, below ``topic``: ``CAMERA/event`` has every event, with its id and revision as user properties; ``CAMERA/last`` the last plate,
retained; ``status`` says ``online`` or, by the broker itself when the connection is lost, ``offline``, retained. Discovery: see ``hass``.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Final

from streamer.config_sinks import MqttSinkConfig
from streamer.errors import MissingPackageError, RefusedError, SinkError
from streamer.outgoing import Outgoing
from streamer.sinks import hass
from streamer.sinks.secret import secret_of, tls_context

try:
    from paho.mqtt import client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
except ModuleNotFoundError as error:
    raise MissingPackageError("sinks of the type mqtt need paho-mqtt: pip install 'plate-streamer[mqtt]'") from error

KEEPALIVE_S: Final = 30
_REFUSALS: Final = frozenset({0x90, 0x95, 0x99})
"""Reason codes about the message itself: topic name invalid, packet too large, payload format invalid (MQTT 5, table 2-6)."""
_OVERHEAD: Final = 1024
"""Bytes of a packet beside topic and payload, at most: header, properties."""


class MqttSink:
    """An ``outgoing.EventSink``."""

    batch = 20
    """As many as paho has in flight at once."""

    def __init__(self, name: str, config: MqttSinkConfig, cameras: Sequence[str] = (), *, beside: bool = False) -> None:
        """Take name and section of the sink, and the cameras that there are.

        ``beside``: another one may be connected for the same sink, and it is that one which says whether the program runs.

        Raises UsageError: the password or the certificates cannot be had.
        """
        self._config = config
        self._port = config.port or (8883 if config.tls else 1883)
        self._beside = beside
        self._client_id = (config.client_id or f"plate-streamer-{name}") + ("-beside" if beside else "")
        self._password = secret_of(config, "password", name)
        self._tls = tls_context(name, ca_file=config.ca_file, verify=config.verify_tls) if config.tls else None
        if self._tls is not None:
            self._tls.sslsocket_class = _ClosedAtFailure
        self._cameras = dict.fromkeys(cameras)
        self._last_times: dict[str, str] = {}
        self._connection: _Connection | None = None

    @property
    def patience_s(self) -> float:
        """To connect, for TLS, for the broker's word, and for its acknowledgements."""
        return 4 * self._config.timeout_s

    def send(self, events: Sequence[Outgoing]) -> None:
        """Publish, and wait until the broker has all of it. Raises SinkError, RefusedError."""
        connection = self._connected()
        messages = [message for event in events for message in self._messages(event)]
        self._publish(connection, messages)
        for event in events:
            if _tells_a_plate(event.event):
                self._last_times[event.event["source"]] = event.event["best"]["time"]

    def tend(self) -> None:
        """Stay connected: the broker says ``offline`` of who is not. Raises SinkError."""
        self._connected()

    def close(self) -> None:
        """Say good-bye and let go. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SinkError):  # then the broker says it by itself, by our will
                if connection.is_alive and not self._beside:
                    connection.publish([_Message(self._topic("status"), "offline", retain=True)])
            connection.close()

    def _connected(self) -> _Connection:
        if self._connection is not None and self._connection.is_alive:
            return self._connection
        self._drop()
        connection = _Connection(self._client(), self._config.host, self._port, self._config.timeout_s)
        self._connection = connection
        if not self._beside:
            greeting = [_Message(self._topic("status"), "online", retain=True)]
            self._publish(connection, greeting + [message for camera in self._cameras for message in self._announcement(camera)])
        return connection

    def _client(self) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, self._client_id, protocol=mqtt.MQTTv5, reconnect_on_failure=False)
        client.connect_timeout = self._config.timeout_s
        if self._config.user is not None:
            client.username_pw_set(self._config.user, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
            client.tls_insecure_set(not self._config.verify_tls)
        if not self._beside:
            client.will_set(self._topic("status"), "offline", qos=1, retain=True)
        return client

    def _publish(self, connection: _Connection, messages: Sequence[_Message]) -> None:
        try:
            connection.publish(messages)
        except RefusedError:
            raise
        except SinkError:
            self._drop()
            raise

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _messages(self, event: Outgoing) -> list[_Message]:
        source = str(event.event["source"])
        key = (("event_id", event.event_id), ("revision", str(event.revision)))
        found = []
        if source not in self._cameras:
            self._cameras[source] = None
            found += self._announcement(source)
        found.append(_Message(self._topic(source, "event"), event.payload, properties=key))
        # A dead letter that is sent again must not take the place of a newer plate.
        if not self._beside and _tells_a_plate(event.event) and event.event["best"]["time"] >= self._last_times.get(source, ""):
            found.append(_Message(self._topic(source, "last"), json.dumps(hass.last_plate(event.event)), retain=True))
        return found

    def _announcement(self, camera: str) -> list[_Message]:
        if not self._config.discovery:
            return []
        topic, payload = hass.discovery(
            camera,
            prefix=self._config.discovery_prefix,
            base=self._config.topic,
            state_topic=self._topic(camera, "last"),
            status_topic=self._topic("status"),
            version=version("plate-streamer"),
        )
        return [_Message(topic, json.dumps(payload), retain=True)]

    def _topic(self, *levels: str) -> str:
        return "/".join([self._config.topic, *(hass.level(level) for level in levels)])


class _ClosedAtFailure(ssl.SSLSocket):
    """paho lets a socket lie whose handshake has failed."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class _Message:
    def __init__(self, topic: str, payload: str, *, retain: bool = False, properties: Sequence[tuple[str, str]] = ()) -> None:
        self.topic = topic
        self.payload = payload.encode("utf-8", "backslashreplace")
        self.retain = retain
        self.properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if properties:
            self.properties.UserProperty = list(properties)

    @property
    def size(self) -> int:
        return len(self.topic.encode()) + len(self.payload) + _OVERHEAD


class _Connection:
    """One connection to the broker, and paho's thread that keeps it."""

    def __init__(self, client: mqtt.Client, host: str, port: int, timeout_s: float) -> None:
        """Connect. Raises SinkError."""
        self._client = client
        self._broker = f"MQTT broker {host}:{port}"
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._greetings: list[Any] = []
        self._lost: str | None = None
        self._acknowledged: dict[int, Any] = {}
        self._largest: int | None = None
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        try:
            client.connect(host, port, keepalive=KEEPALIVE_S, clean_start=True)
        except (OSError, ValueError) as error:
            why = "cannot be reached in time" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or str(error)
            raise SinkError(f"{self._broker}: {why}") from error
        client.loop_start()
        self._await(lambda: bool(self._greetings), "does not greet in time")
        if self._greetings[0].is_failure:
            self.close()
            raise SinkError(f"{self._broker} refuses the connection: {self._greetings[0]}")

    @property
    def is_alive(self) -> bool:
        with self._changed:
            return self._lost is None

    def publish(self, messages: Sequence[_Message]) -> None:
        """Publish all and wait for the broker. Raises RefusedError: it will not take one of them; SinkError."""
        for message in messages:
            if self._largest is not None and message.size > self._largest:
                raise RefusedError(f"{self._broker} takes no more than {self._largest} bytes at once")
        with self._changed:
            self._acknowledged.clear()
        sent = [
            self._client.publish(message.topic, message.payload, qos=1, retain=message.retain, properties=message.properties).mid
            for message in messages
        ]
        self._await(lambda: all(mid in self._acknowledged for mid in sent), "does not acknowledge in time")
        for mid in sent:
            code = self._acknowledged[mid]
            if code.is_failure:
                said = f"{self._broker} refuses a message: {code}"
                raise RefusedError(said) if code.value in _REFUSALS else SinkError(said)

    def close(self) -> None:
        """End the connection and paho's thread."""
        self._client.disconnect()
        with self._changed:
            self._changed.wait_for(lambda: self._lost is not None, 1.0)
        connection = self._client.socket()
        if isinstance(connection, socket.socket):  # the broker hangs, and paho's thread would wait for it
            with suppress(OSError):  # it has ended in this moment
                connection.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def _await(self, condition: Callable[[], bool], complaint: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._lost is not None, self._timeout_s)
            if condition():
                return
            why = f"the connection was lost: {self._lost}" if self._lost is not None else complaint
        self.close()
        raise SinkError(f"{self._broker}: {why}")

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        with self._changed:
            self._greetings.append(reason)
            self._largest = getattr(properties, "MaximumPacketSize", None)
            self._changed.notify_all()

    def _on_disconnect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        with self._changed:
            self._lost = str(reason)
            self._changed.notify_all()

    def _on_publish(self, client: Any, data: Any, mid: int, reason: Any, properties: Any) -> None:
        with self._changed:
            self._acknowledged[mid] = reason
            self._changed.notify_all()


def _tells_a_plate(event: Mapping[str, Any]) -> bool:
    return event["plate"] is not None and event["state"] != "withdrawn"
