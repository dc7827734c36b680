"""What the stream of a recording is like, as far as its packets tell; nothing is decoded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from streamer.errors import SourceError
from streamer.ports import StreamFacts
from streamer.sources.container import open_video
from streamer.sources.network_facts import Seen


def recording_facts(path: Path, seconds: float) -> tuple[StreamFacts, float]:
    """Give the facts of a video file's first ``seconds``, and how many seconds its packets cover.

    ``key_frame_interval_s`` is the longest one, None if there are fewer than two. Raises SourceError naming the file.
    """
    import av

    container, stream = open_video(path)
    try:
        seen, longest = Seen(stream), 0.0
        seen.size = (stream.codec_context.width, stream.codec_context.height)
        base = float(stream.time_base or 0)
        first = last = None
        for packet in container.demux(stream):
            if packet.size == 0 or packet.pts is None:
                continue
            at = packet.pts * base
            first = at if first is None else min(first, at)
            if at - first > seconds:
                break
            last = at if last is None else max(last, at)
            seen.take(packet)
            longest = max(longest, seen.key_frame_interval_s or 0.0)
        span_s = 0.0 if first is None or last is None else last - first
        return replace(seen.facts(str(path), "software"), key_frame_interval_s=longest or None), span_s
    except (av.error.FFmpegError, MemoryError) as error:
        raise SourceError("damaged", f"{path}: cannot be read ({error})") from error
    finally:
        container.close()
