"""Packets into a file, as they are: MP4, or Matroska where the codec asks for it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from streamer.clips.choice import Chosen
from streamer.errors import SourceError
from streamer.types import ClipFacts, EncodedPicture

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_HZ: Final = 90_000
"""Ticks of RTP's video clock: stamps of cameras come out exact."""
_MP4: Final = {"h264", "hevc", "av1", "mpeg4"}
"""What browsers and players expect in MP4; the rest, MJPEG above all, they know from Matroska only."""
_PARAMETERS_IN_STREAM: Final = {"h264", "hevc"}
_START_CODE: Final = b"\x00\x00\x01"
_USUAL_S: Final = 0.04
"""How long a frame is shown where there is only one."""


def clip_of(chosen: Chosen) -> EncodedPicture:
    """Put the packets into a file. Raises SourceError (unsupported) if FFmpeg cannot."""
    import av

    shown = _ticks(chosen.seconds)
    lengths = _lengths(shown)
    suffix = ".mp4" if chosen.codec in _MP4 else ".mkv"
    content = io.BytesIO()
    try:
        with _template(chosen) as source, av.open(content, "w", format="mp4" if suffix == ".mp4" else "matroska") as container:
            template = source.streams.video[0]
            size = (template.width, template.height)
            stream = container.add_stream_from_template(template, opaque=True)
            if chosen.codec == "hevc":
                stream.codec_tag = "hvc1"  # Apple's players take no other
            for packet, pts, dts in zip(chosen.packets, shown, _decoding_times(shown), strict=True):
                copy = av.Packet(packet.data)
                copy.stream = stream
                copy.pts, copy.dts, copy.time_base, copy.duration = pts, dts, Fraction(1, _HZ), lengths[pts]
                copy.is_keyframe = packet.key
                container.mux_one(copy)
    except (av.error.FFmpegError, MemoryError, OSError, ValueError, IndexError) as error:
        raise SourceError("unsupported", f"{len(chosen.packets)} packets of {chosen.codec} cannot be put into a file ({error})") from error
    return EncodedPicture("clip", content.getvalue(), suffix, *(chosen.size or size), clip=_facts(chosen, shown, lengths))


def _facts(chosen: Chosen, shown: Sequence[int], lengths: dict[int, int]) -> ClipFacts:
    order = {tick: place for place, tick in enumerate(sorted(shown))}
    first, best, last = (None if place is None else order[shown[place]] for place in chosen.looks)
    begin_t, end_t = min(chosen.seconds), max(chosen.seconds)
    return ClipFacts(
        codec=chosen.codec,
        begin_t=begin_t,
        begin_wall=chosen.wall(begin_t),
        end_t=end_t,
        end_wall=chosen.wall(end_t),
        duration_s=(max(shown) + lengths[max(shown)]) / _HZ,
        frames=len(shown),
        first_frame=first,
        best_frame=best,
        last_frame=last,
        complete=chosen.complete,
    )


def _ticks(seconds: Sequence[float]) -> list[int]:
    """Give when each packet is shown, in ticks from 0 on, no two alike: players leave out what does not go forward."""
    ranked = sorted(range(len(seconds)), key=lambda place: seconds[place])
    ticks = [0] * len(seconds)
    before = -1
    for place in ranked:
        before = max(round((seconds[place] - seconds[ranked[0]]) * _HZ), before + 1)
        ticks[place] = before
    return ticks


def _decoding_times(shown: Sequence[int]) -> list[int]:
    """Give when each is decoded: in the order of packets, never after it is shown, as late as that allows.

    Cameras' own are left aside: RTP carries none, and FFmpeg guesses.
    """
    ordered = sorted(shown)
    early = max((a - b for a, b in zip(ordered, shown, strict=True)), default=0)
    return [tick - early for tick in ordered]


def _lengths(shown: Sequence[int]) -> dict[int, int]:
    """Give how long each is shown, by when: up to the next; the last as long as the one before it."""
    ordered = sorted(shown)
    steps = [b - a for a, b in pairwise(ordered)]
    return dict(zip(ordered, [*steps, steps[-1] if steps else round(_USUAL_S * _HZ)], strict=True))


def _template(chosen: Chosen) -> InputContainer:
    """Give a file whose stream has the parameters of the packets."""
    import av

    in_stream = chosen.codec in _PARAMETERS_IN_STREAM and _START_CODE in chosen.packets[0].data[:4]
    if chosen.seed or not in_stream:
        container = av.open(io.BytesIO(chosen.seed), "r", format="nut")
        if not in_stream or _fits(container.streams.video[0], chosen):
            return container
        container.close()
    # The camera's pictures have another size since it was connected, or nobody knew the parameters then: they are in the key frame.
    found = io.BytesIO()
    with av.open(found, "w", format="mpegts") as probe:
        copy = av.Packet(chosen.packets[0].data)
        copy.stream = probe.add_mux_stream(chosen.codec, rate=25)
        copy.pts = copy.dts = 0
        copy.time_base, copy.is_keyframe = Fraction(1, _HZ), True
        probe.mux_one(copy)
    return av.open(io.BytesIO(found.getvalue()), "r", format="mpegts")


def _fits(stream: VideoStream, chosen: Chosen) -> bool:
    known = bool(stream.codec_context.extradata)
    return known and (chosen.size is None or (stream.width, stream.height) == chosen.size)
