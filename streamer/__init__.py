"""Number-plate stream processor: video in, one event per passing vehicle out.

The public names are looked up only when they are asked for: importing the package costs nothing, and a command that prints
its help loads no model library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.app import build_pipeline
    from streamer.config import Config
    from streamer.config_file import load_config
    from streamer.errors import StreamerError
    from streamer.pipeline import Pipeline, PlateResult
    from streamer.types import Box, Detection, Frame, Passage, PlateRead, SessionEnd

_ROOMS = {
    "build_pipeline": "streamer.app",
    "Config": "streamer.config",
    "load_config": "streamer.config_file",
    "StreamerError": "streamer.errors",
    "Pipeline": "streamer.pipeline",
    "PlateResult": "streamer.pipeline",
    "Box": "streamer.types",
    "Detection": "streamer.types",
    "Frame": "streamer.types",
    "Passage": "streamer.types",
    "PlateRead": "streamer.types",
    "SessionEnd": "streamer.types",
}

__all__ = [
    "Box",
    "Config",
    "Detection",
    "Frame",
    "Passage",
    "Pipeline",
    "PlateRead",
    "PlateResult",
    "SessionEnd",
    "StreamerError",
    "build_pipeline",
    "load_config",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("plate-streamer")
    if name in _ROOMS:
        return getattr(import_module(_ROOMS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
