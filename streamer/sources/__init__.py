"""Where pictures come from."""

from streamer.sources.container import Look, look_at
from streamer.sources.files import RecordedFile
from streamer.sources.pictures import PictureFolder
from streamer.sources.recordings import Recording, find_recordings, sessions_of
from streamer.sources.start_time import StartRules, recording_start

__all__ = [
    "Look",
    "PictureFolder",
    "RecordedFile",
    "Recording",
    "StartRules",
    "find_recordings",
    "look_at",
    "recording_start",
    "sessions_of",
]
