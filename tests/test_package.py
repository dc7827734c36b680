"""Sealed packages: whole on another machine, and no change of them goes unseen."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.package import check_package
from streamer.signing import PUBLIC, signer_in, verifier_of
from streamer.store import Store
from streamer.verify import Fault, Verified
from tests.conftest import Run
from tests.test_verify import original  # noqa: F401 (a fixture)


def ids(folder: Path) -> list[str]:
    from streamer.store import Store

    with Store(folder / "events.sqlite", read_only=True) as store:
        return [event.event_id for event in store.read_after(0, 100)]


@pytest.fixture(scope="module")
def package(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    from streamer.export_command import run_export

    out = tmp_path_factory.mktemp("out") / "case.zip"
    assert run_export(original, ids(original)[:2], out=out, purpose="case 4711", by="Ann") == 0
    return out


def faults(package: Path, *keys: Path) -> list[Fault]:
    return list(check_package(package, verifier_of(*keys) if keys else None, Verified()))


def test_a_package_is_accepted_elsewhere(package: Path, original: Path, tmp_path: Path, run: Run) -> None:  # noqa: F811
    elsewhere = Path(shutil.copy(package, tmp_path / "case.zip"))
    key = Path(shutil.copy(original / PUBLIC, tmp_path / "key.pem"))
    done = run("verify", elsewhere, "--key", key)
    assert done.code == 0, done.said
    assert "as it was recorded: 5 entries, 2 events, 4 revisions" in done.said
    assert "says nothing about who sealed it" not in done.said
    done = run("verify", elsewhere)
    assert done.code == 0, done.said
    assert "says nothing about who sealed it" in done.said
    assert package.stat().st_mode & 0o777 == 0o600


def test_what_is_in_it(package: Path, original: Path) -> None:  # noqa: F811
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        events = [json.loads(line) for line in archive.read("events.jsonl").decode().splitlines()]
        manifest = json.loads(archive.read("manifest.json"))
        page = archive.read("report.html").decode()
        assert archive.read("report.pdf").startswith(b"%PDF-")
    assert names[:2] == ["report.html", "report.pdf"]
    assert [event["revision"] for event in events] == [1, 2, 3, 1], "all revisions of both"
    assert (manifest["purpose"], manifest["by"]) == ("case 4711", "Ann")
    assert all("evidence/" + picture["file"] in names for event in events for picture in event["evidence"])
    assert "case 4711" in page
    assert "KA0Z" in page
    assert "KA12BC" in page
    assert page.count("data:image/png;base64,") == 2


def test_who_exports_what_and_why_is_in_the_audit_log(package: Path, original: Path, run: Run) -> None:  # noqa: F811
    done = run("audit", original)
    assert done.code == 0
    assert "export" in done.said
    assert "case 4711" in done.said
    assert "Ann" in done.said


def test_names_cannot_smuggle_anything_into_the_page(tmp_path: Path, make_event: Callable[..., Any]) -> None:
    from streamer.eventreport import html_of, pdf_of

    event = make_event(1, source_id="<script>alert(1)</script>\u4eac")
    page = html_of([event], {}, {"purpose": "<b>&"}).decode()
    assert "<script>" not in page
    assert "<b>" not in page
    assert pdf_of([event], {}, {"purpose": "\u4eac"}).startswith(b"%PDF-")


def repack(package: Path, out: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(package) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return out


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_changed_byte_goes_unseen(package: Path, original: Path, tmp_path: Path, data: st.DataObject) -> None:  # noqa: F811
    with zipfile.ZipFile(package) as archive:
        name = data.draw(st.sampled_from(archive.namelist()))
        content = archive.read(name)
    place = data.draw(st.integers(0, len(content) - 1))
    bit = data.draw(st.integers(0, 7))

    def change(files: dict[str, bytes]) -> None:
        files[name] = content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]

    changed = repack(package, tmp_path / "changed.zip", change)
    if (
        name == "manifest.sig"
        and content.lower() == (content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]).lower()
    ):
        return  # hex digits may be of either case
    assert faults(changed, original / PUBLIC), f"bit {bit} of byte {place} of {name}"


@pytest.mark.parametrize("name", ["report.html", "events.jsonl", "proofs.json", "manifest.json", "manifest.sig"])
def test_no_file_can_be_taken_out(package: Path, original: Path, tmp_path: Path, name: str) -> None:  # noqa: F811
    changed = repack(package, tmp_path / "changed.zip", lambda files: files.pop(name) and None)
    assert faults(changed, original / PUBLIC)


def test_no_file_can_be_added(package: Path, original: Path, tmp_path: Path) -> None:  # noqa: F811
    changed = repack(package, tmp_path / "changed.zip", lambda files: files.update({"more.txt": b"more"}))
    assert [str(fault) for fault in faults(changed, original / PUBLIC)] == ["more.txt: was added"]


def test_who_seals_anew_has_another_key(package: Path, original: Path, tmp_path: Path) -> None:  # noqa: F811
    signer_in(tmp_path / "other")
    assert any("not among those that were given" in str(fault) for fault in faults(package, tmp_path / "other" / PUBLIC))


def test_what_is_no_package_is_a_fault_and_no_crash(tmp_path: Path, run: Run) -> None:
    noise = tmp_path / "noise.zip"
    noise.write_bytes(b"PK\x03\x04 nothing of the kind")
    empty = repack_nothing(tmp_path / "empty.zip")
    for file in (noise, empty):
        done = run("verify", file)
        assert done.code == 1
        assert "is no sealed package" in done.said


def repack_nothing(out: Path) -> Path:
    with zipfile.ZipFile(out, "w"):
        pass
    return out


def test_a_picture_that_was_changed_is_not_sealed(original: Path, tmp_path: Path, run: Run) -> None:  # noqa: F811
    folder = Path(shutil.copytree(original, tmp_path / "record"))
    with Store(folder / "events.sqlite", read_only=True) as store:
        event = json.loads(store.read_after(0, 1)[0].line)
    with (folder / event["evidence"][0]["file"]).open("ab") as file:
        file.write(b"x")
    done = run("export", event["event_id"], "--out", tmp_path / "a.zip", "--purpose", "x", "--folder", folder)
    assert (done.code, "was changed since it was recorded" in done.said) == (1, True), done.said
    assert not (tmp_path / "a.zip").exists()


def test_mistakes_are_named(original: Path, package: Path, tmp_path: Path, run: Run) -> None:  # noqa: F811
    event = ids(original)[0]
    for arguments, what in (
        (("0", "--out", tmp_path / "a.zip", "--purpose", "x", "--folder", original), "no such event"),
        ((event, "--out", package, "--purpose", "x", "--folder", original), "is there already"),
        ((event, "--out", tmp_path / "a.zip", "--purpose", " ", "--folder", original), "say what it is for"),
        ((event, "--out", tmp_path / "a.zip", "--purpose", "x", "--folder", tmp_path), "there is no event store"),
    ):
        done = run("export", *arguments)
        assert done.code == 2, done.said
        assert what in done.said
    assert not (tmp_path / "a.zip").exists()
