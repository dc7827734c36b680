"""Recorded video: any container and codec that FFmpeg reads, every picture that can be decoded, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from streamer.errors import SourceError
from streamer.ports import Picture
from streamer.sources.container import describe, open_video
from streamer.sources.orientation import UPRIGHT, Turn, turn_of
from streamer.sources.timeline import Timeline
from streamer.types import Clock, Image

if TYPE_CHECKING:
    from av.buffer import Buffer
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

_log = getLogger(__name__)

_USUAL_FPS = 25.0
_READ_ERRORS_IN_A_ROW = 100
"""So many damaged packets without a good one between them end a file: nothing more is found there."""
SYNC_S = 10.0
"""If the pictures begin further from the container's start than this, the two do not share a clock."""
_TOLERATED_LOSS_S = 1.0
"""Containers round their durations, and sound may run on a little longer than the pictures."""


class RecordedFile:
    """A video file as a source (ports.RecordedSource): no picture is left out, damage is survived, counted and reported.

    ``start`` (aware) is the time of the first picture. Used by one thread, except ``interrupt``.
    """

    def __init__(self, path: Path, *, start: datetime, clock: Clock) -> None:
        self.name = str(path)
        self.duration_s: float | None = None
        """What the container promises; known after ``open``."""
        self.frame_count: int | None = None
        """An estimate where the container does not count; known after ``open``."""
        self.frames = 0
        """Pictures given so far."""
        self.damaged = 0
        """Packets so far that could not be read or decoded."""
        self.missing_s = 0.0
        """After the end: how much less came than the container promised, if that is more than a second."""
        self._path = path
        self._start = start
        self._clock = clock
        self._interrupted = False
        self._container: InputContainer | None = None
        self._decoded: Iterator[VideoFrame] = iter(())
        self._timeline = Timeline(1.0 / _USUAL_FPS)
        self._time_base_s = 0.0
        self._origin_s: float | None = None
        self._span_s = (0.0, 0.0)
        self._turns: dict[int, Turn] = {}
        self._reformatter: VideoReformatter | None = None

    def open(self) -> None:
        """Open the file. Raises SourceError: missing, permission, empty, damaged, unsupported."""
        from av.video.reformatter import VideoReformatter

        container, stream = open_video(self._path)
        self._container = container
        stream.thread_type = "AUTO"
        look = describe(container, stream)
        self.duration_s, self.frame_count = look.duration_s, look.frame_count
        # Not each frame's own: PyAV sets none on those that the decoder gives at the end.
        self._time_base_s = float(stream.time_base or 0)
        rate = stream.average_rate or stream.guessed_rate
        self._timeline = Timeline(1.0 / float(rate) if rate else 1.0 / _USUAL_FPS)
        self._origin_s = None if container.start_time is None else container.start_time / 1e6
        self._reformatter = VideoReformatter()
        self._decoded = self._decode(container, stream)

    def read(self) -> Picture | None:
        """Give the next picture, None at the end or after ``interrupt``. Raises SourceError (damaged) if the file held none at all."""
        frame = None if self._interrupted else next(self._decoded, None)
        if frame is None:
            if not self._interrupted:
                self._conclude()
            return None
        t = self._timeline.place(self._stamp_s(frame))
        self.frames += 1
        self._span_s = (t if self.frames == 1 else self._span_s[0], t + frame.duration * self._time_base_s)
        return Picture(t, self._start + timedelta(seconds=t), self._clock, lambda: self._convert(frame))

    def interrupt(self) -> None:
        """Make the next ``read`` return None. Reads of files do not block for long."""
        self._interrupted = True

    def close(self) -> None:
        """Release everything."""
        self._decoded = iter(())
        if self._container is not None:
            self._container.close()
            self._container = None

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """Give every picture that can be decoded; a damaged packet costs what depends on it, not what comes after it."""
        import av

        for packet in chain(self._packets(container, stream), [None]):  # None: give what the decoder still holds
            try:
                yield from stream.decode(packet)
            except av.error.EOFError:  # it holds nothing
                return
            except (av.error.FFmpegError, MemoryError) as error:
                self._count_damage(error)

    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream]]:
        """Give the packets to the end of the file, without the last one if it was cut short.

        A cut packet gives half a picture at best, and its error would end the flush of the decoder, which then loses the good
        pictures that it still holds. Damage anywhere else does no such harm.
        """
        import av

        errors_in_a_row = 0
        cut: Packet[VideoStream] | None = None
        packets = container.demux(stream)
        while errors_in_a_row < _READ_ERRORS_IN_A_ROW:
            try:
                packet = next(packets, None)
            except IndexError:  # PyAV's way to end where a stream turned up that was not there when the file was opened
                return
            except (av.error.FFmpegError, MemoryError) as error:
                errors_in_a_row += 1
                self._count_damage(error)
                packets = container.demux(stream)  # an exception has ended the old iterator, not the file
                continue
            if packet is None or (packet.size == 0 and packet.dts is None):  # PyAV's mark for the end
                return
            errors_in_a_row = 0
            if cut is not None:
                yield cut
            cut = packet if packet.is_corrupt else None
            if cut is None:
                yield packet
            else:
                self._count_damage(None)

    def _count_damage(self, error: Exception | None) -> None:
        self.damaged += 1
        level = _log.warning if self.damaged == 1 else _log.debug
        level("%s: damaged after %d pictures (%s); going on", self._path, self.frames, error or "a packet is cut short")

    def _stamp_s(self, frame: VideoFrame) -> float | None:
        if frame.pts is None:
            return None
        stamp_s = frame.pts * self._time_base_s
        if self._origin_s is None or (self.frames == 0 and abs(stamp_s - self._origin_s) > SYNC_S):
            self._origin_s = stamp_s
        return round(stamp_s - self._origin_s, 6)

    def _convert(self, frame: VideoFrame) -> Image:
        """Give BGR, upright, read-only.

        swscale knows the range and the matrix of every frame and, with its context kept, takes half the time of
        ``cv2.cvtColor`` on I420, which knows neither.
        """
        import av

        assert self._reformatter is not None
        try:
            bgr = self._reformatter.reformat(frame, format="bgr24", threads=1).to_ndarray()
        except (av.error.FFmpegError, MemoryError, ValueError) as error:
            size = f"{frame.width}x{frame.height} {frame.format.name}"
            raise SourceError("unsupported", f"{self._path}: pictures of {size} cannot be converted ({error})") from error
        image: Image = self._turn(frame).apply(np.ascontiguousarray(bgr, dtype=np.uint8))
        image.flags.writeable = False
        return image

    def _turn(self, frame: VideoFrame) -> Turn:
        # Looking at side_data ties the frame into a reference cycle, so that its memory waits for the garbage collector:
        # one look per angle is enough, and the angle itself costs nothing.
        angle = frame.rotation
        if angle not in self._turns:
            side_data = cast("Mapping[str, Buffer]", frame.side_data)  # PyAV's own annotation knows two keys only
            matrix = side_data.get("DISPLAYMATRIX")
            self._turns[angle] = UPRIGHT if matrix is None else turn_of(bytes(matrix))
        return self._turns[angle]

    def _conclude(self) -> None:
        """Compare what came with what was promised, once."""
        if self._container is None:
            return
        self.close()
        if not self.frames:
            raise SourceError("damaged", f"{self._path}: no picture could be decoded; the file is damaged or its codec is not supported")
        if self.duration_s is not None:
            missing_s = self.duration_s - (self._span_s[1] - self._span_s[0])
            self.missing_s = missing_s if missing_s > _TOLERATED_LOSS_S else 0.0
        stamps = self._timeline
        if stamps.missing or stamps.repeated or stamps.jumps:
            counts = (stamps.missing, stamps.repeated, stamps.jumps)
            _log.warning("%s: time stamps put right: %d missing, %d repeated or out of order, %d jumps", self._path, *counts)
