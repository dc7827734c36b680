"""What this machine has for the program and what it lacks: devices, backends, codecs, programs, weights, room on disk."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from streamer import weights
from streamer.errors import WeightsError

State = Literal["ok", "absent", "warn", "missing"]
"""``absent``: not there and not needed; ``warn``: works, but look at it; ``missing``: the default way of working needs it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    area: str
    name: str
    state: State
    detail: str
    """Version or figures; if something is missing, what to do."""


_PACKAGES: Final = (
    ("numpy", True, ""),
    ("av", True, ""),
    ("pydantic", True, ""),
    ("sqlalchemy", True, ""),
    ("scipy", True, ""),
    ("supervision", True, ""),
    ("ultralytics", False, "export and training"),
    ("paddlepaddle", False, "engine paddle_static"),
    ("paddleocr", False, "engine paddle_static"),
    ("tensorrt", False, "backend tensorrt; extra cuda"),
    ("pytesseract", False, "engine tesseract; extra tesseract"),
    ("pyrage", False, "evidence.seal_to; extra sealed"),
)
"""Distribution, whether the default way of working needs it, what else it is for."""

_INSTRUCTIONS: Final = {
    "avx2": ("avx2",),
    "avx512": ("avx512f",),
    "bf16": ("avx512_bf16", "amx_bf16", "bf16"),
    "vnni": ("avx512_vnni", "avx_vnni"),
    "amx": ("amx_tile",),
    "neon": ("asimd",),
}
"""Name to the words of /proc/cpuinfo, any of which says that the CPU has it."""

_DECODERS: Final = {"h264": "h264", "hevc": "hevc", "mjpeg": "mjpeg", "vp9": "vp9", "av1": "libdav1d"}
"""Codec to the decoder that works without special hardware."""
_ENCODER: Final = "libx264"
_REINSTALL: Final = "reinstall the program (pip install plate-streamer)"
_LOW_DISK_BYTES: Final = 1 << 30
_PROGRAM_TIMEOUT_S: Final = 2.0


def examine() -> list[Finding]:
    """Look at everything; takes a second or two, imports libraries of inference but neither torch nor paddle."""
    probes = (_machine, _cuda, _openvino, _onnxruntime, _torch, _packages, _opencv, _codecs, _tesseract, _weights, _disk)
    findings = [finding for probe in probes for finding in probe()]
    if not any(finding.state == "ok" for finding in findings if finding.name in ("openvino", "onnxruntime")):
        findings.append(Finding("backend", "any for a CPU", "missing", f"neither OpenVINO nor ONNX Runtime works; {_REINSTALL}"))
    return findings


def usable(findings: Iterable[Finding]) -> bool:
    """Say whether nothing is missing that the default way of working needs."""
    return all(finding.state != "missing" for finding in findings)


def instruction_sets(cpuinfo: str) -> list[str]:
    """Give the instruction sets that matter to inference, from the text of /proc/cpuinfo."""
    line = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    words = set(line[1].split()) if line else set()
    return [name for name, signs in _INSTRUCTIONS.items() if words.intersection(signs)]


def _machine() -> Iterator[Finding]:
    python = platform.python_version()
    yield Finding("machine", "python", "ok", f"{python} on {platform.system()} {platform.machine()}")
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        cpuinfo = ""
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("machine", "cpu", "ok", f"{model[1] if model else platform.processor() or 'unknown'}, {cores} cores for this process")
    yield Finding("machine", "instructions", "ok", ", ".join(instruction_sets(cpuinfo)) or "unknown")


def _cuda() -> Iterator[Finding]:
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    output = _output_of(query) if shutil.which(query[0]) else None
    if output:
        yield from (Finding("device", f"cuda:{index}", "ok", line) for index, line in enumerate(output.splitlines()))
    elif Path("/dev/nvidia0").exists():
        yield Finding("device", "cuda", "warn", "/dev/nvidia0 is there, but nvidia-smi does not answer: check the driver")
    else:
        yield Finding("device", "cuda", "absent", "no NVIDIA device; the CPU is used")


def _openvino() -> Iterator[Finding]:
    version = _version("openvino")
    if version is None:
        yield Finding("backend", "openvino", "absent", "not installed; on x86 it is the fastest on a CPU")
        return
    try:
        core = import_module("openvino").Core()
        abilities = ", ".join(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
        yield Finding("backend", "openvino", "ok", f"{version}; devices {', '.join(core.available_devices)}; CPU: {abilities}")
    except (ImportError, OSError, RuntimeError) as error:
        yield Finding("backend", "openvino", "warn", f"{version}, but does not work: {_first_line(error)}")


def _onnxruntime() -> Iterator[Finding]:
    version = _version("onnxruntime", "onnxruntime-gpu")
    if version is None:
        yield Finding("backend", "onnxruntime", "absent", "not installed")
        return
    try:
        providers = ", ".join(import_module("onnxruntime").get_available_providers())
        yield Finding("backend", "onnxruntime", "ok", f"{version}; {providers}")
    except (ImportError, OSError) as error:
        yield Finding("backend", "onnxruntime", "warn", f"{version}, but does not work: {_first_line(error)}")


def _torch() -> Iterator[Finding]:
    """Say what torch was built for, from its version file: importing it takes seconds."""
    version = _version("torch")
    spec = find_spec("torch") if version else None
    if version is None or spec is None or spec.origin is None:
        yield Finding("backend", "torch", "absent", "not installed; needed for .pt weights and for CUDA")
        return
    try:
        built = re.search(r"^cuda\b.*=\s*'([\d.]+)'", Path(spec.origin).with_name("version.py").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError as error:
        yield Finding("backend", "torch", "warn", f"{version}, but damaged: {_first_line(error)}")
        return
    yield Finding("backend", "torch", "ok", f"{version}, built for " + (f"CUDA {built[1]}" if built else "CPU"))


def _packages() -> Iterator[Finding]:
    for name, needed, use in _PACKAGES:
        version = _version(name)
        if version is not None:
            yield Finding("package", name, "ok", version)
        elif needed:
            yield Finding("package", name, "missing", f"not installed; {_REINSTALL}")
        else:
            yield Finding("package", name, "absent", f"not installed; only for {use}")


def _opencv() -> Iterator[Finding]:
    """All OpenCV distributions write one folder: with two versions, some files are of one and some of the other."""
    installed = {
        name: version for dist in metadata.distributions() if (name := dist.name).startswith("opencv") and (version := dist.version)
    }
    try:
        imported = str(import_module("cv2").__version__)
    except ImportError as error:
        yield Finding(
            "package", "opencv", "missing", f"does not work: {_first_line(error)}; on Debian, apt-get install libgl1 libglib2.0-0"
        )
        return
    listing = ", ".join(f"{name} {version}" for name, version in sorted(installed.items()))
    versions = set(installed.values())
    if len(versions) == 1 and versions.pop().startswith(imported):
        yield Finding("package", "opencv", "ok", f"{imported} ({listing})")
    else:
        yield Finding("package", "opencv", "warn", f"{imported} imported, {listing} installed: install one version of all of them")


def _codecs() -> Iterator[Finding]:
    try:
        codec = import_module("av.codec").Codec
    except (ImportError, OSError) as error:
        yield Finding("codec", "ffmpeg", "missing", f"PyAV does not work: {_first_line(error)}; {_REINSTALL}")
        return
    for name, decoder in _DECODERS.items():
        there = _codec_exists(codec, decoder, "r")
        yield Finding("codec", name, "ok" if there else "warn", f"decoder {decoder}" if there else "cannot be decoded with this PyAV")
    there = _codec_exists(codec, _ENCODER, "w")
    yield Finding("codec", "annotated video", "ok" if there else "warn", f"encoder {_ENCODER}" + ("" if there else " is not in this PyAV"))


def _codec_exists(codec: type, name: str, mode: str) -> bool:
    try:
        codec(name, mode)
    except ValueError:
        return False
    return True


def _tesseract() -> Iterator[Finding]:
    if shutil.which("tesseract") is None:
        yield Finding("program", "tesseract", "absent", "not installed; only for engine tesseract (Debian: apt-get install tesseract-ocr)")
        return
    output = _output_of(["tesseract", "--version"])
    yield Finding("program", "tesseract", "ok" if output else "warn", output.splitlines()[0] if output else "is there, but does not run")


def _weights() -> Iterator[Finding]:
    directory = weights.weights_directory()
    try:
        states = weights.states(directory)
    except (WeightsError, OSError) as error:
        yield Finding("weights", str(directory), "missing", str(error))
        return
    bad = {file: state for file, state in states.items() if state != "ok"}
    if not bad:
        yield Finding("weights", str(directory), "ok", f"{len(states)} files, all as recorded")
    for file, state in bad.items():
        yield Finding("weights", file, "missing", f"{state} in {directory}; run `{weights.FETCH}`")


def _disk() -> Iterator[Finding]:
    for name, find in (("working folder", os.getcwd), ("temporary folder", tempfile.gettempdir)):
        try:
            folder = Path(find())
            free = shutil.disk_usage(folder).free
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            state: State = "missing" if name == "temporary folder" else "warn"
            yield Finding("disk", name, state, f"cannot be used: {error}")
        else:
            yield Finding("disk", name, "ok" if free >= _LOW_DISK_BYTES else "warn", f"{free / 1e9:.1f} GB free in {folder}")


def _version(*names: str) -> str | None:
    """Give the version of the first of these distributions that is installed."""
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _output_of(command: Sequence[str]) -> str | None:
    """Give what a program prints; None if it fails or does not answer in time."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROGRAM_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return (done.stdout or done.stderr).strip() or None


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
