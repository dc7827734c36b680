"""The thread that sends a camera's pictures to one client, each when it is due."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from streamer.testcamera.camera import Camera
from streamer.testcamera.faults import State
from streamer.testcamera.rtp import CLOCK_HZ, MASK_32, bye, header, sender_report
from streamer.testcamera.transport import Transport

logger = logging.getLogger(__name__)

LATE_S = 0.5
"""A client that is further behind gets no backlog: what is overdue is skipped, up to the next key picture."""

REPORT_INTERVAL_S = 1.0
"""Between sender reports. Cameras send one every one to five seconds."""

_FUZZED_BYTES = 4


class Sender:
    """Sends to one client until it is stopped, the client is gone or the clip is over.

    Losing a client is not an error: the next one gets a sender of its own.
    """

    def __init__(self, camera: Camera, transport: Transport, on_end: Callable[[], None]) -> None:
        """Prepare; ``on_end`` is called, in the sender's thread, when the clip is over or the client is gone."""
        dice = random.SystemRandom()
        self.source = dice.getrandbits(32)
        self.first_sequence = dice.getrandbits(16)
        self.first_stamp = dice.getrandbits(32)
        self._camera = camera
        self._transport = transport
        self._on_end = on_end
        self._dice = camera.new_random()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"test camera {camera.name} sender", daemon=True)
        self._byes = camera.faults.state.byes
        self._needs_key = True
        self._shown: int | None = None  # the key picture that a frozen camera repeats
        self._packets = self._octets = 0
        self._stamp = 0
        self._reported_at = float("-inf")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait for the thread; the connection has to be ended before, or the thread may be waiting for the client."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._transport.close()

    def _run(self) -> None:
        self._camera.note_client(1)
        try:
            self._send_all()
        except OSError as error:
            logger.debug("the client of %s is gone: %s", self._camera.name, error)
        finally:
            self._camera.note_client(-1)
        if not self._stop.is_set():
            self._on_end()

    def _send_all(self) -> None:
        timeline = self._camera.timeline
        timeline.start()
        number = timeline.next_number(time.monotonic() - 0.01)  # the first client of all is to see picture 0
        while not timeline.is_over(number):
            late = time.monotonic() - timeline.due(number)
            if late < 0:
                if self._stop.wait(min(-late, 0.25)):  # the rate may change meanwhile
                    return
                continue
            if late > LATE_S:
                next_number = timeline.next_number(time.monotonic())
                self._camera.note_skipped(next_number - number)
                number, self._needs_key = next_number, True
                continue
            if not self._turn(number) or self._stop.is_set():
                return
            number += 1
        self._transport.send([bye(self.source)], control=True)

    def _turn(self, number: int) -> bool:
        """Send a picture, or what the faults make of it; False at the end."""
        faults = self._camera.faults.state
        if faults.byes > self._byes:
            self._transport.send([bye(self.source)], control=True)
            self._stop.wait()
            return False
        if faults.stalled:
            self._needs_key = True
            return True
        if not faults.stamps_frozen:
            self._stamp = (self.first_stamp + self._camera.timeline.stamp(number) + round(faults.jump_s * CLOCK_HZ)) & MASK_32
        self._report(number, faults)
        index = self._choose(number % len(self._camera.clip), faults)
        if index is not None:
            at = time.monotonic()
            self._transport.send(self._packed(index, faults))
            self._camera.note_sent(number, at)
        return True

    def _choose(self, index: int, faults: State) -> int | None:
        """Give which picture of the clip goes out; None: none."""
        key = self._camera.clip.units[index].key
        if faults.no_video:
            self._needs_key = True
            return None
        if key and not faults.frozen:
            self._needs_key, self._shown = False, index
        elif faults.frozen:
            self._needs_key = True  # the pictures after it build upon others than the one that is repeated
            self._shown = self._shown if self._shown is not None else self._last_key(index)
            return self._shown
        return None if self._needs_key else index

    def _last_key(self, index: int) -> int:
        units = self._camera.clip.units
        return next(at for at in range(index, -1, -1) if units[at].key)

    def _report(self, number: int, faults: State) -> None:
        """Tell the camera's clock, with the time at which this picture was due as the time of its exposure."""
        now = time.monotonic()
        if not faults.reports or now - self._reported_at < REPORT_INTERVAL_S:
            return
        self._reported_at = now
        exposed = time.time() - (now - self._camera.timeline.due(number)) + faults.clock_error_s
        self._transport.send([sender_report(self.source, exposed, self._stamp, self._packets, self._octets)], control=True)

    def _packed(self, index: int, faults: State) -> list[bytes]:
        payloads = self._camera.clip.payloads[index]
        first = self.first_sequence + self._packets
        last = len(payloads) - 1
        packets = [
            header(first + place, self._stamp, self.source, marker=place == last) + payload for place, payload in enumerate(payloads)
        ]
        self._packets += len(packets)
        self._octets += sum(map(len, payloads))
        return [self._spoilt(packet, faults) for packet in packets if not faults.loss or self._dice.random() >= faults.loss]

    def _spoilt(self, packet: bytes, faults: State) -> bytes:
        if faults.garbage is not None:
            return (
                self._dice.randbytes(len(packet)) if faults.garbage == "packets" else packet[:12] + self._dice.randbytes(len(packet) - 12)
            )
        if not faults.fuzz or self._dice.random() >= faults.fuzz:
            return packet
        changed = bytearray(packet)
        for _ in range(_FUZZED_BYTES):
            changed[self._dice.randrange(12, len(changed))] = self._dice.randrange(256)
        return bytes(changed)
