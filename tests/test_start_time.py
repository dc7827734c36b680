"""When recordings began: names of real recorders, metadata, zones, and the order in which they are believed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import UsageError
from streamer.sources import StartRules, recording_start
from streamer.sources.start_time import time_by_pattern, time_in_metadata, time_in_name

NOON = datetime(2024, 5, 1, 13, 45, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "2024-05-01_13-45-00.mp4",
        "2024-05-01 13.45.00.mkv",
        "2024-05-01T13:45:00Z.mp4",
        "2024-05-01T15:45:00+02:00.mp4",
        "2024-05-01T15:45:00+0200.mp4",
        "20240501134500.mp4",
        "20240501_134500.mp4",
        "20240501-134500.ts",
        "20240501T134500Z.mp4",
        "gate2_20240501134500.avi",
        "2024_0501_134500_001F.MP4",  # dash-cams
        "ch01_20240501134500.mp4",  # Hikvision
        "192.168.1.64_01_20240501134500000_VEHICLE_DETECTION.jpg",  # Hikvision
        "NVR_ch1_main_20240501134500_20240501135000.dav",  # Dahua
        "2024-05-01/001/dav/13/13.45.00-13.50.00[R][0@0][0].dav",  # Dahua
        "recordings/2024-05-01/13/front_door/45.00.mp4",  # Frigate
        "front_door-1714571100.000000-x7k2pq.mp4",  # Frigate
        "RecM01_20240501_134500_134530_0_A71C8E000_2B9F.mp4",  # Reolink
        "Camera1_00_20240501134500.mp4",  # Reolink
        "45M00S_1714571100.mp4",  # Xiaomi
        "VID_20240501_134500.mp4",
        "WIN_20240501_13_45_00_Pro.mp4",
        "PXL_20240501_134500000.mp4",
        "1714571100.mp4",
        "1714571100000.mp4",
        "1714571100000000.mp4",
        "Screen Recording 2024-05-01 at 13.45.00.mov",
        "cam_99999999_20240501_134500.mp4",  # a number before it that is no date
        "20249901_134500__20240501_134500.mp4",
    ],
)
def test_common_names_tell_their_time(name: str) -> None:
    assert time_in_name(Path("/videos") / name) == NOON


@pytest.mark.parametrize(
    "name",
    [
        "clip.mp4",
        "2024-05-01.mp4",
        "part_000123.mp4",
        "20240501.mp4",
        "20241301_134500.mp4",
        "20240501_254500.mp4",
        "0123456789.mp4",
        "120240501134500.mp4",
        "1080p_h264_60fps.mp4",
        "99999999999999.mp4",
    ],
)
def test_names_without_a_time_tell_none(name: str) -> None:
    assert time_in_name(Path("/videos") / name) is None


def test_decimals_of_the_second_are_kept() -> None:
    assert time_in_name(Path("20240501_134500.250.jpg")) == NOON + timedelta(milliseconds=250)
    assert time_in_name(Path("20240501134500123.jpg")) == NOON + timedelta(milliseconds=123)
    assert time_in_name(Path("1714571100.5.jpg")) == NOON + timedelta(milliseconds=500)


def test_a_time_without_offset_is_taken_in_the_zone_and_one_with_it_is_not() -> None:
    berlin = "Europe/Berlin"
    assert time_in_name(Path("20240501_134500.mp4"), berlin) == NOON - timedelta(hours=2)
    assert time_in_name(Path("20240101_134500.mp4"), berlin) == datetime(2024, 1, 1, 12, 45, tzinfo=UTC)
    assert time_in_name(Path("2024-05-01T13:45:00Z.mp4"), berlin) == NOON
    assert time_in_name(Path("PXL_20240501_134500000.mp4"), berlin) == NOON, "this recorder writes UTC"
    assert time_in_name(Path("a/2024-05-01/13/door/45.00.mp4"), berlin) == NOON, "this recorder writes UTC"


@given(
    st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001 (hypothesis wants them so)
    st.sampled_from(["%Y%m%d%H%M%S", "%Y-%m-%d_%H-%M-%S", "%Y%m%dT%H%M%S"]),
)
def test_what_a_recorder_writes_is_read_back(moment: datetime, form: str) -> None:
    assert time_in_name(Path(f"cam {moment:{form}} x.mp4")) == moment.replace(microsecond=0, tzinfo=UTC)


def test_the_users_pattern_is_searched_in_the_name() -> None:
    pattern = r"(?P<day>\d\d)(?P<month>\d\d)(?P<year>\d\d) (?P<hour>\d\d)h(?P<minute>\d\d)m(?P<second>\d\d)(?:,(?P<microsecond>\d+))?"
    assert time_by_pattern("gate 010524 13h45m00,5.mp4", pattern) == NOON + timedelta(milliseconds=500)
    assert time_by_pattern("gate 010524 13h45m00.mp4", pattern, "Europe/London") == NOON - timedelta(hours=1)
    assert time_by_pattern("gate.mp4", pattern) is None
    assert time_by_pattern("x1714571100y", r"x(?P<epoch>\d+)y") == NOON


@pytest.mark.parametrize(
    ("pattern", "why"), [("(", "is not a regular expression"), (r"(?P<year>\d+)", "lacks the groups month, day, hour, minute, second")]
)
def test_a_pattern_that_cannot_be_used_is_refused_by_name(pattern: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        StartRules(pattern=pattern)
    assert why in str(caught.value)
    assert repr(pattern) in str(caught.value)


@pytest.mark.parametrize("zone", ["Europe/Berln", "", "../etc/passwd", "Europe"])
def test_an_unknown_zone_is_refused_by_name(zone: str) -> None:
    with pytest.raises(UsageError, match="IANA name"):
        StartRules(time_zone=zone)


@pytest.mark.parametrize("unset", ["1904-01-01T00:00:00.000000Z", "1970-01-01T00:00:00Z", "1980-01-06T00:00:00Z", "soon", "", "2024"])
def test_clocks_that_were_never_set_are_not_believed(unset: str) -> None:
    assert time_in_metadata({"creation_time": unset}) is None


def test_metadata_tell_the_time_and_apples_own_tag_tells_it_best() -> None:
    assert time_in_metadata({}) is None
    assert time_in_metadata({"creation_time": "2024-05-01T13:45:00.000000Z"}) == NOON
    apple = {"creation_time": "2024-05-02T00:00:00Z", "com.apple.quicktime.creationdate": "2024-05-01T15:45:00+0200"}
    assert time_in_metadata(apple) == NOON


def test_the_order_of_belief(tmp_path: Path) -> None:
    path = tmp_path / "20240501_134500 epoch 1700000000.mp4"
    path.touch()
    os.utime(path, (1_600_000_100, 1_600_000_100))
    recorded = {"creation_time": "2023-01-01T00:00:00Z"}
    pattern = r"epoch (?P<epoch>\d+)"
    told = datetime(2022, 1, 1, 12, tzinfo=timezone(timedelta(hours=1)))

    def start(rules: StartRules, metadata: dict[str, str], file: Path = path) -> tuple[datetime, str]:
        return recording_start(file, rules, metadata=metadata, duration_s=100.0)

    assert start(StartRules(start=told, pattern=pattern), recorded) == (datetime(2022, 1, 1, 11, tzinfo=UTC), "option")
    assert start(StartRules(pattern=pattern), recorded) == (datetime.fromtimestamp(1_700_000_000, UTC), "file_name")
    assert start(StartRules(), recorded) == (datetime(2023, 1, 1, tzinfo=UTC), "metadata")
    assert start(StartRules(), {}) == (NOON, "file_name")
    plain = path.rename(tmp_path / "clip.mp4")
    assert start(StartRules(), {}, plain) == (datetime.fromtimestamp(1_600_000_000, UTC), "file_time")


def test_a_start_without_offset_is_taken_in_the_zone() -> None:
    rules = StartRules(start=datetime(2024, 7, 1, 12), time_zone="Europe/Berlin")  # noqa: DTZ001
    assert recording_start(Path("x"), rules, metadata={}, duration_s=None) == (datetime(2024, 7, 1, 10, tzinfo=UTC), "option")


def test_a_pattern_that_does_not_fit_a_name_is_reported_and_the_others_are_asked(caplog: pytest.LogCaptureFixture) -> None:
    rules = StartRules(pattern=r"epoch(?P<epoch>\d+)")
    assert recording_start(Path("20240501_134500.mp4"), rules, metadata={}, duration_s=None) == (NOON, "file_name")
    assert "does not fit" in caplog.text
