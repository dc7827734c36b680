"""The pure parts of the test camera: cutting streams, packing them, requests, the timeline and the lines of faults."""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import UsageError
from streamer.testcamera import AccessUnit, Clip, Codec, Login, TimedFault, join_clips, parse_timed
from streamer.testcamera.annexb import nals_of
from streamer.testcamera.faults import COMMANDS, Faults
from streamer.testcamera.messages import RequestParser
from streamer.testcamera.rtp import bye, header, payloads_of, sender_report
from streamer.testcamera.timeline import Timeline
from tests.rtspclient import Report, Rtp, report_of, rtp_of

CODECS: tuple[Codec, ...] = ("h264", "h265")


@st.composite
def nals(draw: st.DrawFn, codec: Codec) -> bytes:
    """A NAL unit of any type that is no packet type of RTP, never with a start code in it or a zero at its end."""
    if codec == "h264":
        head = bytes((draw(st.integers(0, 3)) << 5 | draw(st.integers(1, 23)),))
    else:
        head = bytes((draw(st.integers(0, 47)) << 1 | draw(st.integers(0, 1)), draw(st.integers(1, 255))))
    size = draw(st.integers(1, 300))
    body = draw(st.binary(min_size=size, max_size=size)).replace(b"\x00\x00", b"\x00\x01")
    return head + body + b"\x80"


def unpacked(codec: Codec, payloads: Sequence[bytes]) -> list[bytes]:
    """What a receiver makes of the payloads, after RFC 6184 section 5 and RFC 7798 section 4.4."""
    units: list[bytes] = []
    length, fragment = (1, 28) if codec == "h264" else (2, 49)
    open_unit = False
    for payload in payloads:
        kind = payload[0] & 31 if codec == "h264" else payload[0] >> 1 & 63
        if kind != fragment:
            assert not open_unit
            units.append(payload)
            continue
        flags = payload[length]
        assert bool(flags & 0x80) is not open_unit, "the first fragment, and only that, says that it is the first"
        assert flags & 0xC0 != 0xC0, "a unit that fits into one packet is not fragmented"
        if flags & 0x80:
            first = payload[0] & 0xE0 | flags & 31 if codec == "h264" else payload[0] & 0x81 | (flags & 63) << 1
            units.append(bytes((first,)) + payload[1:length])
        units[-1] += payload[length + 1 :]
        open_unit = not flags & 0x40
    assert not open_unit
    return units


@pytest.mark.parametrize("codec", CODECS)
@given(data=st.data())
def test_a_receiver_gets_the_units_back(codec: Codec, data: st.DataObject) -> None:
    given_units = data.draw(st.lists(nals(codec), min_size=1, max_size=6))
    limit = data.draw(st.integers(5, 120))
    payloads = payloads_of(codec, given_units, limit)
    assert unpacked(codec, payloads) == given_units
    assert all(0 < len(payload) <= limit for payload in payloads)


@given(data=st.data(), codes=st.lists(st.sampled_from([b"\x00\x00\x01", b"\x00\x00\x00\x01", b"\x00\x00\x00\x00\x01"]), min_size=1))
def test_a_byte_stream_is_cut_into_its_units(data: st.DataObject, codes: list[bytes]) -> None:
    units = [data.draw(nals("h264")) for _ in codes]
    assert list(nals_of(b"".join(code + unit for code, unit in zip(codes, units, strict=True)))) == units


@given(st.integers(0, 2**20), st.integers(0, 2**40), st.integers(0, 2**32 - 1), st.booleans())
def test_a_header_says_what_it_was_given_modulo_its_fields(sequence: int, stamp: int, source: int, marker: bool) -> None:
    packet = header(sequence, stamp, source, marker=marker) + b"payload"
    assert rtp_of(packet) == Rtp(sequence % 2**16, stamp % 2**32, source, marker, b"payload")


ERA_S = 2**32 - 2_208_988_800
"""Seconds from 1970 to 2036, when the seconds of NTP begin again at 0."""


@given(st.floats(0, ERA_S - 1), st.integers(0, 2**33), st.integers(0, 2**33), st.integers(0, 2**33), st.text(max_size=20))
def test_a_report_tells_the_clock_and_is_a_whole_compound_packet(unix_s: float, stamp: int, packets: int, octets: int, name: str) -> None:
    report = sender_report(7, unix_s, stamp, packets, octets, name)
    told = report_of(report)
    assert abs(told.unix_s - unix_s) < 1e-4
    assert told == Report(told.unix_s, stamp % 2**32, packets % 2**32, octets % 2**32)
    kinds = []
    while report:  # every packet of a compound packet says its own length, in words less one
        _, kind, words, source = struct.unpack_from(">BBHI", report)
        assert source == 7
        kinds.append(kind)
        assert len(report) >= 4 * (words + 1)
        report = report[4 * (words + 1) :]
    assert kinds == [200, 202]


def test_a_bye_names_its_source() -> None:
    assert struct.unpack(">BBHI", bye(0x01020304)) == (0x81, 203, 1, 0x01020304)


@given(st.data())
def test_requests_are_the_same_however_their_bytes_arrive(data: st.DataObject) -> None:
    stream = (
        b"OPTIONS rtsp://h/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n$\x01\x00\x03a\r\nSET_PARAMETER rtsp://h/cam RTSP/1.0\r\nCSeq: 2\r\n"
        b"Content-Length: 8\r\n\r\nx: 1\r\n\r\n$\x00\x00\x00PLAY rtsp://h/cam RTSP/1.0\r\nCSeq:3\r\n\r\n"
    )
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)) | {0, len(stream)})
    parser = RequestParser()
    found = [request for begin, end in pairwise(cuts) for request in parser.feed(stream[begin:end])]
    assert [(request.method, request.headers["cseq"]) for request in found] == [("OPTIONS", "1"), ("SET_PARAMETER", "2"), ("PLAY", "3")]


@given(st.binary(max_size=200))
def test_noise_is_no_request_but_does_no_harm(noise: bytes) -> None:
    try:
        RequestParser().feed(noise + b"\r\n\r\n")
    except ValueError:
        return


def test_a_request_without_an_end_is_given_up() -> None:
    with pytest.raises(ValueError, match="without an end"):
        RequestParser().feed(b"x" * 100_000)


@given(st.text(min_size=1), st.text(), st.text())
def test_only_the_password_opens(user: str, password: str, wrong: str) -> None:
    basic, digest = Login(user, password, "basic"), Login(user, password, "digest", nonce="n")

    def answers(word: str) -> tuple[str, str]:
        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        response = md5(f"{md5(f'{user}:camera:{word}')}:n:{md5('PLAY:rtsp://h/cam')}")
        fields = f'username="{user}", realm="camera", nonce="n", uri="rtsp://h/cam", response="{response}"'
        return "Basic " + base64.b64encode(f"{user}:{word}".encode()).decode(), f"Digest {fields}"

    assert basic.accepts("PLAY", answers(password)[0])
    assert digest.accepts("PLAY", answers(password)[1]) or '"' in user
    assert not digest.accepts("SETUP", answers(password)[1])
    assert not basic.accepts("PLAY", answers(password)[1])
    assert not digest.accepts("PLAY", answers(password)[0])
    assert not basic.accepts("PLAY", "")
    if wrong != password:
        assert not basic.accepts("PLAY", answers(wrong)[0])
        assert not digest.accepts("PLAY", answers(wrong)[1])


def test_a_login_does_not_show_its_password() -> None:
    assert "s3cret" not in repr(Login("user", "s3cret"))


def a_clip(gaps: Sequence[int]) -> Clip:
    at = [sum(gaps[:number]) for number in range(len(gaps))]
    return Clip("h264", tuple(AccessUnit((b"\x65\x80",), True, begin) for begin in at), sum(gaps), 25.0, 16, 16)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.integers(1, 90_000), min_size=1, max_size=20), st.integers(0, 200), st.floats(0.1, 10), st.floats(0, 100))
def test_pictures_are_due_one_after_the_other_across_rounds_and_rates(gaps: list[int], number: int, rate: float, later: float) -> None:
    clock = Clock()
    timeline = Timeline(a_clip(gaps), loop=True, clock=clock)
    timeline.start()
    assert timeline.due(0) == clock.now
    clock.now += later
    due = timeline.next_number(clock.now)
    before = timeline.due(due)
    timeline.run_at(rate)
    assert timeline.due(due) - clock.now == pytest.approx((before - clock.now) / rate, abs=1e-6)
    assert timeline.stamp(number + 1) - timeline.stamp(number) == gaps[number % len(gaps)]
    assert timeline.due(number + 1) - timeline.due(number) == pytest.approx(gaps[number % len(gaps)] / 90_000 / rate, abs=1e-6)
    assert timeline.next_number(timeline.due(number)) == number
    assert not timeline.ended


def test_a_clip_that_is_played_once_ends() -> None:
    clock = Clock()
    timeline = Timeline(a_clip([45_000, 45_000]), loop=False, clock=clock)
    assert not timeline.ended, "it has not begun"
    timeline.start()
    assert not timeline.is_over(1)
    assert timeline.is_over(2)
    clock.now += 0.99
    assert not timeline.ended
    clock.now += 0.02
    assert timeline.ended


@given(st.lists(st.lists(st.integers(1, 1000), min_size=1, max_size=5), min_size=1, max_size=4))
def test_clips_follow_each_other(clips: list[list[int]]) -> None:
    assert join_clips([a_clip(gaps) for gaps in clips]).units == a_clip([gap for gaps in clips for gap in gaps]).units


class Lines:
    def __init__(self) -> None:
        self.done: list[object] = []

    def hang_up(self, *, reset: bool) -> None:
        self.done.append(("hang_up", reset))

    def offline(self) -> None:
        self.done.append("offline")

    def online(self) -> None:
        self.done.append("online")

    def run_at(self, rate: float) -> None:
        self.done.append(rate)


VALUES = {"loss": "0.01", "fuzz": "0.5", "ptsjump": "-200", "rate": "0.84", "clock": "3600", "code": "503", "reports": "off"}


def test_every_fault_is_a_line_and_normal_ends_them_all() -> None:
    lines = Lines()
    faults = Faults(lines)
    normal = faults.state
    for name in COMMANDS:
        before, done = faults.state, len(lines.done)
        if name != "normal":
            faults.apply(f"{name} {VALUES.get(name, '')}")
            undoes = name in ("resume", "video", "thaw", "thawstamps", "unmute")
            assert faults.state != before or len(lines.done) > done or undoes, f"{name} does nothing"
    assert {("hang_up", False), ("hang_up", True), "offline", "online", 0.84} == set(lines.done)
    faults.normal()
    assert faults.state == type(normal)(jump_s=-200.0, byes=1)


@pytest.mark.parametrize(
    "line", ["", "nonsense", "stall 3", "loss", "loss much", "loss 2", "code x", "code 7", "reports", "rate 0", "garbage all"]
)
def test_a_line_that_is_no_fault_is_refused(line: str) -> None:
    with pytest.raises(UsageError):
        Faults(Lines()).apply(line)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("gate:stall@10s", TimedFault("gate", "stall", 10.0)),
        ("stall", TimedFault(None, "stall", 0.0)),
        ("front yard:loss 0.01@1.5s", TimedFault("front yard", "loss 0.01", 1.5)),
        ("gate:ptsjump -200@3", TimedFault("gate", "ptsjump -200", 3.0)),
    ],
)
def test_a_fault_may_come_later(text: str, fault: TimedFault) -> None:
    assert parse_timed(text) == fault


@pytest.mark.parametrize("text", ["", "gate:", "gate:stall@", "gate:stall@soon", "stall@1s@2s", "gate:explode@1s", "gate:loss x@1s"])
def test_a_mistyped_fault_is_refused_before_anything_is_served(text: str) -> None:
    with pytest.raises(UsageError):
        parse_timed(text)
