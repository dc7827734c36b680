"""Plates are found in records that hold pseudonyms, by every key that is still held; what cannot be found is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streamer import private
from streamer.privacy import KeyRing, new_key
from streamer.privacy_keys import EVENT_KEYS
from streamer.signing import signer_in
from streamer.store import STORE, Store, new_event_id
from tests.conftest import Run

NOW = datetime(2026, 5, 1, tzinfo=UTC)
KEYS = tuple(new_key(NOW) for _ in range(3))
MakeEvent = Callable[..., dict[str, Any]]


def record(folder: Path, make_event: MakeEvent, *plates: str) -> Path:
    """Make a record of some plates or pseudonyms; gives its folder. The keys are the last two of three."""
    with Store(folder / STORE, signer_in(folder)) as store:
        for plate in plates:
            fields: Mapping[str, Any] = {"plate": plate, "raw": plate, "alternatives": ()}
            store.append([lambda place, f=fields: make_event(place, **f) | {"event_id": new_event_id(), "evidence": []}])
    private.write_whole(folder / EVENT_KEYS, KeyRing(KEYS[1:]).to_text().encode())
    return folder


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory, make_event: MakeEvent) -> Path:
    """One record of pseudonyms by three keys, the first of which was given up; one that has plates, too."""
    folder = tmp_path_factory.mktemp("pseudonyms")
    hidden = [key.pseudonym("event", plate) for key in KEYS for plate in ("KA12BC", "KA12BC", "XY9")]
    record(folder / "hidden", make_event, *hidden)
    record(folder / "mixed", make_event, KEYS[2].pseudonym("event", "KA12BC"), "KA12BC", "KA12BO", "KA44")
    return folder


@pytest.fixture(params=["hidden", "mixed"])
def either(request: pytest.FixtureRequest, originals: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals / request.param, tmp_path / "out"))


@pytest.fixture
def hidden(originals: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals / "hidden", tmp_path / "out"))


@pytest.fixture
def mixed(originals: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals / "mixed", tmp_path / "out"))


def test_a_plate_is_found_by_every_key_that_is_held(hidden: Path, run: Run) -> None:
    code, out, err = run("events", hidden, "--plate", "ka-12 BC", "--json")
    found = [json.loads(line)["plate"] for line in out.splitlines()]
    assert (code, len(found)) == (0, 4)
    assert set(found) == {key.pseudonym("event", "KA12BC") for key in KEYS[1:]}
    assert "by a key that is not held any more" in err
    assert run("events", hidden, "--plate", "KA12BC", "--limit", "1", "--json").out.count("\n") == 1
    assert run("events", hidden, "--plate", "AA11", "--json").out == ""


@pytest.mark.parametrize("options", [("--plate", "*1*"), ("--plate", "KA12B?"), ("--plate", "KA12BC", "--fuzzy", "1")])
def test_wildcards_and_near_plates_are_refused_where_nothing_else_is(hidden: Path, run: Run, options: tuple[str, ...]) -> None:
    code, out, err = run("events", hidden, *options)
    assert (code, out) == (2, "")
    assert "give the whole plate" in err


def test_a_record_of_both_is_searched_for_both(mixed: Path, run: Run) -> None:
    code, out, _ = run("events", mixed, "--plate", "KA12BC", "--json")
    assert (code, out.count("\n")) == (0, 2)
    for options, found in ((("--plate", "*1*"), 2), (("--plate", "K*"), 3), (("--plate", "*1*", "--since", "2026-01-01"), 2)):
        code, out, err = run("events", mixed, *options, "--json")
        assert (code, out.count("\n")) == (0, found), "digits of pseudonyms are no plates"
        assert "events with plates are searched" in err


def test_without_the_keys_it_is_said_what_to_do(either: Path, run: Run, tmp_path: Path) -> None:
    (either / EVENT_KEYS).rename(tmp_path / "kept.json")
    code, _, err = run("events", either, "--plate", "KA12BC")
    assert "--config" in err
    assert code == (0 if "searched" in err else 2)
    config = tmp_path / "c.yaml"
    config.write_text("privacy: {mode: pseudonymous, key_file: kept.json}\n")
    code, out, _ = run("events", either, "--plate", "KA12BC", "--json", "--config", config)
    assert (code, out.count("hmac:") > 0) == (0, True)
    assert not (either / EVENT_KEYS).exists(), "nothing is made"


def test_who_comes_again_is_known_within_a_key(hidden: Path, run: Run) -> None:
    code, out, _ = run("stats", hidden, "--json")
    told = json.loads(out)
    assert (code, told["plates"]["different"], told["plates"]["seen_again"], told["pseudonym_keys"]) == (0, 6, 3, 3)
    assert "by 3 keys: a vehicle that came before and after a change of the key counts as two" in run("stats", hidden).out


def test_subject_and_erase_find_pseudonyms_and_say_what_they_cannot(hidden: Path, run: Run, tmp_path: Path) -> None:
    code, _, err = run("subject", hidden, "--plate", "KA12BC", "--out", tmp_path / "mine.zip")
    assert (code, "4 events" in err, "by a key that is not held any more" in err) == (0, True, True)
    code, _, err = run("erase", hidden, "--plate", "KA12BC")
    assert (code, "erased 4 events" in err, "by a key that is not held any more" in err) == (0, True, True)
    assert run("events", hidden, "--plate", "KA12BC", "--json").out == ""
    (hidden / EVENT_KEYS).unlink()
    assert "--config" in run("erase", hidden, "--plate", "KA12BC").err
