from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from streamer.doctor import Finding, examine, instruction_sets, usable


def finding(findings: list[Finding], area: str, name: str) -> Finding:
    return next(one for one in findings if (one.area, one.name) == (area, name))


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the only one in which programs are looked for."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_what_the_default_way_of_working_needs_is_there() -> None:
    findings = examine()
    packages = {one.name: one.state for one in findings if one.area in ("package", "backend")}
    assert {packages[name] for name in ("numpy", "av", "opencv", "openvino", "onnxruntime", "torch")} == {"ok"}
    assert {one.name: one.state for one in findings if one.area == "codec"} == dict.fromkeys(
        ("h264", "hevc", "mjpeg", "vp9", "av1", "annotated video"), "ok"
    )
    assert all(one.detail for one in findings)


def test_neither_torch_nor_paddle_is_loaded_to_look_at_them() -> None:
    code = "import sys; from streamer.doctor import examine; examine(); print({'torch', 'paddle', 'ultralytics'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "set()"


def test_missing_weights_are_missing_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    (tmp_path / "manifest.json").write_bytes((root / "weights" / "manifest.json").read_bytes())
    monkeypatch.setenv("PLATE_STREAMER_WEIGHTS", str(tmp_path))
    findings = [one for one in examine() if one.area == "weights"]
    assert any(one.name.endswith(".pt") for one in findings)
    assert {one.state for one in findings} == {"missing"}
    assert all("plate-streamer weights fetch" in one.detail for one in findings)
    assert not usable(findings)


def test_a_weights_folder_without_manifest_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATE_STREAMER_WEIGHTS", str(tmp_path / "nowhere"))
    [only] = [one for one in examine() if one.area == "weights"]
    assert only.state == "missing"
    assert "manifest.json" in only.detail


def test_programs_that_are_absent_are_not_needed(programs: Path) -> None:
    assert not list(programs.iterdir())
    tesseract = finding(examine(), "program", "tesseract")
    assert tesseract.state == "absent"
    assert usable([tesseract])


def test_a_program_that_fails_is_no_crash(programs: Path) -> None:
    program(programs, "tesseract", "exit 1")
    program(programs, "nvidia-smi", "exit 9")
    findings = examine()
    assert finding(findings, "program", "tesseract").state == "warn"
    assert [one.state for one in findings if one.area == "device"] in (["absent"], ["warn"])


def test_programs_and_devices_are_named_with_their_versions(programs: Path) -> None:
    program(programs, "tesseract", "echo tesseract 5.3.0; echo leptonica")
    program(programs, "nvidia-smi", "echo NVIDIA H100, 570.1, 81559 MiB; echo NVIDIA L4, 570.1, 23034 MiB")
    findings = examine()
    assert finding(findings, "program", "tesseract") == Finding("program", "tesseract", "ok", "tesseract 5.3.0")
    assert finding(findings, "device", "cuda:0").detail == "NVIDIA H100, 570.1, 81559 MiB"
    assert finding(findings, "device", "cuda:1").detail == "NVIDIA L4, 570.1, 23034 MiB"


def test_a_temporary_folder_that_cannot_be_written_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert finding(examine(), "disk", "temporary folder").state == "missing"
    assert finding(examine(), "disk", "working folder").state in ("ok", "warn")


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx avx2 fma\nprocessor : 1\nflags\t\t: fpu avx2\n", ["avx2"]),
        ("flags : avx2 avx512f avx512_bf16 avx512_vnni amx_tile amx_bf16 amx_int8\n", ["avx2", "avx512", "bf16", "vnni", "amx"]),
        ("flags : avx2 avx_vnni\n", ["avx2", "vnni"]),
        ("Features\t: fp asimd bf16\n", ["bf16", "neon"]),
        ("", []),
    ],
)
def test_instruction_sets_of_a_cpu(cpuinfo: str, expected: list[str]) -> None:
    assert instruction_sets(cpuinfo) == expected


def test_cores_are_those_that_the_process_may_use() -> None:
    assert f"{len(os.sched_getaffinity(0))} cores" in finding(examine(), "machine", "cpu").detail
