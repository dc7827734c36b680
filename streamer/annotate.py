"""The annotated video: every analysed frame with its plates, what they read so far and their track numbers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streamer.pipeline import TrackedPlate
from streamer.types import Frame, Image

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

TIME_BASE = Fraction(1, 90_000)
"""The clock of MPEG streams: fine enough for any frame rate, so that a variable one is kept."""


class AnnotatedVideo:
    """An observer of the pipeline that writes one H.264 file per session of a source, with the frames' own times."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key: tuple[str, int] | None = None
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self.paths: list[Path] = []
        """The files written so far."""

    def __call__(self, frame: Frame, plates: Sequence[TrackedPlate]) -> None:
        """Draw the plates into a copy of the frame and append it."""
        import av

        if self._key != (frame.source_id, frame.session) or self._stream is None:
            self._start(frame)
        assert self._stream is not None
        assert self._container is not None
        picture = draw(frame, plates)[: self._stream.height, : self._stream.width]
        video_frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
        video_frame.pts, video_frame.time_base = round(frame.t / TIME_BASE), TIME_BASE
        self._container.mux(self._stream.encode(video_frame))

    def close(self) -> None:
        """Finish the file that is being written. Idempotent."""
        if self._container is not None and self._stream is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        self._container = self._stream = self._key = None

    def _start(self, frame: Frame) -> None:
        import av

        self.close()
        name = frame.source_id if frame.session == 0 else f"{frame.source_id}-{frame.session}"
        path = self._directory / f"{name}.annotated.mp4"
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))  # plates are personal data: tight before the first byte
        container = av.open(str(path), "w")
        stream = container.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "23"})
        height, width = frame.image.shape[:2]
        stream.width, stream.height = width - width % 2, height - height % 2  # 4:2:0 needs even sides
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        self._key, self._container, self._stream = (frame.source_id, frame.session), container, stream
        self.paths.append(path)


def draw(frame: Frame, plates: Sequence[TrackedPlate]) -> Image:
    """Give a copy of the frame, uint8 (h, w, 3) BGR, with boxes, texts and track numbers."""
    import supervision as sv

    image = frame.image.copy()
    if not plates:
        return image
    detections = sv.Detections(
        xyxy=np.array([[plate.box.x1, plate.box.y1, plate.box.x2, plate.box.y2] for plate in plates], np.float32),
        confidence=np.array([plate.score for plate in plates], np.float32),
        tracker_id=np.array([plate.track for plate in plates], int),
    )
    labels = [f"{plate.track}: {plate.text or '...'}" for plate in plates]
    scale = max(0.5, image.shape[0] / 1200)
    lookup = sv.ColorLookup.TRACK
    image = sv.BoxAnnotator(thickness=max(2, image.shape[0] // 360), color_lookup=lookup).annotate(image, detections)
    annotator = sv.LabelAnnotator(text_scale=scale, text_thickness=max(1, round(2 * scale)), color_lookup=lookup)
    drawn: Image = annotator.annotate(image, detections, labels)
    return drawn
