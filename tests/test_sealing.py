"""Sealed evidence: nothing plain touches the disk, whoever has no key can verify, whoever has it can look."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import cv2
import jsonschema
import numpy as np
import pytest

from streamer.config import Config, EventsConfig
from streamer.config_file import check
from streamer.errors import UsageError
from streamer.events import Making, event_schema
from streamer.evidence import JOURNAL, EvidenceFolder
from streamer.package import check_package
from streamer.privacy import Limits
from streamer.purge import Purge
from streamer.recorder import Recorder
from streamer.replay_command import run_replay
from streamer.sealing import COMMENTED, Opener, Sealer, plain_name, sealer_of, write_new_key
from streamer.signing import signer_in
from streamer.sinks.jsonl import JsonlSink
from streamer.store import Store
from streamer.types import EncodedPicture, ModelInfo
from streamer.verify import Verified
from tests.conftest import Run
from tests.forgetting import STORE, faults, found_in

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
PICTURE = np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Path, str]:
    """Gives the file of a private key and its public half, twice."""
    folder = tmp_path_factory.mktemp("keys")
    one, other = folder / "one.txt", folder / "other.txt"
    return one, write_new_key(one, NOW), other, write_new_key(other, NOW)


def encoded(suffix: str) -> bytes:
    return cv2.imencode(suffix, PICTURE)[1].tobytes()


def video(form: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(PICTURE, format="bgr24")))
        container.mux(stream.encode())
    return out.getvalue()


@pytest.mark.parametrize("suffix", sorted(COMMENTED))
def test_the_comment_changes_nothing_that_is_shown(suffix: str) -> None:
    if suffix in (".mp4", ".mkv"):
        content = video("mp4" if suffix == ".mp4" else "matroska")
        commented = COMMENTED[suffix](content, bytes(range(16)))
        one, other = ([frame.to_ndarray() for frame in av.open(io.BytesIO(data)).decode(video=0)] for data in (content, commented))
        assert len(one) == 5
        assert np.array_equal(one, other)
    else:
        content = encoded(suffix)
        commented = COMMENTED[suffix](content, bytes(range(16)))
        assert np.array_equal(*(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in (content, commented)))
    assert bytes(range(16)) in commented or bytes(range(16)).hex().encode() in commented


def test_what_is_sealed_is_opened_by_the_holder_of_a_key_only(keys: tuple[Path, str, Path, str]) -> None:
    one, public, other, _ = keys
    content = encoded(".png")
    sealed, said = Sealer([public, public]).seal(content, ".png")
    assert said.to == (public,)
    assert Sealer([public]).seal(content, ".png")[1].plain_sha256 != said.plain_sha256, "nobody can try which picture it is"
    plain = Opener([other, one]).open(sealed, "x")
    assert hashlib.sha256(plain).hexdigest() == said.plain_sha256
    assert plain != content
    for opener, bad in ((Opener([other]), sealed), (Opener([one]), sealed[:-1]), (Opener([one]), bytes([*sealed[:-1], sealed[-1] ^ 1]))):
        with pytest.raises(UsageError, match=r"a/b\.png\.age: cannot be opened with the keys"):
            opener.open(bad, "a/b.png.age")
    with pytest.raises(UsageError, match="is not the picture of the event"):
        Opener([one]).open_picture(sealed, {"file": "x", "sealed": {"plain_sha256": "0" * 64}})


@pytest.mark.skipif(shutil.which("age") is None, reason="the program age is not installed (Debian: apt-get install age)")
def test_the_standard_tool_opens_it_and_its_keys_fit(tmp_path: Path, keys: tuple[Path, str, Path, str]) -> None:
    one, public, *_ = keys
    sealed, said = sealer_of([public], None).seal(encoded(".jpg"), ".jpg")
    (tmp_path / "x.jpg.age").write_bytes(sealed)
    opened = subprocess.run(["age", "-d", "-i", one, tmp_path / "x.jpg.age"], capture_output=True, check=True).stdout
    assert hashlib.sha256(opened).hexdigest() == said.plain_sha256
    subprocess.run(["age-keygen", "-o", tmp_path / "k.txt"], capture_output=True, check=True)
    theirs = subprocess.run(["age-keygen", "-y", tmp_path / "k.txt"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "to.txt").write_text(f"# the archive\n\n{theirs}")
    sealer = sealer_of((), tmp_path / "to.txt")
    assert Opener([tmp_path / "k.txt"]).open(sealer.seal(encoded(".png"), ".png")[0], "x")


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != JOURNAL}


def full(make_passage: Callable[..., Any], key: str = "1-1", **fields: Any) -> Any:
    pictures = (EncodedPicture("scene", encoded(".jpg"), ".jpg", 64, 48, redacted={"other_plates": 2}),)
    return make_passage(key=key, pictures=pictures, **fields)


def test_what_comes_again_is_sealed_once(tmp_path: Path, make_passage: Callable[..., Any], keys: tuple[Path, str, Path, str]) -> None:
    folder = EvidenceFolder(tmp_path, Sealer([keys[1]]))
    first = folder.save([full(make_passage)])
    before = files(tmp_path)
    assert folder.save([full(make_passage)]) == first
    assert files(tmp_path) == before
    crop, scene = first[0]
    assert (crop.redacted, scene.redacted) == (None, {"other_plates": 2})
    assert sorted(before) == sorted(one.file for one in first[0])
    for one in first[0]:
        assert one.file.endswith(one.sha256[:12] + {"crop": ".png", "scene": ".jpg"}[one.kind] + ".age")
        assert hashlib.sha256(before[one.file]).hexdigest() == one.sha256
    (tmp_path / crop.file).write_bytes(b"damaged")
    ((again, _),) = folder.save([full(make_passage)])
    assert again.file != crop.file
    late = folder.add(full(make_passage), EncodedPicture("clip", video("mp4"), ".mp4", 64, 48))
    assert late.file.endswith(".mp4.age")
    assert hashlib.sha256(Opener([keys[0]]).open(files(tmp_path)[late.file], late.file)).hexdigest() == late.sealed.plain_sha256
    folder.sealer = Sealer([keys[3]])
    assert folder.save([full(make_passage)])[0][1].sealed.to == (keys[3],)
    folder.sealer = None
    assert folder.save([full(make_passage)])[0][1].file.endswith(".jpg")


@pytest.fixture
def record(tmp_path: Path, make_passage: Callable[..., Any], keys: tuple[Path, str, Path, str]) -> tuple[Path, list[dict[str, Any]]]:
    """Gives a record of two vehicles with sealed pictures, and its events."""
    out, info = tmp_path / "out", ModelInfo("m", "a" * 64, "cpu")
    with Store(out / STORE, signer_in(out)) as store:
        log = JsonlSink(out, EventsConfig())
        evidence = EvidenceFolder(out, Sealer([keys[1]]))
        recorder = Recorder(store, evidence, log, Making(info, info, "1"), states="all", clock=lambda: NOW)
        preview = full(make_passage, state="preview")
        events = recorder.record([preview]) + recorder.record(
            [replace(preview, state="final"), full(make_passage, "1-2", crop=PICTURE[:20])]
        )
        log.close()
    return out, events


def test_no_byte_of_a_plain_picture_is_in_any_file(record: tuple[Path, list[dict[str, Any]]], make_passage: Callable[..., Any]) -> None:
    out, events = record
    for event in events:
        jsonschema.validate(event, event_schema())
        assert all(picture["sealed"]["to"] for picture in event["evidence"])
    assert events[1]["evidence"] == events[0]["evidence"], "the final event has the files of its preview"
    plain = [cv2.imencode(".png", crop)[1].tobytes() for crop in (make_passage().crop, PICTURE[:20])] + [encoded(".jpg")]
    everything = b"".join(file.read_bytes() for file in out.rglob("*") if file.is_file())
    for content in plain:
        assert not any(content[start : start + 24] in everything for start in range(len(content) // 4, len(content) - 24, 7))
    assert b"\x89PNG" not in everything
    assert b"\xff\xd8\xff" not in everything
    assert found_in(out, *(hashlib.sha256(content).hexdigest()[:12] for content in plain)) == []


def test_who_has_no_key_can_verify_and_purge(record: tuple[Path, list[dict[str, Any]]]) -> None:
    out, events = record
    assert faults(out) == []
    file = out / events[2]["evidence"][0]["file"]
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert any("was changed" in fault for fault in faults(out))
    file.write_bytes(content)
    with Store(out / STORE, signer_in(out)) as store:
        Purge(store, out, clock=lambda: NOW, pause=lambda seconds: False).run(Limits(reads_days=1))
    assert list(out.rglob("*.age")) == []
    assert faults(out) == []


@pytest.mark.usefixtures("no_purpose")
def test_unseal(record: tuple[Path, list[dict[str, Any]]], keys: tuple[Path, str, Path, str], tmp_path: Path, run: Run) -> None:
    out, events = record
    one, _, other, _ = keys
    more = ("--folder", out, "--purpose", "case 7")
    done = run("unseal", events[0]["event_id"], "--key", one, "--out", tmp_path / "a", *more)
    assert done.code == 0, done.said
    opened = {file.name: file for file in (tmp_path / "a").iterdir()}
    assert sorted(opened) == sorted(Path(plain_name(picture["file"])).name for picture in events[0]["evidence"])
    for picture in events[0]["evidence"]:
        file = opened[Path(plain_name(picture["file"])).name]
        assert file.stat().st_mode & 0o777 == 0o600
        assert hashlib.sha256(file.read_bytes()).hexdigest() == picture["sealed"]["plain_sha256"]
        assert cv2.imread(str(file)).shape[:2] == (picture["height"], picture["width"])
    assert run("unseal", out / "crops", "--key", one, "--key", other, "--out", tmp_path / "b", *more).code == 0
    assert len(list((tmp_path / "b").iterdir())) == 2
    done = run("audit", out)
    assert done.said.count("unseal") == 2
    assert "case 7" in done.said
    done = run("unseal", out / events[0]["evidence"][0]["file"], "--key", other, "--out", tmp_path / "c", *more)
    assert (done.code, (tmp_path / "c").exists()) == (1, False)
    assert "cannot be opened with the keys that were given" in done.said
    for arguments, what in (
        (("nothing", "--key", one, "--out", tmp_path / "d"), "no such event"),
        ((events[0]["event_id"], "--key", one, "--out", tmp_path / "a"), "is there already"),
        ((events[0]["event_id"], "--key", out / "events.jsonl", "--out", tmp_path / "d"), "does not begin with AGE-SECRET-KEY-"),
        ((one, "--key", one, "--out", tmp_path / "d"), "is neither sealed"),
        ((tmp_path / "a", "--key", one, "--out", tmp_path / "d"), "nothing sealed is there"),
    ):
        done = run("unseal", *arguments, *more)
        assert (done.code, what in done.said) == (2, True), done.said
    done = run("unseal", events[0]["event_id"], "--key", one, "--out", tmp_path / "d", "--folder", out)
    assert (done.code, "--purpose" in done.said) == (2, True)


def test_export_packs_what_is_sealed_and_opens_it_for_the_holder_of_the_key(
    record: tuple[Path, list[dict[str, Any]]], keys: tuple[Path, str, Path, str], tmp_path: Path, run: Run
) -> None:
    out, events = record
    args = ("export", events[0]["event_id"], "--folder", out, "--purpose", "case 7", "--out")
    done = run(*args, tmp_path / "closed.zip")
    assert done.code == 0
    assert "2 of them sealed; --key opens them" in done.said
    with zipfile.ZipFile(tmp_path / "closed.zip") as archive:
        page = archive.read("report.html").decode()
        assert {f"evidence/{picture['file']}" for picture in events[1]["evidence"]} <= set(archive.namelist())
    assert "data:image" not in page
    assert page.count("sealed; only the holder of a key") == 2
    assert "2 plates of others" in page
    assert run("verify", tmp_path / "closed.zip").code == 0
    assert run("unseal", tmp_path / "closed.zip", "--key", keys[0], "--out", tmp_path / "x", "--purpose", "case 7").code == 0
    assert len(list((tmp_path / "x").iterdir())) == 2

    assert run(*args, tmp_path / "wrong.zip", "--key", keys[2]).code == 2
    assert not (tmp_path / "wrong.zip").exists()
    assert run(*args, tmp_path / "open.zip", "--key", keys[0]).code == 0
    with zipfile.ZipFile(tmp_path / "open.zip") as archive:
        page = archive.read("report.html").decode()
        content = {name: archive.read(name) for name in archive.namelist()}
    assert "data:image/png;base64," in page
    assert "data:image/jpeg;base64," in page
    assert run("verify", tmp_path / "open.zip").code == 0
    name = next(name for name in content if name.startswith("opened/"))
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        for one, data in (content | {name: content[name] + b"x"}).items():
            archive.writestr(one, data)
    assert any("is not what was sealed" in str(fault) for fault in check_package(tmp_path / "bad.zip", None, Verified()))


def test_who_asks_for_their_data_gets_pictures_opened(
    record: tuple[Path, list[dict[str, Any]]], keys: tuple[Path, str, Path, str], tmp_path: Path, run: Run
) -> None:
    out, _ = record
    for name, more, ending in (("a.zip", (), ".png.age"), ("b.zip", ("--key", keys[0]), ".png")):
        done = run("subject", "--plate", "KA12BC", "--out", tmp_path / name, "--purpose", "request 3", out, *more)
        assert done.code == 0, done.said
        with zipfile.ZipFile(tmp_path / name) as archive:
            crops = [one for one in archive.namelist() if one.startswith("crops/")]
            assert len(crops) == 2
            assert all(one.endswith(ending) for one in crops)
            assert json.loads(archive.read("subject.json"))["pictures"] == 2


def test_a_key_pair_is_made_once_and_the_private_half_is_the_owner_s(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "new" / "key.txt"
    done = run("seal-key", file)
    assert done.code == 0
    assert done.said.startswith("age1")
    assert "AGE-SECRET-KEY" not in done.said
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert Config(evidence={"seal_to": [done.said.split()[0]]}).evidence.seal_to == (done.said.split()[0],)
    before = file.read_bytes()
    done = run("seal-key", file)
    assert (done.code, "is there already" in done.said) == (2, True)
    assert file.read_bytes() == before


def test_keys_in_the_configuration(tmp_path: Path, keys: tuple[Path, str, Path, str]) -> None:
    one, public, *_ = keys
    secret = one.read_text().splitlines()[-1]
    file = tmp_path / "c.yaml"
    for value in (secret, "age1x", public.upper()):
        file.write_text(f"evidence:\n  seal_to:\n  - {value}\n")
        (problem,) = check(file)
        assert problem.line == 3
        assert "must be a public key of age" in str(problem)
        assert secret not in str(problem)
    typo = public[:-1] + ("q" if public[-1] != "q" else "p")
    with pytest.raises(UsageError, match="has a typing mistake"):
        sealer_of([typo], None)
    with pytest.raises(UsageError, match="is a private key, which must not be on this machine") as raised:
        sealer_of([], one)
    assert secret not in str(raised.value)
    with pytest.raises(UsageError, match="cannot be read"):
        sealer_of([], tmp_path / "none.txt")
    (tmp_path / "bad.txt").write_text(secret[:-1] + "\n")
    with pytest.raises(UsageError, match="has a mistake in it") as raised:
        Opener([tmp_path / "bad.txt"])
    assert secret[:-1] not in str(raised.value)
    assert sealer_of([], None) is None


def test_no_video_is_drawn_beside_sealed_evidence(tmp_path: Path, data: Path, keys: tuple[Path, str, Path, str]) -> None:
    config = Config(evidence={"seal_to": [keys[1]]})
    clip = str(data / "clips" / "gb_one_car_720p.mp4")
    with pytest.raises(UsageError, match="--annotate: writes a video that anybody can see"):
        run_replay(config, [clip], out=tmp_path / "out", annotate=True, as_json=False, every=None, start=None)
    assert not (tmp_path / "out").exists()
