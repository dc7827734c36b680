"""Which pictures of a stream are damaged: what libav says about losses and errors, and how far they reach.

libav conceals what is missing and hands the picture out. Three things tell, measured against the clean pictures of clips that lost
0.5 to 2 % of their RTP packets over TCP and UDP, where together they caught every damaged one (tests/test_network_source.py repeats it):

* Its RTP receiver notices every gap, in its log alone. Over TCP it does so only with a (tiny) queue for reordering, see ``network_open``.
* The decoder of H.264 marks pictures with errors (``is_corrupt``), but none that follow, and no gap of whole pictures; those of H.265
  and JPEG mark nothing.
* What refers to something missing is said in the log.

One mark reaches to the next key frame that is itself sound.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

LogEntry = tuple[int, str, str]
"""Level, name and text, as ``av.logging.Capture`` gives them."""

_DAMAGE: Final = re.compile(
    r"RTP: missed \d+ packets"
    r"|RTP: dropping old packet"
    r"|Failed reading RTSP data"  # cut off: the last picture may lack its end
    r"|error while decoding|concealing \d+|Frame num gap|reference picture missing|Missing reference picture"
    r"|Could not find ref with POC|Error constructing the frame RPS|CABAC_MAX_BIN"
    r"|error (?:dc|y=|count)|mjpeg_decode_dc: bad vlc|EOI missing|overread \d+"
)
"""Not every warning: some cameras earn a harmless one with each picture, and would never have a sound one."""

_lock = threading.Lock()
_listeners = 0


def listen() -> None:
    """Make libav's messages available to ``hear``; undo with ``stop_listening``. They go nowhere else."""
    import av

    global _listeners
    with _lock:
        _listeners += 1
        logging.getLogger("libav").setLevel(logging.CRITICAL + 1)  # where PyAV sends what nobody hears: it may hold credentials
        av.logging.set_skip_repeated(False)
        av.logging.set_level(av.logging.WARNING)


def stop_listening() -> None:
    """Turn libav silent again once nobody listens: its messages take the GIL, which decoders with many threads do not bear well."""
    import av

    global _listeners
    with _lock:
        _listeners -= 1
        if not _listeners:
            av.logging.set_level(None)


@contextmanager
def hear() -> Iterator[list[LogEntry]]:
    """Collect what libav says in this thread meanwhile."""
    from av.logging import Capture

    with Capture(local=True) as entries:
        yield entries


def tells_damage(entries: Iterable[LogEntry]) -> bool:
    """Say whether any of the messages means that something is missing or wrong in the pictures."""
    return any(_DAMAGE.search(text) for _, _, text in entries)


class Damage:
    """How far damage reaches, in numbers of packets (0, 1, 2 ... as they come). Pure."""

    def __init__(self) -> None:
        self._damaged_at = -1
        self._sound_from = -1
        self.marks = 0
        """How often something was lost or wrong."""

    def lost(self, number: int) -> None:
        """Note a loss that was noticed while packet ``number`` was received.

        The receiver has begun with the packet after it by then, so that may be the one; which of the two it was, it does not say.
        """
        self._mark(number + 1)

    def broken(self, number: int) -> None:
        """Note an error in packet ``number``, or in the picture that came of it."""
        self._mark(number)

    def suspect(self, number: int, *, key: bool) -> bool:
        """Say whether the picture of packet ``number`` is to be distrusted. Pictures are asked for in the order that they come in."""
        if key and number > self._damaged_at:
            self._sound_from = max(self._sound_from, number)
        return self._damaged_at > self._sound_from

    def _mark(self, number: int) -> None:
        self.marks += 1
        self._damaged_at = max(self._damaged_at, number)
