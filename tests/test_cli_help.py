"""Help answers at once because nothing heavy is loaded for it; how long it takes is printed by `make bench`."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "cv2", "torch", "openvino", "onnxruntime", "paddle", "ultralytics", "av", "sqlalchemy", "scipy", "yaml")

CODE = """
import sys
from importlib import import_module
module, *sys.argv[1:] = sys.argv[1:]
try:
    import_module(module).main()
except SystemExit as end:
    code = end.code
print()
print(code or 0, *sorted(name for name in sys.modules if "." not in name))
"""


def run(module: str, *arguments: str) -> tuple[str, str, set[str]]:
    """Run a command line in a fresh interpreter; give its output, exit code and the top-level modules that it loaded."""
    done = subprocess.run([sys.executable, "-c", CODE, module, *arguments], capture_output=True, text=True, check=True, timeout=60)
    output, _, last = done.stdout.strip().rpartition("\n")
    code, *modules = last.split()
    return output, code, set(modules)


@pytest.mark.parametrize("module", ["streamer.cli", "train.cli"])
@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_help_and_version_load_nothing_heavy(module: str, arguments: tuple[str, ...]) -> None:
    output, code, modules = run(module, *arguments)
    assert code == "0"
    assert output
    assert modules.isdisjoint(HEAVY), modules.intersection(HEAVY)


@pytest.mark.parametrize("module", ["streamer.cli", "train.cli"])
def test_the_help_of_the_program_does_not_even_load_pydantic(module: str) -> None:
    """typer itself loads pydantic to read the options of a command, which takes 0.1 s; the list of commands needs none."""
    _, _, modules = run(module, "--help")
    assert "pydantic" not in modules


@pytest.mark.parametrize("command", ["replay", "read", "check", "doctor", "diff", "deliver", "weights"])
def test_each_command_explains_itself_and_loads_nothing_heavy(command: str) -> None:
    output, code, modules = run("streamer.cli", command, "--help")
    assert code == "0"
    assert command in output
    assert modules.isdisjoint(HEAVY), modules.intersection(HEAVY)


@pytest.mark.parametrize("module", ["streamer.cli", "train.cli"])
def test_an_unknown_option_is_a_usage_error(module: str) -> None:
    _, code, _ = run(module, "--no-such-option")
    assert code == "2"
