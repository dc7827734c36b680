"""From what a user names to recordings and their sources; folders of pictures."""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamer.errors import SourceError, UsageError
from streamer.ports import Picture, RecordedSource
from streamer.sources import PictureFolder, Recording, StartRules, find_recordings, sessions_of
from tests.make_clips import make_clip, number_of, numbered_picture, steady

START = datetime(2026, 5, 1, 8, tzinfo=UTC)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def save(path: Path, number: int, parameters: list[int] | None = None) -> Path:
    encoded, data = cv2.imencode(path.suffix, numbered_picture(number), parameters or [])
    assert encoded
    data.tofile(path)
    return path


def pictures_of(source: RecordedSource) -> list[Picture]:
    source.open()
    return list(iter(source.read, None))


def test_a_folder_gives_its_videos_in_natural_order_and_its_pictures_as_one(tmp_path: Path) -> None:
    touch(tmp_path, "cam10.mp4", "cam2.MKV", "cam2.txt", ".hidden.mp4", "p10.jpg", "p9.webp", "deeper/x.mp4")
    assert find_recordings([tmp_path]) == [
        Recording(tmp_path / "cam2.MKV"),
        Recording(tmp_path / "cam10.mp4"),
        Recording(tmp_path, (tmp_path / "p9.webp", tmp_path / "p10.jpg")),
    ]


def test_files_keep_the_order_given_and_come_once(tmp_path: Path) -> None:
    touch(tmp_path, "b.mp4", "a.mp4", "odd.name")
    found = find_recordings([tmp_path / "odd.name", str(tmp_path / "b.mp4"), tmp_path])
    assert [recording.path.name for recording in found] == ["odd.name", "b.mp4", "a.mp4"]


def test_patterns(tmp_path: Path) -> None:
    touch(tmp_path, "a1.mp4", "a10.mp4", "a9.mp4", "notes.txt", "cam1/x.mp4", "cam2/deep/y.mp4", "cam2/1.png", "raw/z.bin")
    assert [r.path.name for r in find_recordings([tmp_path / "a*.mp4"])] == ["a1.mp4", "a9.mp4", "a10.mp4"]
    assert [str(r.path.relative_to(tmp_path)) for r in find_recordings([tmp_path / "*"])] == [
        "a1.mp4",
        "a9.mp4",
        "a10.mp4",
        "cam1/x.mp4",
        "cam2",
    ]
    assert [r.path.name for r in find_recordings([tmp_path / "**/*.mp4"])][-2:] == ["x.mp4", "y.mp4"]
    assert [r.path.name for r in find_recordings([tmp_path / "raw/*"])] == ["z.bin"]


def test_a_name_with_brackets_is_a_name_first(tmp_path: Path) -> None:
    touch(tmp_path, "13.45.00[R][0@0][0].dav")
    assert find_recordings([tmp_path / "13.45.00[R][0@0][0].dav"])[0].path.name == "13.45.00[R][0@0][0].dav"


def test_the_home_folder_may_be_abbreviated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    touch(tmp_path, "a.mp4")
    assert find_recordings(["~/a.mp4"]) == [Recording(tmp_path / "a.mp4")]


@pytest.mark.parametrize(("name", "words"), [("no.mp4", "no such file"), ("no*.mp4", "pattern"), ("empty", "no video and no picture")])
def test_what_is_not_there_is_named(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=words) as caught:
        find_recordings([tmp_path / name])
    assert str(tmp_path / name) in str(caught.value)


def test_pictures_follow_each_other_at_the_rate(tmp_path: Path) -> None:
    for number in range(12):
        save(tmp_path / f"p{number}.png", number)
    (recording,) = find_recordings([tmp_path])
    assert recording.look(2.0).duration_s == 6.0
    (make,) = sessions_of([recording], StartRules(start=START), picture_fps=2.0)
    pictures = pictures_of(make())
    assert [picture.t for picture in pictures] == [number / 2 for number in range(12)]
    assert [number_of(picture.convert()) for picture in pictures] == list(range(12))
    assert pictures[3].wall == START + timedelta(seconds=1.5)
    assert pictures[3].clock == "option"
    with pytest.raises(ValueError, match="read-only"):
        pictures[0].convert()[0, 0] = 1


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp", "tif"])
def test_kinds_of_pictures_and_names_that_are_not_ascii(tmp_path: Path, ending: str) -> None:
    path = save(tmp_path / f"Fahrzeug 自動車.{ending}", 77)
    (make,) = sessions_of(find_recordings([path]))
    assert number_of(pictures_of(make())[0].convert()) == 77


def test_times_in_all_names_are_used(tmp_path: Path) -> None:
    for second in (7, 0, 3):
        save(tmp_path / f"cam_20240501_1345{second:02d}.jpg", second)
    (make,) = sessions_of(find_recordings([tmp_path]), picture_fps=5.0)
    pictures = pictures_of(make())
    assert [picture.t for picture in pictures] == [0.0, 3.0, 7.0]
    assert pictures[0].wall == datetime(2024, 5, 1, 13, 45, tzinfo=UTC)
    assert pictures[0].clock == "file_name"


def test_times_that_do_not_tell_the_pictures_apart_give_only_the_start(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / f"20240501_134500_{number}.jpg", number)
    (make,) = sessions_of(find_recordings([tmp_path]), picture_fps=4.0)
    pictures = pictures_of(make())
    assert [picture.t for picture in pictures] == [0.0, 0.25, 0.5]
    assert pictures[0].wall == datetime(2024, 5, 1, 13, 45, tzinfo=UTC)


def test_the_users_pattern_reads_the_times_of_pictures(tmp_path: Path) -> None:
    for number in (1, 2, 4):
        save(tmp_path / f"x{1_714_571_100 + number}.png", number)
    (make,) = sessions_of(find_recordings([tmp_path]), StartRules(pattern=r"x(?P<epoch>\d+)"))
    assert [picture.t for picture in pictures_of(make())] == [0.0, 1.0, 3.0]


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    path = save(tmp_path / "turned.jpg", 5)
    # An APP1 segment with the one tag Orientation = 6: the top of the picture is at the right of what is stored.
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    (make,) = sessions_of(find_recordings([path]))
    image = pictures_of(make())[0].convert()
    assert image.shape == (160, 96, 3)
    assert np.abs(image.astype(int) - np.rot90(numbered_picture(5), -1)).mean() < 6


def test_unreadable_pictures_are_reported_skipped_and_leave_their_time_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(4):
        save(tmp_path / f"p{number}.png", number)
    (tmp_path / "p1.png").write_bytes(b"no picture")
    (tmp_path / "p2.png").write_bytes(b"")
    promise = struct.pack(">4sIIBBBBB", b"IHDR", 60_000, 60_000, 8, 2, 0, 0, 0)  # 10 GB of pixels
    (tmp_path / "p4.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + promise + struct.pack(">I", zlib.crc32(promise)))
    (make,) = sessions_of(find_recordings([tmp_path]))
    source = make()
    assert [picture.t for picture in pictures_of(source)] == [0.0, 3.0]
    assert source.damaged == 3
    assert "p1.png" in caplog.text
    assert "p2.png" in caplog.text


def test_a_folder_without_a_readable_picture_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg")
    (make,) = sessions_of(find_recordings([tmp_path]))
    with pytest.raises(SourceError, match="none of its 2 pictures"):
        pictures_of(make())


def test_interrupted_pictures_end(tmp_path: Path) -> None:
    source = PictureFolder("x", [save(tmp_path / "a.png", 1)] * 2, [0.0, 1.0], start=START, clock="option")
    assert source.read() is not None
    source.interrupt()
    assert source.read() is None


def test_one_start_for_several_recordings_is_that_of_the_first(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        make_clip(tmp_path / name, steady(50))
    save(tmp_path / "p.png", 1)
    walls = [pictures_of(make())[0].wall for make in sessions_of(find_recordings([tmp_path]), StartRules(start=START))]
    assert [(wall - START).total_seconds() for wall in walls] == pytest.approx([0.0, 2.0, 4.0], abs=0.05)


def test_each_recording_has_its_own_start_otherwise(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", steady(5), metadata={"creation_time": "2024-05-01T13:45:00Z"})
    make_clip(tmp_path / "b_20240502_134500.mp4", steady(5))
    firsts = [pictures_of(make())[0] for make in sessions_of(find_recordings([tmp_path]))]
    assert [(first.wall.day, first.clock) for first in firsts] == [(1, "metadata"), (2, "file_name")]


def test_a_file_that_vanished_says_so_when_it_is_opened(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    (make,) = sessions_of(find_recordings([tmp_path]))
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(SourceError) as caught:
        make().open()
    assert caught.value.reason == "missing"
