"""What Home Assistant is told of a camera, by its MQTT discovery: a sensor whose state is the last plate (pure).

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery and https://www.home-assistant.io/integrations/sensor.mqtt/
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any


def discovery(camera: str, *, prefix: str, base: str, state_topic: str, status_topic: str, version: str) -> tuple[str, dict[str, Any]]:
    """Give topic and payload of a camera's announcement.

    Args:
        camera: its name.
        prefix: where Home Assistant looks for announcements: ``homeassistant``.
        base: beginning of our topics: tells two programs at one broker apart.
        state_topic: where ``last_plate`` is published.
        status_topic: where it is said whether the program runs.
        version: of this program.
    """
    name = f"{identifier(base)}_{identifier(camera)}"
    payload = {
        "name": "Last plate",
        "unique_id": f"{name}_last_plate",
        "state_topic": state_topic,
        "value_template": "{{ value_json.plate }}",
        "json_attributes_topic": state_topic,
        "availability_topic": status_topic,
        "icon": "mdi:car-back",
        "device": {"identifiers": [name], "name": camera, "manufacturer": "plate-streamer", "model": "Number-plate camera"},
        "origin": {"name": "plate-streamer", "sw_version": version},
    }
    return f"{prefix}/sensor/{name}/last_plate/config", payload


def last_plate(event: Mapping[str, Any]) -> dict[str, Any]:
    """Give the state of a camera's sensor and its attributes: what an automation may want to know of the last plate."""
    return {
        "plate": event["plate"],
        "score": event["score"],
        "country": event["country"],
        "camera": event["source"],
        "state": event["state"],
        "time": event["best"]["time"],
        "first": event["first"]["time"],
        "last": event["last"]["time"],
        "event_id": event["event_id"],
        "revision": event["revision"],
    }


def level(text: str) -> str:
    """Give a text as one level of a topic: without what separates levels or stands for them."""
    return re.sub(r"[+#/\x00-\x1f]", "_", text).lstrip("$") or "_"


def identifier(text: str) -> str:
    """Give a text as an identifier (letters, digits, ``_`` and ``-``); one that had to be changed tells itself apart by its hash."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", text)
    return plain if plain == text else f"{plain}_{hashlib.sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()[:6]}"
