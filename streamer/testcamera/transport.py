"""The two ways of RTP packets to a client: inside the RTSP connection, or by UDP."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from typing import Protocol

from streamer.testcamera.wire import Wire

_UDP_BURST = 16
"""Packets sent in one go; more at once overflow a client's buffer (Linux: about 90 packets by default)."""

_UDP_GAP_S = 0.001


class Transport(Protocol):
    """Sends packets to one client, in one thread."""

    def send(self, packets: Sequence[bytes], *, control: bool = False) -> None:
        """Send RTP packets or, ``control``, RTCP packets. Raises OSError when the client is gone."""

    def close(self) -> None:
        """Release sockets of its own."""


class Interleaved:
    """Packets inside the RTSP connection (RFC 2326 section 10.12): one call per picture."""

    def __init__(self, wire: Wire, channel: int) -> None:
        self._wire = wire
        self._channel = channel

    def send(self, packets: Sequence[bytes], *, control: bool = False) -> None:
        """Send packets."""
        channel = self._channel + control
        self._wire.send(b"".join(part for packet in packets for part in (struct.pack(">BBH", 36, channel, len(packet)), packet)))

    def close(self) -> None:
        """Nothing: the connection belongs to its reader."""


class Datagrams:
    """Packets by UDP unicast, from two ports of our own to two of the client's."""

    def __init__(self, wire: Wire, client_ports: tuple[int, int]) -> None:
        self._sockets = [socket.socket(wire.family, socket.SOCK_DGRAM) for _ in range(2)]
        for own in self._sockets:
            own.bind((wire.here[0], 0))
        self._addresses = [(wire.there[0], port) for port in client_ports]

    @property
    def ports(self) -> tuple[int, int]:
        """Our ports: RTP, RTCP."""
        return self._sockets[0].getsockname()[1], self._sockets[1].getsockname()[1]

    def send(self, packets: Sequence[bytes], *, control: bool = False) -> None:
        """Send packets."""
        own, address = self._sockets[control], self._addresses[control]
        for start in range(0, len(packets), _UDP_BURST):
            if start:
                time.sleep(_UDP_GAP_S)
            for packet in packets[start : start + _UDP_BURST]:
                own.sendto(packet, address)

    def close(self) -> None:
        """Release the sockets."""
        for own in self._sockets:
            own.close()
