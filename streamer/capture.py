"""The thread of one source: open, read, stamp, offer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from logging import getLogger

from streamer.errors import SourceError
from streamer.mailbox import Mailbox
from streamer.ports import Picture, RecordedSource
from streamer.types import Frame, SessionEnd

_log = getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionReport:
    """What came of one session of a recorded source."""

    source_id: str
    session: int
    name: str
    """Path of the recording."""
    frames: int
    """Pictures decoded, those included that ``every`` left out."""
    damaged: int
    """Packets or pictures that could not be read."""
    missing_s: float
    """Seconds by which less came than the recording promised; 0.0 if it is whole."""
    duration_s: float | None
    """What the recording promised."""
    error: SourceError | None
    """Why it ended early, or could not be opened."""

    @property
    def trouble(self) -> str | None:
        """One sentence for people, naming the recording; None if all of it was read."""
        if self.error is not None:
            return f"{self.error} ({self.frames} pictures were read)" if self.frames else str(self.error)
        damage = f"{self.damaged} damaged part{'s' if self.damaged != 1 else ''} skipped" if self.damaged else ""
        if self.missing_s > 0 and self.duration_s is not None:
            cut = f"truncated: {self.duration_s - self.missing_s:.1f} s of {self.duration_s:.1f} s readable"
            return f"{self.name}: {cut}{', ' + damage if damage else ''}"
        return f"{self.name}: {damage}, the rest was read" if damage else None


class Capture:
    """Reads the sessions of one recorded source one after the other and offers their frames to the mailbox, in its own thread.

    A session that cannot be opened, or breaks, is reported and the next one follows. ``stop`` ends the reading after the frame
    in hand; the session's end is still offered, so that what was seen until then is reported. Only each ``every``-th frame is
    converted and offered, the first included; indices count all of them. ``on_report`` is called in the capture thread. An
    unexpected failure is kept for the main thread and sets ``stop``.
    """

    def __init__(
        self,
        source_id: str,
        sessions: Iterable[Callable[[], RecordedSource]],
        mailbox: Mailbox[Frame],
        stop: threading.Event,
        *,
        every: int = 1,
        clock: Callable[[], float] = time.monotonic,
        on_report: Callable[[SessionReport], None] = lambda report: None,
    ) -> None:
        self._source_id = source_id
        self._sessions = sessions
        self._mailbox = mailbox
        self._stop = stop
        self._every = every
        self._clock = clock
        self._on_report = on_report
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"capture {source_id}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread; False if it is still alive. Raises what went wrong in it unexpectedly."""
        self._thread.join(timeout_s)
        self.raise_failure()
        return not self._thread.is_alive()

    def raise_failure(self) -> None:
        """Raise what ended the thread unexpectedly, if anything did: a fault of the program, not of a recording."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            for session, make in enumerate(self._sessions):
                if self._stop.is_set() or not self._replay(session, make()):
                    return
        except BaseException as failure:  # noqa: BLE001 (kept for the main thread, which raises it)
            self._failure = failure
            self._stop.set()
        finally:
            self._mailbox.done(self._source_id)

    def _replay(self, session: int, source: RecordedSource) -> bool:
        """Read one session to its end; False if nobody takes frames any more."""
        error: SourceError | None = None
        wanted = True
        frames = 0
        try:
            source.open()
            while wanted and not self._stop.is_set():
                picture = source.read()
                if picture is None:
                    break
                if frames % self._every == 0:
                    wanted = self._mailbox.put(self._stamped(session, frames, picture))
                frames += 1
        except SourceError as caught:
            error = caught
        finally:
            source.close()
        wanted = self._mailbox.put(SessionEnd(self._source_id, session)) and wanted
        report = SessionReport(self._source_id, session, source.name, frames, source.damaged, source.missing_s, source.duration_s, error)
        if report.trouble is not None:
            _log.warning("%s", report.trouble)
        self._on_report(report)
        return wanted

    def _stamped(self, session: int, index: int, picture: Picture) -> Frame:
        read_at = self._clock()
        return Frame(self._source_id, session, index, picture.t, read_at, picture.wall, picture.clock, picture.convert())
