"""A camera's pictures as RTP packets for one client, with sender reports and the faults that happen to packets."""

from __future__ import annotations

import random
import time

from streamer.testcamera.camera import Camera
from streamer.testcamera.faults import State
from streamer.testcamera.rtp import CLOCK_HZ, HEADER_BYTES, MASK_32, bye, header, sender_report
from streamer.testcamera.transport import Transport

REPORT_INTERVAL_S = 1.0
"""Between sender reports. Cameras send one every one to five seconds."""

FUZZED_BYTES = 4
"""Bytes that are changed in a packet, at most."""


class RtpStream:
    """Packs and counts for one client. ``Stream`` for a sender."""

    def __init__(self, camera: Camera, transport: Transport) -> None:
        dice = random.SystemRandom()
        self.source = dice.getrandbits(32)
        self._first_sequence = dice.getrandbits(16)
        self._first_stamp = dice.getrandbits(32)
        self._camera = camera
        self._transport = transport
        self._dice = camera.new_random()
        self._stamp = self._first_stamp
        self._packets = self._octets = 0
        self._reported_at = float("-inf")

    def tell(self, number: int, faults: State) -> None:
        """Set the time stamp; send a sender report if it is time."""
        if not faults.stamps_frozen:
            self._stamp = (self._first_stamp + self._camera.timeline.stamp(number) + round(faults.jump_s * CLOCK_HZ)) & MASK_32
        now = time.monotonic()
        if not faults.reports or now - self._reported_at < REPORT_INTERVAL_S:
            return
        self._reported_at = now
        # The picture counts as taken when it was due, not when this thread came to it.
        exposed = time.time() - (now - self._camera.timeline.due(number)) + faults.clock_error_s
        self._transport.send([sender_report(self.source, exposed, self._stamp, self._packets, self._octets)], control=True)

    def send(self, index: int, faults: State) -> None:
        """Send a picture."""
        payloads = self._camera.clip.payloads[index]
        first, last = self._first_sequence + self._packets, len(payloads) - 1
        packets = [header(first + at, self._stamp, self.source, marker=at == last) + payload for at, payload in enumerate(payloads)]
        self._packets += len(packets)
        self._octets += sum(map(len, payloads))
        if faults.loss:
            packets = [packet for packet in packets if self._dice.random() >= faults.loss]
        if faults.garbage is not None or faults.fuzz:
            packets = [spoilt(packet, faults, self._dice) for packet in packets]
        self._transport.send(packets)

    def end(self) -> None:
        """Say BYE."""
        self._transport.send([bye(self.source)], control=True)

    def close(self) -> None:
        """Release the transport."""
        self._transport.close()


def spoilt(packet: bytes, faults: State, dice: random.Random, header_bytes: int = HEADER_BYTES) -> bytes:
    """Give a packet as garbage and fuzz leave it; its header stays, but for ``garbage`` of whole packets."""
    if faults.garbage is not None:
        kept = 0 if faults.garbage == "packets" else header_bytes
        return packet[:kept] + dice.randbytes(len(packet) - kept)
    if dice.random() >= faults.fuzz or len(packet) <= header_bytes:
        return packet
    changed = bytearray(packet)
    for _ in range(FUZZED_BYTES):
        changed[dice.randrange(header_bytes, len(changed))] = dice.randrange(256)
    return bytes(changed)
