"""From notes on a stream to findings: codec, rate, key frames, bit rate, damage, connection, clocks (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streamer.cameradoctor.findings import VIEW, Finding, Verdict, grade
from streamer.cameradoctor.notes import StreamNotes
from streamer.live.health_state import HostClockState

GOOD_FPS: Final = 10.0
FAIR_FPS: Final = 5.0
"""A plate takes four reads, 0.2 s apart (passages.read_interval_s, sure_reads): below 5 pictures a second that takes longer. Axxon asks for
15 pictures."""
FPS_OFF: Final = 0.1
"""Cameras that send so much less than they announce are overloaded, or their time stamps are wrong (``live.clock.RATE_OFF``)."""

GOOD_KEY_S: Final = 2.0
FAIR_KEY_S: Final = 5.0
"""Damage lasts to the next key frame, and so does the wait for the first picture after connecting (measured: joining in the middle of a
group of pictures costs its rest). Five seconds of it are a whole passage."""

GOOD_BITS: Final = {"h264": 0.07, "hevc": 0.035, "mjpeg": 0.5}
FAIR_BITS: Final = {"h264": 0.02, "hevc": 0.01, "mjpeg": 0.25}
"""Bits for each pixel of each picture. H.264: 0.07 is enough for little motion (K. Amerasinghe, "H.264 for the rest of us", Adobe 2009); a
camera that spends as many as it needs (VBR) gets by with less while nothing moves, hence the low second limit. H.265: half of it. JPEG:
0.25 to 0.5 moderate to good, from 0.5 good (G. Wallace, "The JPEG still picture compression standard", CACM 34(4), 1991)."""

GOOD_SUSPECT: Final = 0.001
FAIR_SUSPECT: Final = 0.02
"""Share of pictures that may be damaged. Measured: 0.5 % of the packets lost damages 14 to 22 % of the pictures."""
GAP_S: Final = 1.0
"""So long without a picture, a vehicle at 50 km/h moves on by 14 m."""

GOOD_OFFSET_S: Final = 1.0
"""Encoding, network and decoding take some tenths of a second; what is beyond that is the clock."""
GOOD_DRIFT: Final = 1e-4
"""An ordinary quartz clock's error: 0.4 s an hour."""


def judge_stream(notes: StreamNotes, *, process_fps: float, analysed_fps: float) -> list[Finding]:
    """Judge the pictures as they came."""
    return [*_picture(notes), *_rate(notes, process_fps, analysed_fps), *_key_frames(notes), *_bits(notes), *_order(notes), *_damage(notes)]


def judge_clock(notes: StreamNotes, host: HostClockState | None, *, max_skew_s: float) -> list[Finding]:
    """Judge what the camera and this machine say about the time."""
    if not notes.live:
        return [Finding("clock", "a recording: the camera's clock cannot be judged", "unknown", "")]
    return [*_camera_clock(notes, max_skew_s), *_stamps(notes), *_host_clock(host)]


def _picture(notes: StreamNotes) -> Iterator[Finding]:
    facts = notes.facts
    size = f"{facts.width}x{facts.height}" if facts.width else "unknown size"
    decoder = f", decoded by {facts.decoder}" if facts.decoder else ""
    yield Finding("stream", f"{facts.codec or 'unknown codec'} {size}{decoder}", "good" if notes.pictures else "unknown", "", VIEW)


def _rate(notes: StreamNotes, process_fps: float, analysed_fps: float) -> Iterator[Finding]:
    if notes.fps is None:
        yield Finding("frame rate", "too few pictures", "unknown", "")
        return
    announced = notes.facts.fps
    value = f"{notes.fps:.1f} pictures a second" + (f", {announced:g} announced" if announced else "")
    verdict, advice = grade(notes.fps, min(GOOD_FPS, process_fps), min(FAIR_FPS, process_fps)), ""
    if verdict != "good":
        advice = f"set the camera to {max(GOOD_FPS, process_fps):.0f} to 25 pictures a second; a long exposure at night may lower it, too"
    elif announced and notes.fps < announced * (1 - FPS_OFF):
        verdict, advice = (
            "fair",
            "the camera sends less than it announces: fewer streams, a smaller picture or a lower rate; is the exposure too long?",
        )
    yield Finding("frame rate", value, verdict, advice)
    wanted = min(process_fps, notes.fps)
    if notes.live:
        slow = analysed_fps < 0.8 * wanted
        advice = (
            "this machine is too slow for process_fps (the test itself takes some of it): fewer cameras, or a lower process_fps"
            if slow
            else ""
        )
        yield Finding("analysis", f"{analysed_fps:.1f} of {wanted:.1f} frames a second analysed", "fair" if slow else "good", advice)


def _key_frames(notes: StreamNotes) -> Iterator[Finding]:
    name = "key frames"
    if notes.key_frames_s is not None:
        verdict = grade(notes.key_frames_s, GOOD_KEY_S, FAIR_KEY_S)
        fps = notes.fps or notes.facts.fps or 25.0
        advice = f"set the key frame interval (I-frame, GOP) to 1 or 2 s, {fps:.0f} or {2 * fps:.0f} pictures; no 'smart' or dynamic codec"
        yield Finding(name, f"every {notes.key_frames_s:.1f} s at the longest", verdict, advice if verdict != "good" else "")
    elif notes.facts.codec in GOOD_BITS and notes.seconds > 0:
        verdict = grade(notes.seconds, GOOD_KEY_S, FAIR_KEY_S)
        late: Verdict = "unknown" if verdict == "good" else verdict
        yield Finding(
            name,
            f"fewer than two in {notes.seconds:.0f} s",
            late,
            "set the key frame interval (I-frame interval, GOP) to 1 or 2 s" if late != "unknown" else "",
        )


def _bits(notes: StreamNotes) -> Iterator[Finding]:
    facts = notes.facts
    codec = facts.codec or ""
    if not (facts.width and facts.height and notes.fps and notes.seconds > 0 and facts.bytes_read):
        return
    rate = facts.bytes_read * 8 / notes.seconds
    bits = rate / (facts.width * facts.height * notes.fps)
    value = f"{rate / 1e6:.2f} Mbit/s, {bits:.3f} bits a pixel"
    if codec not in GOOD_BITS:
        yield Finding("bit rate", value, "unknown", "")
        return
    verdict = grade(bits, GOOD_BITS[codec], FAIR_BITS[codec])
    wanted = GOOD_BITS[codec] * facts.width * facts.height * notes.fps / 1e6
    advice = f"allow {wanted:.1f} Mbit/s or more, variable (VBR) with high quality: what is saved here makes moving characters blocky"
    yield Finding("bit rate", value, verdict, advice if verdict != "good" else "")


def _order(notes: StreamNotes) -> Iterator[Finding]:
    if notes.reordered:
        yield Finding("B-frames", "yes", "fair", "switch B-frames off (H.264 profile Baseline, or 'low latency'): they delay every picture")


def _damage(notes: StreamNotes) -> Iterator[Finding]:
    if not notes.live:
        return
    if notes.pictures:
        share = notes.suspect / notes.pictures
        verdict = grade(share, GOOD_SUSPECT, FAIR_SUSPECT)
        advice = "packets are lost: transport tcp, check cable, switch and wireless link; a shorter key frame interval heals sooner"
        yield Finding("damage", f"{share:.1%} of the pictures may be damaged", verdict, advice if verdict != "good" else "")
    count = sum(notes.faults.values())
    listing = ", ".join(f"{number}x {reason}" for reason, number in sorted(notes.faults.items()))
    value = f"{listing or 'no fault'}; longest wait for a picture {notes.longest_gap_s:.2f} s"
    verdict = grade(count, 0, 1)
    if verdict == "good" and notes.longest_gap_s > GAP_S:
        verdict = "fair"
    advice = "check cable, power supply, network and how many clients the camera allows" if verdict != "good" else ""
    yield Finding("connection", value, verdict, advice)


def _camera_clock(notes: StreamNotes, max_skew_s: float) -> Iterator[Finding]:
    name = "camera's clock"
    if notes.offset_s is None:
        advice = "if the camera can: RTCP sender reports on, and a time server (NTP) set; events carry the time of arrival instead"
        yield Finding(name, "the camera does not tell it", "fair", advice)
        return
    value = f"{notes.offset_s:+.2f} s from exposure to arrival"
    verdict = grade(abs(notes.offset_s), GOOD_OFFSET_S, max_skew_s)
    advice = "" if verdict == "good" else "set a time server (NTP) in the camera, the same as this machine's"
    if verdict == "poor":
        advice += f"; beyond max_clock_skew_s ({max_skew_s:g}) it is not believed, and events carry the time of arrival"
    if notes.drift is not None:
        value += f", drifting by {notes.drift * 60_000:+.1f} ms a minute"
        if verdict == "good" and abs(notes.drift) > GOOD_DRIFT:
            verdict, advice = "fair", "the clock drifts: set a time server (NTP) in the camera"
    yield Finding(name, value, verdict, advice)


def _stamps(notes: StreamNotes) -> Iterator[Finding]:
    name = "time stamps"
    if not notes.pictures:
        return
    if notes.fallback is not None:
        yield Finding(name, notes.fallback, "fair", "times of arrival are used instead; newer firmware, another rate or codec may help")
        return
    share = notes.repaired / notes.pictures
    value = f"{len(notes.jumps)} jumps, {notes.repaired} of {notes.pictures} missing, repeated or out of order"
    if notes.jumps:
        verdict: Verdict = "fair" if len(notes.jumps) == 1 else "poor"
        advice = f"each jump ends all tracks ({notes.jumps[-1]}): set a time server that slews rather than steps the clock"
    else:
        verdict, advice = ("good", "") if share <= FPS_OFF else ("fair", "newer firmware, another rate or codec may help")
    yield Finding(name, value, verdict, advice)


def _host_clock(host: HostClockState | None) -> Iterator[Finding]:
    name = "this machine's clock"
    if host is None or host.synchronised is None:
        yield Finding(name, "nobody tells how right it is", "unknown", "run chrony or systemd-timesyncd")
    elif not host.synchronised:
        yield Finding(
            name, f"not synchronised ({host.source})", "fair", "run chrony or systemd-timesyncd, and let it reach its time server"
        )
    else:
        value = f"synchronised ({host.source})" + (f", within {host.error_s * 1000:.0f} ms" if host.error_s is not None else "")
        yield Finding(name, value, "good", "")
