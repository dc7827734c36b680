"""Network cameras: RTSP, MJPEG and HLS over HTTP, RTMP, SRT, MPEG-TS and RTP, as FFmpeg reads them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from logging import getLogger
from typing import TYPE_CHECKING, Final

from streamer.config import Camera
from streamer.errors import SourceError
from streamer.packetring import PacketRing
from streamer.ports import LivePicture, StreamFacts
from streamer.sources.credentials import Credentials, credentials_of, without_credentials
from streamer.sources.network_damage import Damage, hear, listen, stop_listening, tells_damage
from streamer.sources.network_doze import LONGEST_S, Doze, Sized
from streamer.sources.network_errors import source_error
from streamer.sources.network_facts import Seen
from streamer.sources.network_open import Accelerator, Opened, find_accelerator, open_stream
from streamer.sources.network_packets import Arrival, keep
from streamer.sources.network_patience import Patience
from streamer.sources.network_picture import Converter, exposed_at, luma_of

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_log = getLogger(__name__)

_LATE_S: Final = 0.01
"""A wait that ends when a picture is due must not end just before."""
_KEY_FRAMES_MISSED: Final = 3.0
"""With key frames only, so many usual intervals without a picture are a fault."""


class NetworkCamera:
    """A camera that is reached by URL (ports.LiveSource), one connection at a time.

    ``open`` returns within ``open_timeout_s`` and ``read`` within ``read_timeout_s`` (without a packet), or ``first_frame_timeout_s``
    (without a picture), each by some tenths of a second more, whatever the camera does; ``interrupt`` ends either in about 0.1 s, for
    good. See ``network_patience``. Packets before the first key frame are not decoded, pictures from damage to the next sound key frame
    are ``suspect``, see ``network_damage``. Texts of errors and logs hold no credentials.
    """

    def __init__(
        self, source_id: str, config: Camera, *, ring: PacketRing | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``ring`` is given all packets, decoded or not."""
        assert config.url is not None
        self._ring = ring or PacketRing()
        self._source_id = source_id
        self._config = config
        self._clock = clock
        self._address = without_credentials(config.url)
        self._patience = Patience()
        self._accelerator: Accelerator | None = None
        self._prepared = False
        self._convert: Converter | None = None
        self._opened: Opened | None = None
        self._packets: Iterator[Packet[VideoStream]] = iter(())
        self._pictures: deque[LivePicture] = deque()
        self._damage = Damage()
        self._seen = Seen()
        self._doze: Doze[Packet[VideoStream]] = Doze()
        self._shown_key = -1
        self._told_rare = False
        self._fruitless = False
        """The last packet that was to be decoded gave no picture."""
        self._waits_for_key = True
        self._picture_due = 0.0

    @property
    def facts(self) -> StreamFacts:
        """What is known about the stream so far; the counts are of this connection. Any thread."""
        opened = self._opened
        return self._seen.facts(self._address, None if opened is None else opened.decoder)

    def open(self) -> None:
        """Connect.

        Raises SourceError: refused, authentication, timeout, missing, unsupported, tls, unavailable, gone (interrupted, too), damaged.
        """
        self.close()
        if self._patience.interrupted:
            raise self._error(SourceError("gone", "interrupted"))
        self._prepare()
        credentials = Credentials(self._config.user)
        listen()
        try:
            credentials = credentials_of(self._config)
            opened = open_stream(self._config, credentials, self._patience, self._accelerator)
        except SourceError as error:
            stop_listening()
            raise self._error(error, credentials) from None
        except BaseException:
            stop_listening()
            raise
        self._opened = opened
        self._packets = opened.container.demux(opened.stream)
        self._damage = Damage()
        self._seen = Seen(opened.stream)
        self._waits_for_key = True
        self._doze = Doze(self._doze.wanted)
        self._shown_key = -1
        self._picture_due = self._clock() + self._config.first_frame_timeout_s

    def read(self) -> LivePicture | None:
        """Give the next picture; None when the camera ended the stream.

        Raises SourceError: timeout (no packet, or no first picture, in time), damaged (packets, but no pictures), gone (it broke off,
        was interrupted, or is not open) and what libav may find.
        """
        while not self._pictures:
            if self._opened is None or self._patience.interrupted:
                raise self._error(SourceError("gone", "interrupted" if self._patience.interrupted else "it is not open"))
            packet = self._next_packet(self._opened)
            if packet is None:
                return None
            self._pictures.extend(self._decoded(self._opened, packet))
            self._check_pictures_come()
        return self._pictures.popleft()

    def decode_key_frames_only(self, wanted: bool) -> None:
        """Decode key frames only, from the next one on, unless a packet tells of motion; or all again. In the reading thread.

        With the end of it, and with motion, what was put by since the last key frame is decoded too. See ``network_doze``.
        """
        self._doze.wanted = wanted
        interval_s = self._seen.key_frame_interval_s or 0.0
        if wanted and interval_s > LONGEST_S and not self._told_rare:
            self._told_rare = True
            what = "too rare to wait for, so all pictures are decoded; set the camera to one every second or two"
            _log.warning("%s: a key frame every %.1f s only: %s", self._source_id, interval_s, what)

    def interrupt(self) -> None:
        """Make a blocked ``open`` or ``read`` return in about 0.1 s; the next ones raise SourceError, also after ``close``."""
        self._patience.interrupt()

    def close(self) -> None:
        """Release everything. Idempotent; in the reading thread only."""
        self._packets = iter(())
        self._pictures.clear()
        self._ring.end()
        opened, self._opened = self._opened, None
        if opened is not None:
            try:
                opened.container.close()
            finally:
                stop_listening()

    def _prepare(self) -> None:
        """Do once what needs libav, and say once what people should know."""
        if self._prepared:
            return
        self._prepared = True
        self._convert = Converter()
        wanted = self._config.hwaccel
        self._accelerator = find_accelerator(wanted)
        if self._accelerator is None and wanted != "none":
            level = _log.info if wanted == "auto" else _log.warning
            level("%s: no hardware to decode with (hwaccel: %s), so the CPU does", self._source_id, wanted)
        if not self._config.verify_tls:
            _log.warning("%s: the camera's certificate is not checked (verify_tls: false)", self._source_id)

    def _next_packet(self, opened: Opened) -> Packet[VideoStream] | None:
        """Wait for the next packet; None at the end."""
        import av

        failure: av.error.FFmpegError | None = None
        packet: Packet[VideoStream] | None = None
        with hear() as messages, self._patience.limit(self._wait_s()):
            try:
                packet = next(self._packets, None)
            except IndexError:  # PyAV's way to end where a stream turned up that was not there when the camera was opened
                raise self._error(SourceError("gone", "the camera changed its streams")) from None
            except av.error.FFmpegError as error:
                failure = error
        if self._patience.interrupted:
            raise self._error(SourceError("gone", "interrupted"))
        if self._patience.ran_out:  # whatever came of it: libav hands out the packet that it still held
            self._check_pictures_come()
            raise self._error(SourceError("timeout", f"no packet for {self._config.read_timeout_s:g} s"))
        if failure is not None:
            raise self._error(source_error(failure, ran_out=False))
        if packet is None or (packet.size == 0 and packet.dts is None):  # PyAV's mark for the end
            return None
        if tells_damage(messages):
            self._damage.lost(self._seen.packets)
        return packet

    def _wait_s(self) -> float:
        """Give how long the next packet may take: a picture may be due before, the first, or one that what came did not make up."""
        wait_s = self._config.read_timeout_s
        if self._seen.size is None:
            return max(0.0, min(wait_s, self._picture_due - self._clock()))
        if self._doze.dozing or not self._fruitless:
            return wait_s
        return max(0.0, min(wait_s, self._picture_due - self._clock())) + _LATE_S

    def _decoded(self, opened: Opened, packet: Packet[VideoStream]) -> Iterator[LivePicture]:
        """Decode a packet, and what was put by before it; or put it by."""
        arrival = Arrival(self._seen.packets, self._clock(), datetime.now(UTC), exposed_at(packet))
        self._seen.take(packet)
        if packet.is_corrupt:
            self._damage.broken(arrival.number)
        if packet.is_keyframe:
            self._waits_for_key = False
        elif self._waits_for_key:
            return
        keep(self._ring, packet, opened.stream, arrival, stamped=opened.tick_s is not None)
        packet.opaque = arrival
        new = Sized(packet, packet.size, packet.is_keyframe, arrival.at)
        due = self._doze.take(new, self._seen.key_frame_interval_s)
        self._seen.packets_skipped = self._doze.dropped
        for one in due:
            origin = one.opaque
            assert isinstance(origin, Arrival)
            self._fruitless = True
            for frame in self._frames(opened, one, origin.number):
                self._fruitless = False
                if self._is_new(frame):
                    yield self._picture(opened, frame, origin)

    def _is_new(self, frame: VideoFrame) -> bool:
        """Say whether a picture was not given before: a key frame may be decoded twice, see ``Doze.flushed``."""
        if not frame.key_frame or not isinstance(frame.opaque, Arrival):
            return True
        shown, self._shown_key = self._shown_key, frame.opaque.number
        return shown != self._shown_key

    def _frames(self, opened: Opened, packet: Packet[VideoStream], number: int) -> list[VideoFrame]:
        import av

        context = opened.stream.codec_context
        frames: list[VideoFrame] = []
        with hear() as messages:
            try:
                frames = context.decode(packet)
                if self._doze.dozing and not frames:  # it waits for pictures to put in order, which will not come
                    frames = context.decode(None)
                    context.flush_buffers()
                    self._doze.flushed()
            except (av.error.FFmpegError, MemoryError):
                self._damage.broken(number)
        if tells_damage(messages):
            self._damage.broken(number)
        return frames

    def _picture(self, opened: Opened, frame: VideoFrame, last: Arrival) -> LivePicture:
        arrival = frame.opaque if isinstance(frame.opaque, Arrival) else last
        if frame.is_corrupt:
            self._damage.broken(arrival.number)
        assert self._convert is not None
        convert = self._convert
        self._seen.size = (frame.width, frame.height)
        self._picture_due = self._clock() + self._pictures_within_s()
        return LivePicture(
            stamp_s=None if frame.pts is None or opened.tick_s is None else frame.pts * opened.tick_s,
            arrived_at=arrival.at,
            arrived=arrival.utc,
            exposed=arrival.exposed,
            suspect=self._damage.suspect(arrival.number, key=frame.key_frame),
            size=(frame.width, frame.height),
            luma=lambda: luma_of(frame),
            convert=lambda: convert(frame),
            number=arrival.number,
        )

    def _pictures_within_s(self) -> float:
        """Give how long packets may come without a picture."""
        interval_s = self._seen.key_frame_interval_s or 0.0
        if self._doze.dozing:
            return self._config.first_frame_timeout_s + _KEY_FRAMES_MISSED * interval_s
        # Noise is a stall in disguise; but after a loss, some decoders give nothing up to the next key frame.
        return max(self._config.read_timeout_s, interval_s)

    def _check_pictures_come(self) -> None:
        if self._clock() < self._picture_due or self._pictures:
            return
        if self._seen.size is not None and not (self._fruitless or self._doze.dozing):
            return  # all that came made a picture: nothing is wrong with it, there is only no more
        if self._seen.size is None:
            within_s = self._config.first_frame_timeout_s
            came = f"{self._seen.packets} packets came" if self._seen.packets else "nothing came"
            raise self._error(SourceError("timeout", f"no picture within {within_s:g} s of connecting; {came}"))
        raise self._error(SourceError("damaged", "packets come, but none can be decoded any more"))

    def _error(self, error: SourceError, credentials: Credentials | None = None) -> SourceError:
        text = f"{self._address}: {error}"
        return SourceError(error.reason, without_credentials(text) if credentials is None else credentials.scrub(text))
