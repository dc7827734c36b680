"""Recorded video: every picture, at its time, upright, in its colours; and what becomes of damaged files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import SourceError
from streamer.ports import Picture
from streamer.sources import RecordedFile, look_at
from streamer.sources.orientation import Turn, turn_of
from streamer.sources.timeline import Timeline
from streamer.types import Image
from tests.make_clips import make_clip, number_of, numbered_picture, steady

START = datetime(2026, 5, 1, 8, tzinfo=UTC)


def read_all(path: Path) -> tuple[RecordedFile, list[tuple[Picture, Image]]]:
    source = RecordedFile(path, start=START, clock="metadata")
    source.open()
    pictures = []
    while (picture := source.read()) is not None:
        pictures.append((picture, picture.convert()))
    source.close()
    return source, pictures


def numbers(pictures: Sequence[tuple[Picture, Image]]) -> list[int]:
    return [number_of(image) for _, image in pictures]


def error_of(path: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read_all(path)
    assert str(path) in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mov", "libx264", "yuv422p"),
        ("a.mkv", "ffv1", "yuv420p"),
        ("a.ts", "libx264", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("a.flv", "libx264", "yuv420p"),
        ("b.mkv", "mjpeg", "yuvj420p"),
        ("c.mkv", "libx264", "yuv420p10le"),
    ],
)
def test_containers_and_codecs_give_every_picture_at_its_time(tmp_path: Path, name: str, codec: str, pixel_format: str) -> None:
    path = make_clip(tmp_path / name, steady(40), codec=codec, pixel_format=pixel_format, time_base=Fraction(1, 25))
    source, pictures = read_all(path)
    assert numbers(pictures) == list(range(40))
    assert [picture.t for picture, _ in pictures] == pytest.approx(steady(40), abs=0.002)
    assert all(picture.wall == START + timedelta(seconds=picture.t) and picture.clock == "metadata" for picture, _ in pictures)
    assert (source.frames, source.damaged, source.missing_s) == (40, 0, 0.0)
    assert source.duration_s == pytest.approx(1.6, abs=0.1)
    assert source.frame_count == pytest.approx(40, abs=2)


def test_a_stream_without_time_stamps_gets_the_usual_distance(tmp_path: Path) -> None:
    source, pictures = read_all(make_clip(tmp_path / "raw.h264", steady(30)))
    assert numbers(pictures) == list(range(30))
    assert [picture.t for picture, _ in pictures] == pytest.approx(steady(30))
    assert source.duration_s is None


def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = np.cumsum([0.0, *np.random.default_rng(3).choice([0.02, 0.04, 0.5, 7.0], 30)]).tolist()
    source, pictures = read_all(make_clip(tmp_path / "vfr.mp4", times))
    assert [picture.t for picture, _ in pictures] == pytest.approx(times, abs=0.001)
    assert source.missing_s == 0.0


def test_times_count_from_the_start_of_the_recording_wherever_its_stamps_begin(tmp_path: Path) -> None:
    _, pictures = read_all(make_clip(tmp_path / "late.ts", [5000.0 + t for t in steady(20)]))
    assert [picture.t for picture, _ in pictures] == pytest.approx(steady(20), abs=0.001)


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_pictures_are_upright(tmp_path: Path, rotation: int) -> None:
    path = make_clip(tmp_path / "turned.mp4", steady(3), rotation=rotation)
    _, pictures = read_all(path)
    image = pictures[1][1]
    upright = np.rot90(numbered_picture(1), rotation // 90)
    assert image.shape == upright.shape
    assert np.abs(image.astype(int) - upright).mean() < 6


@pytest.mark.parametrize(
    ("matrix", "points"),
    [  # a b c d of the display matrix, and where the stored corners (top left, top right) are shown in a 2x3 picture
        ((1, 0, 0, 1), ((0, 0), (0, 2))),
        ((-1, 0, 0, 1), ((0, 2), (0, 0))),
        ((1, 0, 0, -1), ((1, 0), (1, 2))),
        ((0, 1, 1, 0), ((0, 0), (2, 0))),
        ((0, 1, -1, 0), ((0, 1), (2, 1))),
    ],
)
def test_mirrored_and_turned_pictures_follow_the_display_matrix(
    matrix: tuple[int, int, int, int], points: tuple[tuple[int, int], tuple[int, int]]
) -> None:
    a, b, c, d = (value * 65536 for value in matrix)
    stored = np.zeros((2, 3, 3), np.uint8)
    stored[0, 0], stored[0, 2] = 1, 2
    shown = turn_of(np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32).tobytes()).apply(stored)
    assert [tuple(np.argwhere(shown[:, :, 0] == value)[0]) for value in (1, 2)] == list(points)
    assert shown.flags.c_contiguous


def test_what_is_upright_is_not_copied() -> None:
    image = numbered_picture(1)
    assert Turn().apply(image) is image


@pytest.mark.parametrize(("pixel_format", "full_range"), [("yuv420p", False), ("yuvj420p", True), ("yuv444p", False), ("bgr0", False)])
def test_colours_come_back_as_they_were(tmp_path: Path, pixel_format: str, full_range: bool) -> None:
    path = make_clip(
        tmp_path / "c.mkv", steady(2), codec="mjpeg" if full_range else "ffv1", pixel_format=pixel_format, full_range=full_range
    )
    _, pictures = read_all(path)
    image, truth = pictures[1][1], numbered_picture(1)
    for y, x in [(80, 20), (80, 140), (20, 8), (20, 150)]:  # blue, red, white, black; away from the edges
        assert np.abs(image[y, x].astype(int) - truth[y, x]).max() <= 6
    with av.open(str(path)) as container:
        reference = list(container.decode(video=0))[1].to_ndarray(format="bgr24")
    assert np.abs(image.astype(int) - reference).max() <= 2


@pytest.mark.parametrize("size", [(161, 97), (160, 97), (161, 96)])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    _, pictures = read_all(make_clip(tmp_path / "odd.mkv", steady(3), codec="ffv1", size=size))
    assert [image.shape for _, image in pictures] == [(size[1], size[0], 3)] * 3
    assert numbers(pictures) == [0, 1, 2]
    assert all(image.flags.c_contiguous for _, image in pictures)


def test_pictures_are_read_only_and_stay_as_they_are(tmp_path: Path) -> None:
    _, pictures = read_all(make_clip(tmp_path / "a.mp4", steady(60)))
    assert numbers(pictures) == list(range(60)), "a picture that is kept is not overwritten by later ones"
    with pytest.raises(ValueError, match="read-only"):
        pictures[0][1][0, 0] = 1


def test_the_size_may_change_in_the_middle(tmp_path: Path) -> None:
    small = make_clip(tmp_path / "small.ts", steady(10)).read_bytes()
    large = make_clip(tmp_path / "large.ts", [0.4 + t for t in steady(10)], size=(320, 192)).read_bytes()
    both = tmp_path / "both.ts"
    both.write_bytes(small + large)
    _, pictures = read_all(both)
    assert [image.shape for _, image in pictures] == [(96, 160, 3)] * 10 + [(192, 320, 3)] * 10


def test_files_joined_end_to_end_go_on_counting(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    part = make_clip(tmp_path / "part.ts", steady(25), options={"bf": "0"}).read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part + part)
    _, pictures = read_all(joined)
    assert [picture.t for picture, _ in pictures] == pytest.approx(steady(50), abs=0.001)
    assert "1 jumps" in caplog.text


def test_names_that_look_like_addresses_or_are_not_ascii(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "a.mp4", steady(3))
    for name in ("2024-05-01T13:45:00.mp4", "http:x.mp4", "Straße 自動車 %03d.mp4", "13.45.00[R][0@0][0].mp4"):
        odd = tmp_path / name
        odd.write_bytes(plain.read_bytes())
        assert len(read_all(odd)[1]) == 3


def test_metadata_that_are_not_utf8_do_no_harm(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", steady(3), metadata={"title": "Strasse"})
    path.write_bytes(path.read_bytes().replace(b"Strasse", b"Stra\xdfen"))
    assert len(read_all(path)[1]) == 3


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_a_truncated_file_gives_all_that_is_left_and_says_what_is_missing(tmp_path: Path, name: str) -> None:
    index_first = {"movflags": "faststart"} if name == "cut.mp4" else None
    whole = make_clip(tmp_path / f"whole-{name}", steady(250), options={"bf": "0"}, muxer_options=index_first)
    data = whole.read_bytes()
    cut = tmp_path / name
    cut.write_bytes(data[: len(data) // 2])
    source, pictures = read_all(cut)
    assert source.duration_s == pytest.approx(10.0, abs=0.1)
    assert 60 < source.frames < 200
    assert numbers(pictures) == list(range(source.frames))
    assert source.missing_s == pytest.approx(10.0 - source.frames / 25, abs=0.2)


def test_damage_in_the_middle_costs_only_what_depends_on_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = make_clip(tmp_path / "a.mp4", steady(200), gop=10)
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for position, size in packets[100:103]:
        data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        source, pictures = read_all(path)
    came = numbers(pictures)
    assert came[:90] == list(range(90))
    assert came[-80:] == list(range(120, 200))
    assert source.damaged >= 3
    assert caplog.text.count("damaged") == 1, "said once, then counted"


def test_nothing_of_libav_reaches_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = make_clip(tmp_path / "a.mkv", steady(100))
    data = np.fromfile(path, np.uint8)
    data[np.random.default_rng(1).integers(5000, len(data), 60)] ^= 0xFF
    data.tofile(path)
    capfd.readouterr()
    read_all(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_whatever_is_damaged_nothing_breaks_and_times_only_go_forward(tmp_path: Path, name: str) -> None:
    whole = np.fromfile(make_clip(tmp_path / name, steady(60)), np.uint8)
    path = tmp_path / f"damaged-{name}"
    for seed in range(25):
        choose = np.random.default_rng(seed)
        data = whole.copy()
        count = choose.choice([1, 10, 100])
        data[choose.integers(len(data), size=count)] = choose.integers(256, size=count)
        (data[: choose.integers(len(data))] if seed % 3 == 0 else data).tofile(path)
        try:
            _, pictures = read_all(path)
        except SourceError:
            continue
        assert all(earlier.t < later.t for (earlier, _), (later, _) in pairwise(pictures))


def test_files_that_are_no_video_say_what_they_are(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4", steady(20)).read_bytes()
    contents: dict[str, tuple[bytes, str, str]] = {
        "empty.mp4": (b"", "empty", "is empty"),
        "random.mp4": (np.random.default_rng(1).bytes(5000), "damaged", "not a video"),
        "text.mp4": (b"Dear reader,\nthis is no film.\n" * 40, "damaged", "is text"),
        "unfinished.mp4": (whole[: whole.index(b"moov") - 4], "damaged", "moov"),
        "subtitles.mp4": (b"1\n00:00:01,000 --> 00:00:02,000\nhello\n\n", "unsupported", "no video"),
        "list.mp4": (b"ffconcat version 1.0\nfile 'whole.mp4'\n", "unsupported", "is text"),
        "letters.txt": (b"ansi art " * 100, "unsupported", "is text"),
    }
    for name, (content, reason, words) in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        error = error_of(path)
        assert (name, error.reason) == (name, reason)
        assert words in str(error)
        assert look_at(path).duration_s is None
    assert error_of(tmp_path / "nowhere.mp4").reason == "missing"
    assert error_of(tmp_path).reason == "permission"


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.mka"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert error_of(path).reason == "unsupported"


def test_a_file_says_what_it_is_before_it_is_read(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", steady(50), metadata={"creation_time": "2024-05-01T13:45:00Z"})
    look = look_at(path)
    assert (look.duration_s, look.frame_count) == (pytest.approx(2.0, abs=0.05), 50)
    assert look.metadata["creation_time"].startswith("2024-05-01T13:45:00")


def test_interrupt_ends_the_reading_and_close_may_come_twice(tmp_path: Path) -> None:
    source = RecordedFile(make_clip(tmp_path / "a.mp4", steady(50)), start=START, clock="option")
    source.open()
    assert source.read() is not None
    source.interrupt()
    assert source.read() is None
    assert source.missing_s == 0.0, "what nobody wanted is not missing"
    source.close()
    source.close()


@pytest.mark.parametrize(("name", "count", "last_t"), [("gb_one_car_720p.mp4", 140, 4.633), ("vn_toll_gate_720p.mp4", 339, 18.689)])
def test_the_shipped_clips_are_read_whole(data: Path, name: str, count: int, last_t: float) -> None:
    source = RecordedFile(data / "clips" / name, start=START, clock="option")
    source.open()
    times: list[float] = []
    while (picture := source.read()) is not None:
        if not times:
            assert picture.convert().shape == (720, 1280, 3)
        times.append(picture.t)
    assert (source.frames, source.frame_count, source.damaged, source.missing_s) == (count, count, 0, 0.0)
    assert (times[0], times[-1]) == (0.0, pytest.approx(last_t, abs=0.001))


stamps = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6, allow_nan=False)), max_size=50)


@given(stamps)
def test_time_only_goes_forward(stamps: list[float | None]) -> None:
    timeline = Timeline(0.04)
    times = [timeline.place(stamp) for stamp in stamps]
    assert all(earlier < later for earlier, later in pairwise(times))


@given(st.lists(st.floats(0.001, 3000.0), max_size=30))
def test_good_stamps_stay_as_they_are(steps: list[float]) -> None:
    times = np.cumsum([0.0, *steps]).tolist()
    timeline = Timeline(0.04)
    assert [timeline.place(t) for t in times] == times
    assert (timeline.missing, timeline.repeated, timeline.jumps) == (0, 0, 0)


def test_bad_stamps_are_put_right_without_moving_the_good_ones() -> None:
    timeline = Timeline(0.04)
    assert [timeline.place(t) for t in (0.0, 0.04, 0.04, 0.12, 0.08, None, 0.20)] == pytest.approx(
        [0.0, 0.04, 0.041, 0.12, 0.121, 0.161, 0.20]
    )
    assert (timeline.missing, timeline.repeated, timeline.jumps) == (1, 2, 0)


def test_a_count_that_wraps_or_starts_anew_goes_on() -> None:
    timeline = Timeline(0.04)
    assert [timeline.place(t) for t in (10.0, 10.04, 47_531.9, 47_531.94, 0.0, 0.04)] == pytest.approx(
        [10.0, 10.04, 10.08, 10.12, 10.16, 10.2]
    )
    assert timeline.jumps == 2
