"""``inference.yml``: what PaddleOCR and this program want to know beside a recogniser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from streamer.errors import UsageError

NAME = "PP-OCRv6_small_rec"
"""The architecture, under PaddleOCR's name for it: TextRecognition(model_name=...) compares."""


def reader_settings(characters: Sequence[str], width: int = 224, *, space: bool = False) -> dict[str, Any]:
    """Give the settings of a recogniser of 48 x ``width`` pictures with a class for the blank and one per character.

    PaddleOCR puts the blank in front of ``characters`` and a space behind them; ``space`` says whether the network has that
    last class (PaddleOCR's training calls the same thing use_space_char, and its decoder does not mind a missing one).
    """
    return {
        "Global": {"model_name": NAME, "use_space_char": space},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"MultiLabelEncode": {"gtc_encode": "NRTRLabelEncode"}},
                {"RecResizeImg": {"image_shape": [3, 48, width]}},
                {"KeepKeys": {"keep_keys": ["image", "label_ctc", "label_gtc", "length", "valid_ratio"]}},
            ]
        },
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": list(characters)},
    }


def write_reader_settings(folder: Path, characters: Sequence[str], width: int = 224, *, space: bool = False) -> Path:
    """Write ``inference.yml`` into a folder, see ``reader_settings``."""
    import yaml

    path = folder / "inference.yml"
    path.write_text(yaml.safe_dump(reader_settings(characters, width, space=space), allow_unicode=True, sort_keys=False), "utf-8")
    return path


def read_characters(settings: Path) -> list[str]:
    """Read the characters of an ``inference.yml``, in the order of the classes after the blank. Raises UsageError if there are none."""
    import yaml

    try:
        characters = yaml.safe_load(settings.read_text("utf-8"))["PostProcess"]["character_dict"]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"{settings}: has no PostProcess.character_dict ({type(error).__name__}: {error})") from error
    return [str(c) for c in characters]
