"""Who may import whom: the rooms of the program, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A room is a module or a package of streamer/; rooms that are not named here have no place in the design yet.
ROOMS: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "ports": {"types"},
    "log": {"types", "errors", "config"},
    "mailbox": {"types", "errors"},
    "packetring": set(),
    # configuration
    "config_section": set(),
    "config_cameras": {"config_section"},
    "payloads": set(),
    "config_sink_section": {"config_section", "payloads"},
    "config_sinks": {"config_section", "config_sink_section"},
    "config_privacy": {"config_section"},
    "config_timestamps": {"config_section"},
    "config_evidence": {"config_section", "config_cameras"},
    "config": {"errors", "config_timestamps", "config_section", "config_cameras", "config_sinks", "config_privacy", "config_evidence"},
    "config_yaml": set(),
    "config_messages": {"config_yaml"},
    "config_file": {"config", "config_yaml", "config_messages", "errors", "plates", "log"},
    # the middle: pure
    "plates": {"types"},
    "crops": {"types"},
    "columns": {"plates"},
    "vote": {"types", "plates", "columns"},
    "tracker": {"types", "config"},
    "shots": {"types"},
    "polygons": set(),
    "redaction": {"types", "crops", "polygons"},
    "views": {"types", "config", "shots", "redaction"},
    "switches": {"types", "plates", "vote", "shots"},
    "trackrecord": {"types", "crops", "vote", "shots", "switches"},
    "whereabouts": {"types", "vote", "shots", "trackrecord"},
    "passages": {"types", "plates", "shots", "switches", "trackrecord", "whereabouts", "vote"},
    "pipeline": {"types", "ports", "passages", "crops", "vote"},
    # models
    "weightfiles": {"errors"},
    "weightrecipes": {"errors", "weightfiles"},
    "weights": {"errors", "weightfiles", "weightrecipes"},
    "detector": {"types", "errors", "config", "weights"},
    # detector: how ultralytics is imported without side effects
    "reader": {"types", "errors", "config", "weights", "detector"},
    # the two ends
    "sources": {"types", "ports", "errors", "config", "stills", "packetring"},
    "stills": {"types", "errors"},
    "camerasources": {"config", "errors", "packetring", "ports", "sources"},
    "capture": {"types", "ports", "errors", "mailbox"},
    # live cameras
    "live": {
        "shedding",
        "types",
        "polygons",
        "ports",
        "errors",
        "outgoing",
        "config",
        "mailbox",
        "packetring",
        "pipeline",
        "recorder",
        "events",
        "log",
    },
    "metrics_sinks": {"outgoing"},
    "metrics_cameras": {"errors", "live", "ports", "metrics_sinks"},
    "metrics_clips": {"clips", "metrics_sinks"},
    "metrics": {
        "types",
        "ports",
        "errors",
        "outgoing",
        "live",
        "clips",
        "shedding",
        "metrics_cameras",
        "metrics_clips",
        "metrics_disk",
        "metrics_sinks",
    },
    "health": {"types", "ports", "errors", "config", "live", "metrics", "log"},
    "notify": {"errors"},
    "testcamera": {"errors"},
    "cameradoctor": {"types", "ports", "errors", "config", "live", "sources", "mailbox", "pipeline", "crops", "reader", "private"},
    "events": {"types", "errors"},
    "clips": {"types", "errors", "config", "packetring"},
    "fileclips": {"types", "errors", "events", "clips", "packetring", "sources"},
    "lateclips": {"revisions", "types", "errors", "events", "evidence", "chain", "clips", "shedding", "store"},
    "private": {"errors"},
    "linefiles": {"private"},
    "sealing": {"errors", "events", "private"},
    "evidence": {"types", "errors", "events", "private", "sealing"},
    "chain": set(),
    "signing": {"errors", "private"},
    "search": {"plates"},
    "store": {"types", "errors", "events", "config", "log", "private", "chain", "signing", "search", "review"},
    "moments": {"errors", "events"},
    "eventtables": {"errors", "events", "private"},
    "statsplot": {"errors", "private", "store"},
    "outgoing": set(),
    "courier": {"errors", "outgoing", "payloads", "store"},
    "delivery": {"types", "ports", "errors", "outgoing", "courier", "store"},
    "sinks": {
        "types",
        "ports",
        "errors",
        "outgoing",
        "payloads",
        "config",
        "config_sink_section",
        "config_sinks",
        "events",
        "private",
        "linefiles",
    },
    "configentry": {"events"},
    "revisions": {"events"},
    "verify": {"chain", "configentry", "signing", "events"},
    "package": {"packagestamps", "chain", "sealing", "signing", "verify"},
    "eventreport": {"events", "sealing"},
    "copies": {"outgoing", "store"},
    "routes": {"copies", "errors", "outgoing", "payloads", "config", "config_sinks", "events", "store", "courier", "delivery", "sinks"},
    # privacy
    "privacy": {"types", "events", "plates"},
    "privacy_keys": {"errors", "private", "privacy"},
    "audit": {"errors", "chain", "events", "privacy", "privacy_keys", "private", "search", "signing", "store"},
    "tsatoken": {"errors"},
    "tsaclient": {"config_timestamps", "errors", "log", "tsatoken"},
    "timestamping": {"config_timestamps", "errors", "events", "store", "tsaclient"},
    "packagestamps": {"chain", "stampcheck", "verify"},
    "stampwitness": {"errors", "stampcheck", "tsatoken", "verify"},
    "stampcheck": {"chain", "errors", "verify"},
    "metrics_timestamps": {"metrics_sinks", "timestamping"},
    "pseudonyms": {"errors", "privacy", "search", "store"},
    "subject": {"events", "plates", "sealing"},
    "forgetting": {"config", "config_sinks", "privacy", "privacy_keys", "purge", "store"},
    "purge": {"errors", "events", "private", "linefiles", "privacy", "store"},
    "shedding": {"types", "errors", "events"},
    "metrics_disk": {"shedding", "metrics_sinks"},
    "recorder": {"configentry", "revisions", "shedding", "types", "ports", "errors", "events", "evidence", "chain", "store", "delivery"},
    "replay": {"types", "ports", "errors", "config", "sources", "capture", "mailbox", "pipeline", "events", "recorder"},
    "annotate": {"types", "errors", "pipeline"},
    "eventlog": {"errors", "events"},
    "diff": {"eventlog"},
    "doctor": {"errors", "weights"},
    "sink_table": set(),
    # how good the record is: from what people reviewed
    "review": {"errors", "plates"},
    "reviewsheet": {"errors", "review"},
    "quality": set(),
    "qualityreport": {"quality", "review"},
    "qualitywords": set(),
    "qualityplots": {"errors", "qualityreport"},
    "qualitypage": {"events", "quality", "qualityreport", "qualitywords", "review"},
}
ROOMS["metrics"] |= {"metrics_timestamps", "timestamping"}
# Those that put the parts together know everybody below them.
ROOMS["app"] = set(ROOMS)
ROOMS["daemon"] = set(ROOMS)
ROOMS["commands"] = {*ROOMS}
ROOMS["replay_command"] = {*ROOMS} - {"commands"}
for command in (
    "demo_live",
    "privacy_commands",
    "unseal_command",
    *(
        f"{name}_command"
        for name in (
            "run",
            "status",
            "camera",
            "cameradoctor",
            "verify",
            "correct",
            "export",
            "deliver",
            "events",
            "stats",
            "review",
            "report",
            "timestamp",
        )
    ),
):
    ROOMS[command] = {*ROOMS} - {"commands", "replay_command"}
ROOMS["cli_options"] = set()
ROOMS["cli"] = {
    "audit",
    "cli_options",
    "commands",
    "replay_command",
    "run_command",
    "status_command",
    "camera_command",
    "cameradoctor_command",
    "verify_command",
    "correct_command",
    "deliver_command",
    "export_command",
    "events_command",
    "stats_command",
    "review_command",
    "report_command",
    "privacy_cli",
    "sealing_cli",
    "record_cli",
    "config",
    "config_file",
    "errors",
    "log",
}
ROOMS["record_cli"] = {f"{name}_command" for name in ("export", "correct", "events", "stats", "review", "report", "verify", "timestamp")}
ROOMS["record_cli"] |= {"audit", "cli_options", "config_file", "privacy", "privacy_keys"}
ROOMS["sealing_cli"] = {"unseal_command", "audit", "cli_options"}
ROOMS["privacy_cli"] = {"privacy_commands", "cli_options", "config", "config_file"}
# The package itself only names where its public names live.
ROOMS["__init__"] = {*ROOMS}

CONFIGURATION = {"config_section", "config_cameras", "config_sinks", "config_privacy", "config_evidence"}
CONFIGURATION |= {"config_sink_section", "config_timestamps", "config", "config_file", "config_messages"}

# Libraries and the only rooms that know them. Whoever is not named here is small, or used everywhere.
LIBRARIES: dict[str, set[str]] = {
    "alembic": {"store"},
    "av": {"sources", "annotate", "doctor", "testcamera", "clips"},
    "cryptography": {"tsatoken", "signing"},
    "fpdf": {"eventreport"},
    "matplotlib": {"statsplot", "qualityplots"},
    "onnxruntime": {"detector", "reader", "weightrecipes", "doctor"},
    "openvino": {"detector", "reader", "doctor"},
    "paddle": {"reader"},
    "paddleocr": {"reader"},
    "paddlex": {"reader"},
    "prometheus_client": {"metrics", "metrics_cameras", "metrics_clips", "metrics_disk", "metrics_sinks", "metrics_timestamps", "health"},
    "pyarrow": {"eventtables"},
    "pydantic": CONFIGURATION,
    "pydantic_core": CONFIGURATION,
    "pyrage": {"sealing"},
    "pytesseract": {"reader"},
    "confluent_kafka": {"sinks"},
    "minio": {"sinks"},
    "httpx": {"tsaclient", "sinks"},
    "paho": {"sinks"},
    "psycopg": {"sinks"},
    "redis": {"sinks"},
    "rfc3161_client": {"tsatoken"},
    "rich": {
        "commands",
        "replay_command",
        "run_command",
        "status_command",
        "camera_command",
        "cameradoctor_command",
        "demo_live",
        "verify_command",
        "deliver_command",
        "events_command",
        "report_command",
        "privacy_commands",
        "stats_command",
        "sink_table",
    },
    "scipy": {"tracker", "passages", "diff"},
    "sqlalchemy": {"store"},
    "supervision": {"annotate"},
    "tensorrt": {"detector"},
    "torch": {"detector", "reader"},
    "typer": {"cli", "cli_options", "privacy_cli", "record_cli", "sealing_cli"},
    "ultralytics": {"detector", "reader", "weightrecipes"},
}


def room_of(file: Path, package: Path) -> str:
    first = file.relative_to(package).parts[0]
    return first.removesuffix(".py")


def imports_of(source: str) -> Iterator[str]:
    """Give every module that is imported anywhere in the source, at the top, in a function or for types only."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            if node.module in ("streamer", "train"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module
        elif (
            isinstance(node, ast.Call)
            and "import_module" in ast.unparse(node.func)
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value)


def arrows(package: Path) -> set[tuple[str, str]]:
    """Give (room, imported module) for a whole package."""
    files = sorted(package.rglob("*.py"))
    assert files
    return {(room_of(file, package), name) for file in files for name in imports_of(file.read_text(encoding="utf-8"))}


def room_arrows(package: Path) -> set[tuple[str, str]]:
    """Give (room, room) of the program itself."""
    pairs = ((room, name.split(".")[1]) for room, name in arrows(package) if name.startswith("streamer."))
    return {(room, other) for room, other in pairs if room != other}


def forbidden(package: Path) -> list[str]:
    """Give what is wrong with the imports of a package that is laid out like streamer/."""
    found = [f"{room} imports {other}" for room, other in room_arrows(package) if room in ROOMS and other not in ROOMS[room]]
    found += [f"{room} imports train" for room, name in arrows(package) if name.split(".")[0] == "train"]
    for room, name in arrows(package):
        library = name.split(".")[0]
        if room not in LIBRARIES.get(library, {room}):
            found.append(f"{room} imports the library {library}")
    return sorted(found)


def test_no_room_imports_what_it_may_not_know() -> None:
    assert forbidden(ROOT / "streamer") == []


def test_every_room_has_its_place_in_the_design() -> None:
    rooms = {room_of(file, ROOT / "streamer") for file in (ROOT / "streamer").rglob("*.py")}
    assert rooms <= set(ROOMS), f"say in tests/test_imports.py whom they may import: {sorted(rooms - set(ROOMS))}"


def test_no_two_rooms_need_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for room, other in room_arrows(ROOT / "streamer"):
        if room != "__init__":
            graph.setdefault(room, set()).add(other)
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("types.py", "from streamer import errors", "types imports errors"),
        ("pipeline.py", "def f():\n    import streamer.detector.nets", "pipeline imports detector"),
        ("plates/text.py", "from streamer.passages import X", "plates imports passages"),
        ("app.py", "from streamer.cli import main", "app imports cli"),
        ("tracker.py", "import train.evaluate", "tracker imports train"),
        ("store.py", "from importlib import import_module\nimport_module('torch')", "store imports the library torch"),
    ],
)
def test_a_forbidden_import_is_found_wherever_it_stands(tmp_path: Path, file: str, source: str, complaint: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(source)
    assert forbidden(tmp_path) == [complaint]


NUMPY_ALONE = """
import sys

class OnlyNumpy:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top not in {"numpy", "streamer", *sys.stdlib_module_names}:
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, OnlyNumpy())
import streamer.pipeline
print(streamer.pipeline.Pipeline.__name__)
"""


def test_the_pipeline_can_be_imported_where_numpy_is_all_there_is() -> None:
    done = subprocess.run([sys.executable, "-c", NUMPY_ALONE], capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "Pipeline"
