"""The doctor's judgements: from measurements to findings, at their thresholds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.cameradoctor import brightness, plates, stream
from streamer.cameradoctor.findings import READING, Finding, exit_code, grade
from streamer.cameradoctor.measures import Motion, Passing, PlateLook, Sight, motions_of, passings_of
from streamer.cameradoctor.notes import StreamNotes
from streamer.cameradoctor.optics import Light, Text
from streamer.live.health_state import HostClockState
from streamer.ports import StreamFacts
from streamer.types import Box

DAY = Light(mean=120.0, highlights=0.0, shadows=0.0, contrast=150.0)


def look(height=20.0, *, tilt=0.0, edges=(1.6, 1.6), light=DAY, t=0.0, at=(100.0, 100.0), track=1, chars=7, width=None):
    text = Text(height, width or height * 0.65 * 7, 1, tilt, (0, 0, 10, 10))
    box = Box(at[0] - 50, at[1] - 15, at[0] + 50, at[1] + 15)
    return PlateLook(1, track, t, box, text, edges, light, chars)


def passing(plate="AB12CD", *, readable=8, looks=12, height=20.0, cut_off=False, reason=None):
    return Passing(plate, 0.8 if plate else None, reason, looks, readable, height, 2.0, cut_off)


NOTES = StreamNotes(
    facts=StreamFacts("rtsp://camera/1", codec="h264", width=1280, height=720, fps=25.0, bytes_read=30_000_000),
    seconds=120.0,
    pictures=3000,
    suspect=0,
    fps=25.0,
    longest_gap_s=0.1,
    key_frames_s=1.0,
    reordered=False,
    offset_s=0.2,
)


def stream_finding(name, notes, *, process_fps=10.0, analysed_fps=10.0):
    found = [
        *stream.judge_stream(notes, process_fps=process_fps, analysed_fps=analysed_fps),
        *stream.judge_clock(notes, None, max_skew_s=5.0),
    ]
    return next((finding for finding in found if finding.name == name), None)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_limits_are_still_within(value, one, other):
    good, fair = max(one, other), min(one, other)
    assert grade(good, good, fair) == "good"
    assert grade(-good, -good, -fair) == "good"
    assert grade(fair, good, fair) in ("good", "fair")
    assert (grade(value, good, fair) == "poor") == (value < fair)
    if good > fair:  # equal limits mean that more is better
        assert grade(-value, -good, -fair) == grade(value, good, fair)


@pytest.mark.parametrize(("height", "verdict"), [(16.0, "good"), (15.9, "fair"), (12.0, "fair"), (11.9, "poor")])
def test_characters_need_twelve_pixels_and_should_have_sixteen(height, verdict):
    found = plates.judge_height([passing(height=height), passing(height=40.0)], [look(height)])
    assert found.verdict == verdict
    assert bool(found.advice) == (verdict != "good")


def test_the_advice_says_by_how_much_to_zoom():
    assert "1.6" in plates.judge_height([passing(height=10.0)], [look(10.0)]).advice


def test_vehicles_that_were_cut_off_are_judged_only_if_there_are_no_others():
    small = passing(height=5.0, cut_off=True)
    assert plates.judge_height([small, passing(height=20.0)], [look()]).verdict == "good"
    assert plates.judge_height([small], [look()]).verdict == "poor"


@pytest.mark.parametrize(("tilt", "verdict"), [(10.0, "good"), (-10.0, "good"), (11.0, "fair"), (-20.0, "fair"), (21.0, "poor")])
def test_plates_may_be_turned_by_twenty_degrees(tilt, verdict):
    found = plates.judge_angle([look(tilt=tilt)] * 10)
    assert found.verdict == verdict
    if verdict != "good":
        assert ("anticlockwise" in found.advice) == (tilt > 0)


@pytest.mark.parametrize(
    ("shape", "verdict", "whence"),
    [(0.35, "good", ""), (0.34, "fair", "side"), (0.24, "poor", "side"), (1.2, "good", ""), (1.3, "fair", "above"), (1.8, "poor", "above")],
)
def test_plates_may_be_seen_from_the_side_or_above_to_a_degree(shape, verdict, whence):
    found = plates.judge_angle([look(16.0, width=16.0 * 8 * shape, chars=8)] * 10)  # powers of two: the shape comes out exactly
    assert found.verdict == verdict
    assert whence in found.advice


@pytest.mark.parametrize(("smear", "verdict"), [(0.0, "good"), (2.4, "good"), (2.6, "fair"), (3.9, "fair"), (4.1, "poor")])
def test_motion_may_smear_by_an_eighth_of_the_characters_height(smear, verdict):
    moving = Motion(400.0, 0.0, upright=True)
    along = (1.6**2 + smear**2) ** 0.5
    found = plates.judge_blur([look(20.0, edges=(1.6, along))] * 10, [moving] * 10)
    assert found.verdict == verdict
    assert "400 px/s" in found.value
    assert "1/250 s" in found.advice, "20 px / 8 / 400 px/s = 1/160 s; the next exposure that cameras offer"


def test_the_advice_guesses_the_exposure_in_use():
    found = plates.judge_blur([look(20.0, edges=((1.6**2 + 8**2) ** 0.5, 1.6))] * 10, [Motion(400.0, 0.0, upright=False)] * 10)
    assert "about 1/50 s" in found.advice


def test_without_motion_or_along_the_diagonal_nothing_is_said_about_blur():
    assert plates.judge_blur([look()] * 10, [Motion(10.0, 0.0, upright=True)] * 10).verdict == "unknown"
    assert plates.judge_blur([look()] * 10, [None] * 10).verdict == "unknown"
    diagonal = plates.judge_blur([look()] * 10, [Motion(400.0, 40.0, upright=True)] * 10)
    assert diagonal.verdict == "unknown"
    assert "1/250 s" in diagonal.advice


@given(st.floats(1e-5, 10.0))
def test_an_advised_exposure_is_never_longer_than_allowed(longest_s):
    text = plates.shutter(longest_s)
    assert 1 / float(text.removeprefix("1/").removesuffix(" s")) <= longest_s * 1.01


@pytest.mark.parametrize(("edge", "verdict"), [(2.6, "good"), (2.7, "fair"), (4.0, "fair"), (4.1, "poor")])
def test_edges_of_characters_tell_the_focus(edge, verdict):
    # Motion widens the others: the narrower ones count.
    assert plates.judge_focus([look(20.0, edges=(edge, 9.0))] * 10, [None] * 10, []).verdict == verdict


@pytest.mark.parametrize(("edge", "verdict"), [(3.0, "good"), (4.5, "fair"), (4.6, "poor")])
def test_without_plates_the_picture_tells_the_focus(edge, verdict):
    assert plates.judge_focus([], [], [Sight(DAY, edge)]).verdict == verdict
    assert plates.judge_focus([], [], [Sight(DAY, None)]).verdict == "unknown"


def judge_looks(passings, **changes):
    values = {"enough": 4, "least": 2, "process_fps": 10.0, "analysed_fps": 10.0, "camera_fps": 25.0}
    return plates.judge_looks(passings, **values | changes)


@pytest.mark.parametrize(("readable", "verdict"), [(4, "good"), (3, "fair"), (2, "fair"), (1, "poor"), (0, "poor")])
def test_a_vote_needs_four_looks_and_at_least_two(readable, verdict):
    assert judge_looks([passing(readable=readable, looks=readable), passing()]).verdict == verdict


def test_the_advice_tells_why_there_are_too_few_looks():
    few = [passing(readable=2, looks=2)]
    assert "process_fps from 10 to 20" in judge_looks(few).advice
    assert "this machine analyses 3.0" in judge_looks(few, analysed_fps=3.0).advice
    assert "along the lane" in judge_looks([passing(readable=1, looks=1)]).advice
    assert "too small" in judge_looks([passing(readable=1, looks=20)]).advice


@pytest.mark.parametrize(("read", "verdict"), [(18, "good"), (17, "fair"), (15, "fair"), (14, "poor")])
def test_nine_of_ten_vehicles_should_be_read(read, verdict):
    found = plates.judge_reading([passing()] * read + [passing(None, reason="too_few_looks")] * (20 - read))
    assert found.verdict == verdict
    assert f"{read} of 20" in found.value
    if verdict != "good":
        assert "too few looks" in found.advice


def test_few_vehicles_are_called_few():
    assert "more traffic" in plates.judge_reading([passing()]).advice
    assert plates.judge_reading([]).verdict == "unknown"


@pytest.mark.parametrize(("share", "verdict"), [(0.15, "good"), (0.16, "fair"), (0.40, "fair"), (0.41, "poor")])
def test_glare(share, verdict):
    glaring = [look(light=replace(DAY, highlights=share))] * 10
    night = Sight(replace(DAY, mean=30.0), None)
    assert brightness.judge_glare(glaring, []).verdict == verdict
    assert ("infra-red" in brightness.judge_glare(glaring, [night]).advice) == (verdict != "good")


@pytest.mark.parametrize(("levels", "verdict"), [(40.0, "good"), (39.0, "fair"), (25.0, "fair"), (24.0, "poor")])
def test_contrast(levels, verdict):
    assert brightness.judge_contrast([look(light=replace(DAY, contrast=levels))] * 10).verdict == verdict


@pytest.mark.parametrize(
    ("light", "without", "with_plates"),
    [
        (DAY, "good", "good"),
        (replace(DAY, mean=12.0), "poor", "fair"),
        (replace(DAY, mean=216.0), "poor", "fair"),
        (replace(DAY, highlights=0.3), "poor", "fair"),
    ],
)
def test_a_dark_picture_is_no_fault_where_plates_are_seen(light, without, with_plates):
    sights = [Sight(light, None)]
    assert brightness.judge_exposure(sights, plates=False).verdict == without
    assert brightness.judge_exposure(sights, plates=True).verdict == with_plates


@pytest.mark.parametrize(
    ("name", "changes", "verdict"),
    [
        ("frame rate", {}, "good"),
        ("frame rate", {"fps": 9.0}, "fair"),
        ("frame rate", {"fps": 4.9}, "poor"),
        ("frame rate", {"fps": 20.0}, "fair"),  # 25 announced
        ("key frames", {"key_frames_s": 2.0}, "good"),
        ("key frames", {"key_frames_s": 2.1}, "fair"),
        ("key frames", {"key_frames_s": 5.1}, "poor"),
        ("key frames", {"key_frames_s": None}, "poor"),  # fewer than two in two minutes
        ("key frames", {"key_frames_s": None, "seconds": 1.0}, "unknown"),
        ("bit rate", {}, "good"),  # 0.087 bits a pixel
        ("bit rate", {"fps": 35.0}, "fair"),
        ("bit rate", {"fps": 200.0}, "poor"),
        ("damage", {"suspect": 3}, "good"),
        ("damage", {"suspect": 60}, "fair"),
        ("damage", {"suspect": 61}, "poor"),
        ("connection", {}, "good"),
        ("connection", {"longest_gap_s": 1.1}, "fair"),
        ("connection", {"faults": {"timeout": 1}}, "fair"),
        ("connection", {"faults": {"timeout": 1, "gone": 1}}, "poor"),
        ("camera's clock", {"offset_s": -1.0}, "good"),
        ("camera's clock", {"offset_s": 1.1}, "fair"),
        ("camera's clock", {"offset_s": -5.1}, "poor"),
        ("camera's clock", {"offset_s": None}, "fair"),
        ("camera's clock", {"drift": 2e-4}, "fair"),
        ("camera's clock", {"drift": 1e-5}, "good"),
        ("time stamps", {}, "good"),
        ("time stamps", {"fallback": "time stamps stand still"}, "fair"),
        ("time stamps", {"jumps": ("time stamps jumped",)}, "fair"),
        ("time stamps", {"jumps": ("a", "b")}, "poor"),
        ("time stamps", {"repaired": 301}, "fair"),
    ],
)
def test_streams(name, changes, verdict):
    found = stream_finding(name, replace(NOTES, **changes))
    assert found.verdict == verdict
    assert bool(found.advice) == (verdict in ("fair", "poor")), found


def test_b_frames_are_spoken_of_where_there_are_some():
    assert stream_finding("B-frames", NOTES) is None
    assert stream_finding("B-frames", replace(NOTES, reordered=True)).verdict == "fair"


def test_a_slow_machine_is_not_the_cameras_fault():
    assert stream_finding("analysis", NOTES, analysed_fps=5.0).verdict == "fair"
    assert stream_finding("analysis", NOTES, analysed_fps=9.0).verdict == "good"
    # A camera that sends fewer than process_fps: no more can be analysed.
    assert stream_finding("analysis", replace(NOTES, fps=5.0), analysed_fps=5.0).verdict == "good"


def test_a_recording_has_no_network_and_no_clock():
    names = {f.name for f in stream.judge_stream(replace(NOTES, live=False), process_fps=10.0, analysed_fps=90.0)}
    assert not names & {"damage", "connection", "analysis"}
    (clock,) = stream.judge_clock(replace(NOTES, live=False), None, max_skew_s=0.0)
    assert clock.verdict == "unknown"


@pytest.mark.parametrize(
    ("state", "verdict"),
    [
        (HostClockState("chrony", True, 0.001, 0.002), "good"),
        (HostClockState("kernel", False, None, None), "fair"),
        (HostClockState(None, None, None, None), "unknown"),
        (None, "unknown"),
    ],
)
def test_this_machines_clock(state, verdict):
    found = stream.judge_clock(NOTES, state, max_skew_s=5.0)[-1]
    assert (found.name, found.verdict) == ("this machine's clock", verdict)


def test_a_view_is_trusted_if_nothing_is_poor_and_vehicles_were_seen():
    def code(*verdicts):
        return exit_code([Finding(READING if n == 0 else "other", "", verdict, "") for n, verdict in enumerate(verdicts)])

    assert code("good", "fair", "unknown") == 0
    assert code("good", "poor") == 1
    assert code("unknown", "good") == 1


def test_speed_is_that_of_a_line_through_the_looks_around():
    looks = [look(t=n / 10, at=(100.0, 100.0 + 30 * n)) for n in range(10)]
    motions = motions_of(looks)
    assert all(
        motion is not None and motion.upright and abs(motion.speed_px_s - 300) < 1e-6 and motion.turn_deg < 1e-6 for motion in motions
    )


def test_speeds_of_tracks_do_not_mix_and_few_looks_have_none():
    looks = [look(t=n / 20, at=(100.0 * (n % 2), 100.0), track=n % 2) for n in range(10)] + [look(track=9)]
    motions = motions_of(looks)
    assert all(motion is not None and motion.speed_px_s < 1e-6 for motion in motions[:-1])
    assert motions[-1] is None


@given(st.floats(-180, 180), st.floats(10, 3000))
def test_turn_is_measured_from_the_nearest_axis(direction, speed):
    import math

    right, down = math.cos(math.radians(direction)) * speed, math.sin(math.radians(direction)) * speed
    motion = motions_of([look(t=n / 10, at=(right * n / 10, down * n / 10)) for n in range(5)])[2]
    assert motion is not None
    assert abs(motion.speed_px_s - speed) < 1e-3 * speed
    assert 0 <= motion.turn_deg <= 45.001
    if motion.turn_deg < 44:
        assert motion.upright == (abs(down) > abs(right))


def test_a_passage_knows_its_looks_and_whether_it_was_cut_off(make_passage):
    passage = make_passage(t=10.0)  # four seconds, tracks 7 and 9 of session 1
    looks = [look(h, track=n) for h, n in ((8.0, 7), (12.0, 7), (20.0, 9), (30.0, 3))]
    (whole,) = passings_of([passage], looks, {1: (0.0, 60.0)})
    assert (whole.readable, whole.cut_off, whole.height_px) == (2, False, 16.0)
    for span in ((9.8, 60.0), (0.0, 14.2)):
        assert passings_of([passage], looks, {1: span})[0].cut_off
