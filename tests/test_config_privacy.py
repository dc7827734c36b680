"""The section `privacy`, and the profiles that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.config_file import check, load_config
from streamer.forgetting import limits_of
from streamer.privacy import Limits

PROFILES = sorted((Path(__file__).parent.parent / "configs" / "privacy").glob("*.yaml"))


@pytest.mark.parametrize("file", PROFILES, ids=lambda file: file.name)
def test_every_profile_loads_and_says_how_long(file: Path) -> None:
    assert check(file) == []
    privacy = load_config(file).privacy
    kept = privacy.retention
    assert kept.reads_days is not None
    assert kept.events_without_plate_days is not None
    assert kept.audit_days is not None
    assert kept.audit_days >= kept.reads_days, "who looked must be known for longer than what they saw"
    assert kept.hits_days is None or kept.hits_days >= kept.reads_days
    redact = load_config(file).evidence.redact
    assert redact.other_plates, "others have nothing to do with an event"
    assert redact.windows == (file.stem != "enforcement")


def test_there_is_a_profile_for_each_kind_of_use() -> None:
    assert [file.stem for file in PROFILES] == ["enforcement", "parking", "strict", "toll"]


def test_without_a_section_everything_is_kept() -> None:
    privacy = load_config().privacy
    assert privacy.mode == "full"
    assert limits_of(privacy.retention.model_dump()) == Limits()


@pytest.mark.parametrize(
    ("text", "said"),
    [("reads_days: 0", "above 0"), ("reads_day: 3", "reads_days"), ("reads_days: long", "must be a number above 0")],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"privacy:\n  retention:\n    {text}\n")
    (problem,) = check(file)
    assert problem.line == 3
    assert said in str(problem)


def test_the_key_file_is_relative_to_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("privacy:\n  key_file: keys/p.json\n")
    assert load_config(file).privacy.key_file == tmp_path / "keys" / "p.json"
