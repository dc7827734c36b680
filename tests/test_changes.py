"""What a changed configuration means for a running program."""

from __future__ import annotations

from streamer.config import Camera, Config, PassagesConfig
from streamer.live.changes import changes

GATE = Camera(url="rtsp://10.0.0.1/a")
OLD = Config(cameras={"gate": GATE, "yard": Camera(url="rtsp://10.0.0.2/a")})


def test_the_same_is_no_change() -> None:
    found = changes(OLD, OLD.model_copy())
    assert not found
    assert str(found) == "nothing"


def test_cameras_come_and_go_and_change() -> None:
    new = OLD.model_copy(update={"cameras": {"gate": GATE.model_copy(update={"process_fps": 5.0}), "road": GATE}})
    found = changes(OLD, new)
    assert (found.added, found.removed, found.changed, found.rules, found.needs_restart) == (("road",), ("yard",), ("gate",), False, ())
    assert str(found) == "camera road added; camera yard removed; camera gate changed"


def test_rules_change_while_running() -> None:
    assert changes(OLD, OLD.model_copy(update={"passages": PassagesConfig(min_reads=3)})).rules


def test_what_is_hidden_in_pictures_follows_the_region_that_is_analysed() -> None:
    region = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0))
    found = changes(OLD, OLD.model_copy(update={"cameras": {**OLD.cameras, "gate": GATE.model_copy(update={"region": region})}}))
    assert (found.changed, found.rules) == (("gate",), True)


def test_what_needs_a_restart_is_named_key_by_key() -> None:
    new = OLD.model_copy(update={"batch": 4, "detector": OLD.detector.model_copy(update={"confidence": 0.5})})
    found = changes(OLD, new)
    assert set(found.needs_restart) == {"batch", "detector.confidence"}
    assert "taken over at the next start only" in str(found)


def test_a_password_is_never_told() -> None:
    one = Config(cameras={"gate": Camera(url="rtsp://10.0.0.1/a", user="u", password="hunter2")})
    other = Config(cameras={"gate": Camera(url="rtsp://10.0.0.1/a", user="u", password="hunter3")})
    found = changes(one, other)
    assert found.changed == ("gate",)
    assert "hunter" not in str(found) + repr(found) + repr(one)
