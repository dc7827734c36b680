"""From what a user names (files, folders, patterns) to recordings, and from recordings to sources."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from glob import glob, has_magic
from itertools import groupby
from logging import getLogger
from pathlib import Path

from streamer.errors import UsageError
from streamer.ports import RecordedSource
from streamer.sources.container import Look, look_at
from streamer.sources.files import RecordedFile
from streamer.sources.pictures import PictureFolder, seconds_of
from streamer.sources.start_time import StartRules, recording_start, time_by_pattern, time_in_name

_log = getLogger(__name__)

# What is taken from a folder; a file that is named by itself is tried whatever its ending.
_VIDEO = frozenset(
    ".3g2 .3gp .264 .265 .asf .avi .dav .divx .f4v .flv .h264 .h265 .hevc .ivf .m2ts .m2v .m4v .mjpeg .mjpg .mkv .mov .mp4 .mpeg .mpg"  # noqa: SIM905
    " .mts .mxf .nut .obu .ogv .ts .vob .webm .wmv .y4m".split()
)
_PICTURE = frozenset(".bmp .dib .jp2 .jpe .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class Recording:
    """One session to replay: a video file, or pictures that follow each other."""

    path: Path
    """The video, or the folder of the pictures."""
    pictures: tuple[Path, ...] = ()
    """Empty for a video."""

    def look(self, picture_fps: float = 1.0) -> Look:
        """Give its estimated duration and number of frames, for a progress bar. Opens a video; never raises."""
        if self.pictures:
            return Look(len(self.pictures) / picture_fps, len(self.pictures))
        return look_at(self.path)


def find_recordings(paths: Sequence[Path | str]) -> list[Recording]:
    """Expand files, folders (one level) and patterns, in the order given, folders and patterns in natural order, without repeats.

    The pictures of one folder make one recording, after the videos beside them. Raises UsageError naming what is not there.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _expand(Path(path).expanduser()):
            found.setdefault(file.resolve(), file)
    recordings: list[Recording] = []
    for is_picture, files in groupby(found.values(), _is_picture):
        if is_picture:
            recordings += _picture_folders(files)
        else:
            recordings += [Recording(file) for file in files]
    return recordings


def sessions_of(
    recordings: Iterable[Recording], rules: StartRules | None = None, *, picture_fps: float = 1.0
) -> list[Callable[[], RecordedSource]]:
    """Give what makes the source of each recording; to be called one after the other, each just before its source is opened.

    Where the user gives one start for several recordings, it is that of the first, and each goes on where the one before ended.
    """
    chain = _Chain(rules or StartRules(), picture_fps)
    return [partial(chain.source_of, recording) for recording in recordings]


class _Chain:
    """Remembers how far the recordings so far reach beyond the user's start."""

    def __init__(self, rules: StartRules, picture_fps: float) -> None:
        self._rules = rules
        self._picture_fps = picture_fps
        self._elapsed_s = 0.0

    def source_of(self, recording: Recording) -> RecordedSource:
        return self._picture_source(recording) if recording.pictures else self._file_source(recording.path)

    def _file_source(self, path: Path) -> RecordedSource:
        look = look_at(path)
        start, clock = recording_start(path, self._rules, metadata=look.metadata, duration_s=look.duration_s)
        if clock == "option":
            start += timedelta(seconds=self._elapsed_s)
            self._elapsed_s += look.duration_s or 0.0
        _log.info("%s: begins %s (from: %s)", path, start.isoformat(), clock)
        return RecordedFile(path, start=start, clock=clock)

    def _picture_source(self, recording: Recording) -> RecordedSource:
        pictures, rules = recording.pictures, self._rules
        if rules.pattern is not None:
            times = [time_by_pattern(path.name, rules.pattern, rules.time_zone) for path in pictures]
        else:
            times = [time_in_name(path, rules.time_zone) for path in pictures]
        seconds = seconds_of(times) or [index / self._picture_fps for index in range(len(pictures))]
        start, clock = recording_start(pictures[0], rules, metadata={}, duration_s=None)
        if clock == "option":
            start += timedelta(seconds=self._elapsed_s)
            self._elapsed_s += seconds[-1] + 1.0 / self._picture_fps
        _log.info("%s: %d pictures, begin %s (from: %s)", recording.path, len(pictures), start.isoformat(), clock)
        return PictureFolder(str(recording.path), pictures, seconds, start=start, clock=clock)


def _expand(path: Path) -> list[Path]:
    if path.is_dir():
        files = _in_folder(path)
        if not files:
            raise UsageError(
                f"{path}: no video and no picture in this folder; its subfolders are not searched: name them, or use '{path}/*'"
            )
        return files
    if path.exists():  # before patterns: recorders write names such as 13.45.00[R][0@0].dav
        return [path]
    if not has_magic(str(path)):
        raise UsageError(f"{path}: there is no such file or folder; check the spelling and that the disk is mounted")
    files = _fitting(str(path))
    if not files:
        raise UsageError(f"{path}: no video and no picture fits this pattern; check its spelling")
    return files


def _fitting(pattern: str) -> list[Path]:
    """Give what fits a pattern, and what is in the folders that do. Files with other endings count only if there are no others."""
    matches = sorted(map(Path, glob(pattern, recursive=True)), key=_natural)  # noqa: PTH207 (Path.glob knows no absolute patterns)
    named = [match for match in matches if match.is_file() and match.suffix.lower() in _VIDEO | _PICTURE]
    inside = [file for match in matches if match.is_dir() for file in _in_folder(match)]
    return named + inside or [match for match in matches if match.is_file()]


def _in_folder(folder: Path) -> list[Path]:
    try:
        entries = [entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")]
    except OSError as error:
        raise UsageError(f"{folder}: this folder cannot be read ({error.strerror})") from error
    videos = sorted((entry for entry in entries if entry.suffix.lower() in _VIDEO), key=_natural)
    return videos + sorted(filter(_is_picture, entries), key=_natural)


def _picture_folders(pictures: Iterable[Path]) -> list[Recording]:
    folders: dict[Path, list[Path]] = {}
    for picture in pictures:
        folders.setdefault(picture.parent, []).append(picture)
    return [Recording(folder, tuple(files)) for folder, files in folders.items()]


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in _PICTURE


def _natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key by which frame2 comes before frame10."""
    pieces = re.split(r"(\d+)", str(path))
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece.casefold()) for piece in pieces if piece], str(path)
