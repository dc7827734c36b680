"""Clips out of real packets: they play, begin at a key frame, show the passage, and nothing of another session."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.clips import Chosen, ClipRules, Later, LiveClips, Looks, Wanted, choose, clip_of, rules_of
from streamer.config import Config
from streamer.config_file import check
from streamer.errors import SourceError
from streamer.fileclips import FileClips
from streamer.packetring import EncodedPacket, PlacedFrame, Stretch
from streamer.sources import Recording
from streamer.sources.network_packets import seed_of
from streamer.types import EncodedPicture, Passage, Stamp
from tests.e2e.livecamera_clip import draw, number_of

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
FPS, GOP, LENGTH = 25, 25, 150
STAMPS_FROM_S = 1000.0
WANTED = Wanted(before_s=0.5, after_s=0.5, longest_s=10.0)
CODECS = {"h264": "libx264", "hevc": "libx265", "mjpeg": "mjpeg"}


def encoded(codec: str, *, b_frames: int = 0, size: tuple[int, int] = (256, 144), count: int = LENGTH) -> Stretch:
    """Pictures that carry their numbers, as a camera sends them: with stamps of its own, parameters in the key frames."""
    content = io.BytesIO()
    form = "matroska" if codec == "mjpeg" else "mpegts"
    with av.open(content, "w", format=form) as container:
        stream = container.add_stream(CODECS[codec], rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = GOP, b_frames
        stream.codec_context.thread_count = 1
        quiet = f"log-level=none:bframes={b_frames}:keyint={GOP}:scenecut=0:open-gop=0"
        options = {
            "libx264": {"x264-params": "scenecut=0", "crf": "18"},
            "libx265": {"x265-params": quiet},
            "mjpeg": {"qmin": "2", "qmax": "3"},
        }
        stream.options = options[CODECS[codec]] | ({} if codec == "mjpeg" else {"preset": "ultrafast"})
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(draw(number % 256, *size), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content.seek(0)
    with av.open(content) as container:
        stream = container.streams.video[0]
        packets = [one for one in container.demux(stream) if one.size]
        seed = seed_of(stream, packets[0])
        origin = min(one.pts for one in packets if one.pts is not None)
        stamps = [round(float((one.pts - origin) * one.time_base) * FPS) / FPS for one in packets if one.pts is not None]
    made = tuple(
        EncodedPacket(place, bytes(one), one.is_keyframe, STAMPS_FROM_S + stamp, 50.0 + place / FPS)
        for place, (one, stamp) in enumerate(zip(packets, stamps, strict=True))
    )
    order = sorted(range(len(stamps)), key=lambda place: stamps[place])
    frames = tuple(sorted((placed(index, place, size) for index, place in enumerate(order)), key=lambda frame: frame.number))
    return Stretch(codec, seed, made, frames, over=False)


def placed(index: int, number: int, size: tuple[int, int] = (256, 144), session: int = 1) -> PlacedFrame:
    return PlacedFrame(number, session, index, index / FPS, START + timedelta(seconds=index / FPS), size, True)


def stamp(index: int) -> Stamp:
    return Stamp(index / FPS, START + timedelta(seconds=index / FPS), index)


def looks(first: int, best: int, last: int) -> Looks:
    return Looks(stamp(first), stamp(best), stamp(last))


@pytest.fixture(scope="module")
def h264() -> Stretch:
    return encoded("h264")


@pytest.fixture(scope="module", params=[("h264", 0), ("h264", 2), ("hevc", 0), ("mjpeg", 0)], ids=["h264", "h264-b", "hevc", "mjpeg"])
def any_codec(request: pytest.FixtureRequest) -> Stretch:
    codec, b_frames = request.param
    return encoded(codec, b_frames=b_frames, count=100)


def chosen(stretches: list[Stretch], seen: Looks, wanted: Wanted = WANTED, *, ending: bool = False) -> Chosen:
    found = choose(stretches, seen, wanted, ending=ending)
    assert isinstance(found, Chosen), found
    return found


def decode(clip: EncodedPicture) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(clip.content)) as container:
        return list(container.decode(video=0))


def numbers(clip: EncodedPicture) -> list[int]:
    """Which pictures a clip shows, in order; all of them decode."""
    return [number_of(frame.to_ndarray(format="bgr24")) for frame in decode(clip)]


def test_a_clip_of_every_codec_plays_from_a_key_frame_and_knows_its_frames(any_codec: Stretch) -> None:
    clip = clip_of(chosen([any_codec], looks(40, 50, 60)))
    frames = decode(clip)
    shown = [number_of(frame.to_ndarray(format="bgr24")) for frame in frames]
    facts = clip.clip
    assert facts is not None
    assert frames[0].key_frame
    begin = 27 if any_codec.codec == "mjpeg" else 25
    assert shown == [*range(begin, begin + len(shown))]
    assert shown[: 73 - begin] == [*range(begin, 73)], "from the key frame at or before 40 - 12.5 to 60 + 12.5"
    assert len(shown) == facts.frames <= 73 - begin + 3, "with pictures out of order, those that are needed come on top"
    assert (shown[facts.first_frame or 0], shown[facts.best_frame or 0], shown[facts.last_frame or 0]) == (40, 50, 60)
    assert facts.begin_t == pytest.approx(begin / FPS)
    assert facts.end_wall == START + timedelta(seconds=facts.end_t)
    assert facts.duration_s == pytest.approx(facts.frames / FPS, abs=0.002)
    assert facts.complete
    assert clip.suffix == (".mkv" if any_codec.codec == "mjpeg" else ".mp4")
    assert (clip.width, clip.height) == (256, 144)
    times = [float(frame.time) for frame in frames]
    assert np.diff(times) == pytest.approx(1 / FPS, abs=0.0011), "Matroska counts in milliseconds"


@settings(max_examples=30)
@given(first=st.integers(0, LENGTH - 1), more=st.integers(0, 60), before=st.floats(0, 2), after=st.floats(0, 2), longest=st.floats(4.1, 9))
def test_whatever_is_asked_for_the_passage_is_in_it(
    h264: Stretch, first: int, more: int, before: float, after: float, longest: float
) -> None:
    last = min(first + more, LENGTH - 1)
    found = chosen([h264], looks(first, (first + last) // 2, last), Wanted(before, after, longest), ending=True)
    assert found.packets[0].key
    shown = [packet.number for packet in found.packets]
    assert shown == [*range(shown[0], shown[-1] + 1)]
    assert shown[-1] == min(last + int(after * FPS + 0.05), LENGTH - 1)
    asked = first / FPS - before
    if last / FPS + after - asked <= longest:
        assert shown[0] / FPS <= max(asked, 0.0) + 0.003
        assert shown[0] / FPS > asked - GOP / FPS - 0.003
    assert found.complete == (asked >= -0.002 and last / FPS + after <= (LENGTH - 1) / FPS + 0.002)


def test_it_is_waited_for_the_end_unless_there_is_nothing_to_wait_for(h264: Stretch) -> None:
    late = looks(120, 130, 140)
    assert choose([h264], late, WANTED, ending=False) == Later()
    for found in (chosen([h264], late, ending=True), chosen([replace(h264, over=True)], late)):
        assert found.packets[-1].number == LENGTH - 1
        assert not found.complete


def test_of_a_long_passage_the_end_is_shown(h264: Stretch) -> None:
    facts = clip_of(chosen([h264], looks(0, 3, 120), Wanted(0.5, 0.5, 2.0))).clip
    assert facts is not None
    assert (facts.first_frame, facts.best_frame) == (None, None)
    assert facts.begin_t == pytest.approx(75 / FPS), "the key frame before 132.5 - 50"
    assert not facts.complete


def test_no_clip_spans_two_sessions_or_two_connections(h264: Stretch) -> None:
    """The time stamps jumped at 60: what was not decoded before it may be of either session, and the new one has no key frame until 75."""
    jump = [frame for frame in h264.placed if frame.number < 55]
    jump += [replace(frame, session=2, index=frame.index - 60, t=(frame.index - 60) / FPS) for frame in h264.placed if frame.number >= 60]
    both = replace(h264, placed=tuple(jump))
    old = chosen([both], looks(40, 45, 50))
    assert [old.packets[0].number, old.packets[-1].number] == [25, 54]
    assert not old.complete
    seen = [Stamp((number - 60) / FPS, stamp(number).wall, number - 60) for number in (70, 80, 90)]
    new = chosen([both], Looks(*seen))
    assert [new.packets[0].number, new.packets[-1].number] == [75, 102]
    assert new.looks == (None, 5, 15)
    # A vehicle that was seen before and after a short fault: the connection of its best look.
    other = replace(h264, placed=tuple(replace(frame, wall=frame.wall + timedelta(hours=1), session=3) for frame in h264.placed))
    across = Looks(stamp(140), stamp(141), Stamp(10 / FPS, stamp(10).wall + timedelta(hours=1), 10))
    assert chosen([replace(h264, over=True), other], across).packets[-1].number == LENGTH - 1


def test_pictures_of_another_size_are_another_clip_with_its_own_parameters(h264: Stretch) -> None:
    small = encoded("h264", size=(192, 112), count=75)
    packets = [replace(packet, number=packet.number + LENGTH, stamp_s=(packet.stamp_s or 0) + LENGTH / FPS) for packet in small.packets]
    frames = [placed(LENGTH + number, LENGTH + number, (192, 112)) for number in range(75)]
    mixed = replace(h264, packets=(*h264.packets, *packets), placed=(*h264.placed, *frames))
    clip = clip_of(chosen([mixed], looks(155, 160, 165)))
    assert (clip.width, clip.height) == (192, 112)
    assert {(frame.width, frame.height) for frame in decode(clip)} == {(192, 112)}
    before = chosen([mixed], looks(140, 142, 145))
    assert before.packets[-1].number == LENGTH - 1
    assert {(frame.width, frame.height) for frame in decode(clip_of(before))} == {(256, 144)}


def test_parameters_that_nobody_told_are_found_in_the_key_frame(h264: Stretch) -> None:
    clip = clip_of(chosen([replace(h264, seed=b"")], looks(40, 50, 60)))
    assert numbers(clip) == [*range(25, 73)]


def test_stamps_that_are_no_use_are_replaced_by_arrival(h264: Stretch) -> None:
    """They stand still; frames were timed by arrival, and one came late."""
    packets = tuple(replace(packet, stamp_s=7.0, at=packet.at + (0.3 if packet.number >= 50 else 0.0)) for packet in h264.packets)
    frames = tuple(replace(frame, by_stamps=False, t=frame.t + (0.3 if frame.number >= 50 else 0.0)) for frame in h264.placed)
    seen = [Stamp(number / FPS + (0.3 if number >= 50 else 0.0), stamp(number).wall, number) for number in (40, 45, 60)]
    clip = clip_of(chosen([replace(h264, packets=packets, placed=frames)], Looks(*seen)))
    times = [float(frame.time) for frame in decode(clip)]
    assert max(np.diff(times)) == pytest.approx(0.34, abs=0.001)
    assert numbers(clip) == [*range(25, 73)]


def test_the_first_packet_of_a_connection_may_lack_its_stamp(h264: Stretch) -> None:
    first = replace(h264.packets[0], stamp_s=None)
    clip = clip_of(chosen([replace(h264, packets=(first, *h264.packets[1:]))], looks(3, 5, 10)))
    assert numbers(clip) == [*range(23)]


def test_what_is_gone_is_gone(h264: Stretch) -> None:
    assert choose([], looks(1, 2, 3), WANTED, ending=True) == "gone"
    assert choose([h264], Looks(*[Stamp(1e4, START, 9)] * 3), WANTED, ending=True) == "gone"


def test_packets_that_are_none_make_no_clip(h264: Stretch) -> None:
    broken = Stretch("hevc", b"", tuple(replace(packet, data=b"\0\0\1nothing") for packet in h264.packets), h264.placed, over=False)
    with pytest.raises(SourceError, match="cannot be put into a file"):
        clip_of(chosen([broken], looks(40, 50, 60)))


@pytest.fixture
def gate(h264: Stretch) -> LiveClips:
    clips = LiveClips(ClipRules(WANTED, 10.0, 10**7, frozenset({"gate", "usb"}), frozenset({"usb"})))
    ring = clips.ring("gate")
    ring.begin(h264.codec, h264.seed)
    for packet, frame in zip(h264.packets, h264.placed, strict=True):
        ring.add(packet)
        ring.place(frame)
    return clips


def test_events_without_a_clip_are_counted_and_told_once(
    gate: LiveClips, make_passage: Callable[..., Passage], caplog: pytest.LogCaptureFixture
) -> None:
    seen = {"first": stamp(40), "best": stamp(50), "last": stamp(60)}
    clip = gate.cut(make_passage(**seen), ending=False)
    assert isinstance(clip, EncodedPicture)
    gate.recorded("gate", clip)
    for _ in range(3):
        assert gate.cut(make_passage(t=5000.0), ending=False) is None
        assert gate.cut(make_passage(source_id="usb", **seen), ending=False) is None
    assert gate.cut(make_passage(source_id="other", **seen), ending=False) is None, "not wanted, so not missing"
    states = {state.source_id: state for state in gate.states()}
    assert (states["gate"].clips, states["gate"].clip_bytes) == (1, len(clip.content))
    assert states["gate"].missing == {"gone": 3}
    assert states["usb"].missing == {"no_packets": 3}
    assert caplog.text.count("USB cameras give pictures") == 0, "told when it was built, once"
    assert caplog.text.count("give evidence.clip more memory_mb") == 1


def test_a_camera_that_hides_something_from_now_on_leaves_no_packets(gate: LiveClips, make_passage: Callable[..., Passage]) -> None:
    assert gate.states()[0].size > 0
    gate.adopt(ClipRules(WANTED, 10.0, 10**7, frozenset({"usb"})))
    assert gate.ring("gate").stretches() == []
    assert gate.cut(make_passage(first=stamp(40), best=stamp(50), last=stamp(60)), ending=True) is None
    gate.adopt(None)
    assert gate.states() == []


REDACT = "redact: {other_plates: false}"


@pytest.mark.parametrize(
    ("evidence", "camera", "said"),
    [
        ("clip: {enabled: true}", "", "set redact.other_plates to false"),
        ("redact: {other_plates: false, windows: true}, clip: {enabled: true}", "", "set redact.windows to false"),
        (REDACT + ", clip: {enabled: true}", "region: [[0, 0], [1, 0], [1, 1]]", "name gate in evidence.clip.without"),
        (REDACT + ", clip: {enabled: true}", "privacy_masks: [[[0, 0], [1, 0], [1, 1]]]", "name gate in evidence.clip.without"),
        (REDACT + ", clip: {enabled: true, without: [gat]}", "", "did you mean 'gate'?"),
        (REDACT + ", clip: {enabled: true, before_s: 9, longest_s: 11}", "", "must be more than before_s and after_s together"),
        (REDACT + ", clip: {before: 9}", "", "did you mean 'before_s'?"),
        (REDACT + ", clip: {enabled: true}", "", None),
        (REDACT + ", clip: {enabled: true, without: [gate]}", "region: [[0, 0], [1, 0], [1, 1]]", None),
        (
            "redact: {other_plates: false, regions: {gate: [[[0, 0], [1, 0], [1, 1]]]}}, clip: {enabled: true}",
            "",
            "hides: name gate in clip.without",
        ),
    ],
)
def test_a_clip_that_would_undo_what_is_hidden_is_refused(tmp_path: Path, evidence: str, camera: str, said: str | None) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"cameras:\n  gate:\n    url: rtsp://127.0.0.1/x\n    {camera}\nevidence: {{{evidence}}}\n")
    problems = check(file)
    assert (problems == []) == (said is None), problems
    assert said is None or said in str(problems[0])


def test_rings_are_as_long_as_a_decision_may_take_and_there_are_none_where_pictures_are_not_kept() -> None:
    text = {"evidence": {"redact": {"other_plates": False}, "clip": {"enabled": True, "without": ["yard"]}}}
    cameras = {"gate": {"url": "rtsp://h/a"}, "yard": {"url": "rtsp://h/b"}, "usb": {"device": "/dev/video0"}}
    rules = rules_of(Config.model_validate(text | {"cameras": cameras}))
    assert rules is not None
    assert (rules.cameras, rules.without_packets) == ({"gate", "usb"}, {"usb"})
    assert rules.ring_s == pytest.approx(15 + 10 + 1.5 + 3)
    assert rules.ring_bytes == 32_000_000
    hidden = {"privacy": {"mode": "pseudonymous"}}
    assert rules_of(Config.model_validate(text | hidden | {"cameras": cameras})) is None
    assert rules_of(Config()) is None


def recording(stretch: Stretch, folder: Path) -> Path:
    """A file of the packets, as a recorder would have written it."""
    clip = clip_of(replace_all(stretch))
    file = folder / f"gate{clip.suffix}"
    file.write_bytes(clip.content)
    return file


def replace_all(stretch: Stretch) -> Chosen:
    return chosen([stretch], looks(0, 1, LENGTH - 1), Wanted(0.0, 0.0, 60.0), ending=True)


def test_clips_of_recordings_are_cut_out_of_the_file(h264: Stretch, tmp_path: Path, make_passage: Callable[..., Passage]) -> None:
    clips = FileClips({"gate": [Recording(recording(h264, tmp_path))]}, WANTED, most_bytes=10**7, without=["yard"])
    seen = {"first": stamp(60), "best": stamp(66), "last": stamp(80), "session": 0}
    (clip,) = clips.with_clip(make_passage(**seen)).pictures
    assert clip.clip is not None
    assert numbers(clip) == [*range(25, 93)]
    assert [clip.clip.first_frame, clip.clip.best_frame, clip.clip.last_frame] == [35, 41, 55]
    assert clip.clip.begin_wall == START + timedelta(seconds=25 / FPS)
    assert clip.clip.complete
    assert clips.with_clip(make_passage(source_id="yard", **seen)).pictures == ()
    assert clips.with_clip(make_passage(**seen | {"session": 1})).pictures == ()
    assert clips.with_clip(make_passage(**seen | {"best": Stamp(2.65, START, 66), "first": Stamp(2.41, START, 60)})).pictures == ()
    assert clips.missing == {("gate", "no_packets"): 1, ("gate", "gone"): 1}
    (tmp_path / "gate.mp4").write_bytes(b"no video")
    assert clips.with_clip(make_passage(**seen)).pictures == ()
    assert clips.missing["gate", "unusable"] == 1


def test_the_file_says_nothing_of_this_machine(h264: Stretch, tmp_path: Path) -> None:
    clip = clip_of(chosen([h264], looks(40, 50, 60)))
    assert clip.content == clip_of(chosen([h264], looks(40, 50, 60))).content, "the same packets give the same file"
