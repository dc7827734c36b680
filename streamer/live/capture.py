"""The thread of one live camera: connect, read, stamp, offer; and after every fault, wait and connect again, for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from logging import getLogger
from typing import Protocol

from streamer.config import Camera
from streamer.errors import SourceError, SourceReason
from streamer.live.backoff import Backoff
from streamer.live.clock import LiveClock, Moment
from streamer.live.framing import Framing
from streamer.live.motion import FrozenPicture
from streamer.live.pace import Pace
from streamer.live.stats import CameraStats
from streamer.live.view import ViewWatch, sharpness
from streamer.mailbox import Mailbox
from streamer.packetring import PacketRing, PlacedFrame
from streamer.ports import LivePicture, LiveSource, Luma
from streamer.types import Image, RawFrame, SessionEnd

_log = getLogger(__name__)

LOOK_EVERY_S = 1.0
"""Between two looks at brightness, and at whether the picture stands still."""

FOCUS_EVERY_S = 60.0
"""Between two looks at the focus of a whole picture, which takes some milliseconds."""


NEW_SIZE_S = 0.5
"""A camera whose sound pictures are of another size for so long has changed it."""


class Gate(Protocol):
    """Says whether anything moves."""

    def moves(self, luma: Luma, t: float) -> bool:
        """Take a small grey view, uint8 (h, w), and its time, seconds."""


class LiveCapture:
    """Reads one camera in its own thread and offers its frames to the mailbox, until it is stopped.

    Every fault ends the session and the next attempt begins a new one, with a new number; a jump of the camera's time stamps does, too,
    over the same connection. A fault of the program is logged, counted and treated like one of the camera: no thread dies of it.
    """

    def __init__(
        self,
        source: LiveSource,
        config: Camera,
        mailbox: Mailbox[RawFrame],
        stats: CameraStats,
        *,
        first_session: int = 1,
        make_gate: Callable[[], Gate] | None = None,
        backoff: Backoff | None = None,
        ring: PacketRing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take built parts; without ``make_gate`` everything counts as moving. ``stats`` knows the camera's name.

        ``ring``: holds the source's packets, and is told which frames they became.
        """
        self.stats = stats
        self.pace = Pace(config.process_fps, config.idle_interval_s)
        self._name = stats.source_id
        self._source = source
        self._config = config
        self._mailbox = mailbox
        self._make_gate = make_gate
        self._framing = Framing(config.rotate, config.region, config.privacy_masks)
        self._view = ViewWatch()
        self._backoff = backoff or Backoff(config.backoff_min_s, config.backoff_max_s, config.auth_backoff_s)
        self._ring = ring
        self._clock = clock
        self._session = first_session - 1
        self._stop = threading.Event()
        self._told: SourceReason | None = None
        self._size: tuple[int, int] | None = None
        """Of this camera's pictures, over all its sessions."""
        self._thread = threading.Thread(target=self._run, name=f"camera {self._name}", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end: it does within the camera's open time-out. Any thread, any state, any number of times."""
        self._stop.set()
        self._source.interrupt()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread; False if it is still alive."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._session += 1
            self.stats.enter("connecting", self._session)
            began = self._clock()
            error = self._connection()
            if self._stop.is_set():
                break
            lived_s = self._clock() - began if self.stats.snapshot().state == "live" else 0.0
            wait_s = self._backoff.next(error.reason, healthy_s=lived_s)
            self.stats.fault(error.reason, str(error))
            self.stats.enter("backoff")
            self._tell(error, wait_s)
            self._stop.wait(wait_s)
        self.stats.enter("stopped")

    def _connection(self) -> SourceError:
        """Read one connection to its end; gives why it ended."""
        try:
            self._source.open()
            return self._read()
        except SourceError as error:
            return error
        except Exception as error:  # noqa: BLE001 (no bug and no library may end the thread of a camera: it is told, and it goes on)
            _log.exception("camera %s: a fault of the program; connecting again", self._name, extra={"camera": self._name})
            return SourceError("damaged", f"a fault of the program: {type(error).__name__}")
        finally:
            self._close()
            self._mailbox.put(SessionEnd(self._name, self._session))

    def _close(self) -> None:
        try:
            self._source.close()
            self.stats.describe(self._source.facts)
        except Exception:  # noqa: BLE001 (told; the end of the session must be offered all the same)
            _log.exception("camera %s: a fault of the program in closing", self._name, extra={"camera": self._name})

    def _read(self) -> SourceError:
        reading = _Reading(self._config, self._make_gate, self._framing)
        while not self._stop.is_set():
            picture = self._source.read()
            if picture is None:
                return SourceError("gone", "the camera ended the stream")
            self.stats.offer(suspect=picture.suspect)
            moment = reading.clock.place(picture.stamp_s, picture.arrived_at, picture.arrived, picture.exposed)
            if reading.index == 0:
                self._now_live()
            elif moment.new_session:
                self._next_session(reading, moment.why)
            try:
                frozen = self._frozen(reading, picture)
                if frozen is None and not self._offer(reading, picture, moment):
                    break
            except BaseException:
                self.stats.drop("failed")
                raise
            if frozen is not None:
                self.stats.drop("stopped")
                return frozen
        return SourceError("gone", "stopped")

    def _frozen(self, reading: _Reading, picture: LivePicture) -> SourceError | None:
        """Look at the picture; gives the fault if it or its time stamps stand still."""
        if reading.clock.frozen_s > self._config.read_timeout_s:
            return SourceError("frozen", f"time stamps stand still for {reading.clock.frozen_s:.0f} s")
        self._look(reading, picture)
        return SourceError("frozen", f"the very same picture for {self._config.frozen_after_s:g} s") if reading.frozen else None

    def _offer(self, reading: _Reading, picture: LivePicture, moment: Moment) -> bool:
        """Offer the frame, if it is its turn; False if nobody takes frames any more."""
        index = reading.index
        reading.index += 1
        if self._ring is not None and picture.number is not None:
            size = None if picture.suspect else picture.size
            by_stamps = reading.clock.fallback is None and picture.stamp_s is not None
            self._ring.place(PlacedFrame(picture.number, self._session, index, moment.t, moment.wall, size, by_stamps))
        if not self._believes_size(reading, picture):
            self.stats.drop("damaged")
            return True
        cause = self.pace.leave_out(picture.arrived_at, lambda: reading.moves(picture))
        if self._config.decode == "key_frames_while_idle":
            self._source.decode_key_frames_only(self.pace.idle)
        if cause is not None:
            self.stats.drop(cause)
            self._look_closely(reading, picture)
            return True
        convert = partial(_framed, self._framing, picture)
        frame = RawFrame(
            self._name,
            self._session,
            index,
            moment.t,
            picture.arrived_at,
            moment.wall,
            moment.clock,
            picture.suspect,
            moment.offset_s,
            convert,
        )
        if self._mailbox.put(frame):
            return True
        self.stats.drop("stopped")
        return False

    def _believes_size(self, reading: _Reading, picture: LivePicture) -> bool:
        """Say whether a picture is of the camera's usual size, or of another for so long that this must be its size now.

        Noise passes for pictures of any size, sound ones, too. A network is made ready for each size, which takes a second in which all
        cameras wait.
        """
        if self._size is None or picture.size == self._size:
            self._size = self._size if picture.suspect else picture.size
            reading.new_size = None
            return True
        if picture.suspect:
            return False
        if reading.new_size != picture.size:
            reading.new_size, reading.new_since = picture.size, picture.arrived_at
        if picture.arrived_at - reading.new_since < NEW_SIZE_S:
            return False
        self._size = picture.size
        return True

    def _look(self, reading: _Reading, picture: LivePicture) -> None:
        """Once a second: how does the picture look, and does it change at all?"""
        if picture.arrived_at < reading.next_look:
            return
        reading.next_look = picture.arrived_at + LOOK_EVERY_S
        luma = reading.luma(picture)
        reading.frozen = reading.still is not None and reading.still.stands(luma, picture.arrived_at)
        seen = self._view.look(
            luma,
            picture.arrived_at,
            plate_age_s=self.stats.snapshot().plate_age_s,
            moving=not self.pace.idle,
            whole_sharpness=reading.sharpness,
        )
        reading.sharpness = None
        self.stats.see(seen.brightness, seen.sharpness, seen.blind)
        if seen.changed:
            if seen.blind is None:
                _log.info("camera %s: sees again", self._name, extra={"camera": self._name})
            else:
                _log.warning("camera %s: blind (%s)", self._name, seen.blind, extra={"camera": self._name})
        self.stats.describe(self._source.facts)
        self.stats.tell_time(reading.clock.source, reading.clock.offset_s)
        if reading.clock.fallback != reading.told_fallback:
            reading.told_fallback = reading.clock.fallback
            why = reading.clock.fallback
            _log.warning("camera %s: %s; its frames are timed by their arrival", self._name, why, extra={"camera": self._name})

    def _look_closely(self, reading: _Reading, picture: LivePicture) -> None:
        """Once in a while: how sharp is a whole picture? Only of one that nobody else converts."""
        if picture.arrived_at < reading.next_focus or picture.suspect:
            return
        reading.next_focus = picture.arrived_at + FOCUS_EVERY_S
        reading.sharpness = sharpness(_framed(self._framing, picture))

    def _next_session(self, reading: _Reading, why: str | None) -> None:
        """Time has jumped: what comes now shares no clock with what came before."""
        self._mailbox.put(SessionEnd(self._name, self._session))
        self._session += 1
        self.stats.enter("live", self._session)
        reading.index = 0
        _log.warning("camera %s: %s; a new session begins", self._name, why, extra={"camera": self._name})

    def _now_live(self) -> None:
        if self.stats.snapshot().state == "live":
            return
        self.stats.enter("live")
        self._told = None
        facts = self._source.facts
        size = f"{facts.width}x{facts.height}" if facts.width else "unknown size"
        _log.info("camera %s: live (%s %s, %s)", self._name, facts.codec, size, facts.decoder, extra={"camera": self._name})

    def _tell(self, error: SourceError, wait_s: float) -> None:
        """Log what changed, not every attempt."""
        level = _log.debug if error.reason == self._told else _log.warning
        self._told = error.reason
        level("camera %s: %s: %s; next attempt in %.1f s", self._name, error.reason, error, wait_s, extra={"camera": self._name})


class _Reading:
    """What is remembered within one connection."""

    def __init__(self, config: Camera, make_gate: Callable[[], Gate] | None, framing: Framing) -> None:
        self.clock = LiveClock(config.max_clock_skew_s)
        self.index = 0
        self.new_size: tuple[int, int] | None = None
        """Of the last sound picture, where it is not the usual one."""
        self.new_since = 0.0
        self.next_look = 0.0
        self.next_focus = 0.0
        self.sharpness: float | None = None
        """Of a whole picture, since the last look."""
        self.told_fallback: str | None = None
        self.frozen = False
        self.still = FrozenPicture(config.frozen_after_s) if config.frozen_after_s > 0 else None
        self._gate = make_gate() if make_gate is not None else None
        self._framing = framing

    def luma(self, picture: LivePicture) -> Luma:
        return self._framing.apply_luma(picture.luma())

    def moves(self, picture: LivePicture) -> bool:
        return self._gate is None or self._gate.moves(self.luma(picture), picture.arrived_at)


def _framed(framing: Framing, picture: LivePicture) -> Image:
    return framing.apply(picture.convert())
