"""A candidate into the weights directory, as what ships: files, manifest, and what the model card must say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamer.errors import UsageError
from streamer.reader.choice import INT8
from streamer.weightfiles import write_atomically
from streamer.weights import weights_directory

LICENCE = "AGPL-3.0-only"
"""Of the project; PP-OCR's weights that a reader started from are Apache-2.0, which allows it."""

READER = ("inference.onnx", "inference.yml", "inference.json", "inference.pdiparams")
_READER_INT8 = tuple(str(Path(INT8).with_suffix(suffix)) for suffix in (".xml", ".bin"))
"""Of a reader that was calibrated, besides: what OpenVINO runs."""
_MOST_BYTES = 45_000_000
_WHAT = {
    "detector": "the .pt file of plate-train detector (OUT/weights/best.pt)",
    "reader": "a folder of plate-train export",
    "layout": "the .onnx file of plate-train layout (OUT/plate-layout.onnx)",
}
"""What may take the place of the models plate-KIND."""


def install(
    candidate: Path, name: str, measured: Mapping[str, Any], *, int8: Path | None = None, directory: Path | None = None
) -> list[str]:
    """Put a detector (.pt), a reader (folder) or a layout network (.onnx) into ``weights/NAME``; give lines for the card.

    ``measured`` is written into the manifest as it is; ``int8``: the .xml that ``plate-train export`` calibrated. ONNX and
    OpenVINO forms of a detector are derived by ``plate-streamer weights fetch``, a reader ships with all its files. Raises
    UsageError if the candidate is incomplete, names a path of this machine, or makes what ships larger than 45 MB.
    """
    directory = directory or weights_directory()
    path = directory / "manifest.json"
    manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    contents = _contents(candidate, name, int8)
    entries, total = _entries(contents, manifest, candidate, name)
    _name(manifest, name, measured, candidate, int8=int8 is not None)
    for target, content in contents.items():
        write_atomically(directory / target, content)
    for old in (directory / name).iterdir():
        if f"{name}/{old.name}" not in contents:
            old.unlink()
    write_atomically(path, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())
    return [f"{e['target']}  {e['size'] / 1e6:.1f} MB  sha256 {e['sha256']}" for e in entries] + [
        f"{total / 1e6:.1f} MB ship in all. Now: plate-streamer weights fetch, commit weights/, and in weights/README.md under {name}:",
        *(f"  {key}: {_words(value)}" for key, value in measured.items()),
    ]


def _words(value: Any) -> str:
    """Give figures as a model card says them."""
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{key} ({_words(v)})" if isinstance(v, Mapping) else f"{key.replace('_', ' ')} {v}" for key, v in value.items())


def check_ready(candidate: Path, name: str, *, int8: Path | None = None, directory: Path | None = None) -> None:
    """Raise the UsageError that ``install`` would raise, before time goes into measuring; nothing is written."""
    manifest: dict[str, Any] = json.loads(((directory or weights_directory()) / "manifest.json").read_text("utf-8"))
    _entries(_contents(candidate, name, int8), manifest, candidate, name)


def _entries(contents: Mapping[str, bytes], manifest: dict[str, Any], candidate: Path, name: str) -> tuple[list[dict[str, Any]], int]:
    """Put the files into the manifest; gives their entries, and the bytes that ship in all."""
    _refuse_paths(contents)
    entries = [
        {"target": target, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "licence": LICENCE}
        for target, content in sorted(contents.items())
    ]
    others = [entry for entry in manifest.get("shipped", ()) if not entry["target"].startswith(f"{name}/")]
    manifest["shipped"] = others + entries
    total = sum(entry["size"] for entry in manifest["shipped"])
    if total > _MOST_BYTES:
        raise UsageError(
            f"{candidate}: what ships would come to {total / 1e6:.0f} MB, more than {_MOST_BYTES / 1e6:.0f}; use a smaller network"
        )
    return entries, total


def _contents(candidate: Path, name: str, int8: Path | None) -> dict[str, bytes]:
    kind = "reader" if candidate.is_dir() else "layout" if candidate.suffix == ".onnx" else "detector"
    wanted = name.removeprefix("plate-")
    if wanted in _WHAT and wanted != kind:
        raise UsageError(f"{candidate}: a {name} is {_WHAT[wanted]}")
    if candidate.is_dir():
        return _reader(candidate, name)
    if candidate.suffix == ".onnx":
        return {f"{name}/{name}.onnx": _read(candidate)}
    return _detector(candidate, name, int8)


def _detector(checkpoint: Path, name: str, int8: Path | None) -> dict[str, bytes]:
    from train.export.checkpoint import shippable

    if not checkpoint.is_file() or checkpoint.suffix != ".pt":
        raise UsageError(f"{checkpoint}: is neither a detector's .pt file, nor a reader's folder, nor the .onnx of a layout network")
    contents = {f"{name}/{name}.pt": shippable(checkpoint)}
    if int8:
        contents |= {f"{name}/{name}-int8{suffix}": _read(int8.with_suffix(suffix)) for suffix in (".xml", ".bin")}
    return contents


def _reader(folder: Path, name: str) -> dict[str, bytes]:
    files = READER + (_READER_INT8 if (folder / INT8).is_file() else ())
    if missing := [file for file in files if not (folder / file).is_file()]:
        raise UsageError(
            f"{folder}: lacks {', '.join(missing)}, without which no reader ships; run "
            f"plate-train export {folder} --calibrate DATA --out export, then promote the folder export"
        )
    return {f"{name}/{file}": _read(folder / file) for file in files}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); make it with plate-train export") from error


def _refuse_paths(contents: Mapping[str, bytes]) -> None:
    """Weights record where they were made, if one lets them."""
    for target, content in contents.items():
        for place in {Path.cwd(), Path.home(), Path(__file__).resolve().parents[2]}:
            if len(place.parts) > 1 and f"{place}/".encode() in content:
                raise UsageError(f"{target}: names {place}, a folder of this machine, and was not installed")


def _name(manifest: dict[str, Any], name: str, measured: Mapping[str, Any], candidate: Path, *, int8: bool) -> None:
    """Point the name, and for a detector the recipe of its derived forms, to the new files."""
    formats: dict[str, str]
    if candidate.is_dir():
        formats = {"onnx": name, "paddle": name} | ({"openvino-int8": f"{name}/{INT8}"} if (candidate / INT8).is_file() else {})
        about = {"task": "text recognition", "network": "PP-OCRv6_small_rec, head of the plate alphabet"}
    elif candidate.suffix == ".onnx":
        formats = {"onnx": f"{name}/{name}.onnx"}
        about = {"task": "lines of characters in a crop", "network": "small convolutional network"}
    else:
        derived = {"openvino": f"derived/{name}.xml", "onnx": f"derived/{name}.onnx"}
        formats = ({"openvino-int8": f"{name}/{name}-int8.xml"} if int8 else {}) | derived | {"torch": f"{name}/{name}.pt"}
        about = {"task": "plate detection", "network": "YOLOv8"}
        targets = [f"derived/{name}{suffix}" for suffix in (".onnx", ".xml", ".bin")]
        recipe = {"recipe": "detector-export", "from": [f"{name}/{name}.pt"], "targets": targets}
        manifest["derived"] = [r for r in manifest["derived"] if r["targets"] != targets] + [recipe]
    before = {key: value for key, value in manifest["models"].get(name, {}).items() if key not in ("package", "starter")}
    own = name in manifest["models"] and "package" not in manifest["models"][name]
    manifest["models"][name] = about | (before if own else {}) | {"licence": LICENCE, "formats": formats, "measured": dict(measured)}
