from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from streamer.config import Config
from streamer.config_file import check, load_config
from streamer.errors import ConfigError, ConfigProblem

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))


def problems_of(folder: Path, text: str) -> list[ConfigProblem]:
    file = folder / "c.yaml"
    file.write_text(text, encoding="utf-8")
    return check(file)


def only_problem_of(folder: Path, text: str) -> ConfigProblem:
    problems = problems_of(folder, text)
    assert len(problems) == 1, problems
    assert problems[0].file == str(folder / "c.yaml")
    return problems[0]


# What ships


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_every_shipped_config_loads(file: Path) -> None:
    assert check(file) == []
    config = load_config(file)
    assert config.sources or config.cameras


LIVE_ONLY = {"cameras", "live", "health"}
"""Keys of the whole configuration that configs/live.yaml shows; configs/sinks.yaml and configs/privacy/ show theirs, configs/replay.yaml
the others."""


@pytest.mark.parametrize(
    ("example", "left_out"),
    [("replay.yaml", LIVE_ONLY | {"repeat_s", "sinks", "privacy"}), ("live.yaml", set(Config.model_fields) - LIVE_ONLY - {"log"})],
)
def test_the_examples_name_every_key_at_its_default(tmp_path: Path, root: Path, example: str, left_out: set[str]) -> None:
    lines = (root / "configs" / example).read_text(encoding="utf-8").splitlines()
    uncommented = [re.sub(r"^( *)# ([a-z_]+: .*)$", r"\1\2", line) for line in lines]
    # Of a camera, a device excludes a url, and one way to give the password the others.
    uncommented = [line for line in uncommented if not re.match(r" *(device|password|password_env): ", line)]
    file = tmp_path / "all.yaml"
    file.write_text("\n".join(uncommented), encoding="utf-8")
    config = load_config(file)
    examples = {
        "directory",
        "path",
        "start",
        "start_pattern",
        "sources",
        "cameras",
        "url",
        "user",
        "password_file",
        "ca_file",
        "width",
        "height",
    }
    examples |= {"fps", "region", "privacy_masks", "token_file", "token_env"}
    left_out = left_out | {"device", "password", "password_env"} | ({"level", "format"} if example == "live.yaml" else set())
    assert_all_written_at_default(config, examples, left_out)


def assert_all_written_at_default(section: BaseModel, examples: set[str], left_out: set[str]) -> None:
    assert section.model_fields_set - left_out == set(type(section).model_fields) - left_out
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if name in left_out:
            continue
        if isinstance(value, BaseModel):
            assert_all_written_at_default(value, examples, left_out)
        elif name in ("sources", "cameras"):
            for source in value.values():
                assert_all_written_at_default(source, examples, left_out)
        elif name not in examples:
            assert value == field.default, name


def test_without_a_file_there_are_the_defaults() -> None:
    assert load_config() == Config()


# What is wrong with it: one class of mistake a row


@pytest.mark.parametrize(
    ("text", "line", "key", "value", "message"),
    [
        ("detector:\n  confidance: 0.4\n", 2, "detector.confidance", "0.4", r"unknown key; did you mean 'confidence'\?"),
        ("trackr: {}\n", 1, "trackr", "{...}", r"unknown key; did you mean 'tracker'\?"),
        ("confidence: 0.4\n", 1, "confidence", "0.4", r"unknown key; did you mean 'detector.confidence'\?"),
        ("log:\n  zzz: 1\n", 2, "log.zzz", "1", "unknown key; valid here: level, format"),
        ("detector:\n  confidence: 1.5\n", 2, "detector.confidence", "1.5", "must be a number from 0 to 1"),
        ("detector:\n  confidence: true\n", 2, "detector.confidence", "true", "must be a number from 0 to 1"),
        ("detector:\n  confidence: '0.5'\n", 2, "detector.confidence", "0.5", "must be a number from 0 to 1"),
        ("detector:\n  confidence: .nan\n", 2, "detector.confidence", ".nan", "must be a number from 0 to 1"),
        ("detector: {input_size: 100}\n", 1, "detector.input_size", "100", "must be a whole number of at least 32, a multiple of 32"),
        ("\n\nbatch: 2.5\n", 3, "batch", "2.5", "must be a whole number of at least 1"),
        ("tracker:\n  reach: 0\n", 2, "tracker.reach", "0", "must be a number above 0"),
        ("detector:\n  backend: torsh\n", 2, "detector.backend", "torsh", r"must be one of auto, torch, .*; did you mean 'torch'\?"),
        ("detector:\n  device: gpu\n", 2, "detector.device", "gpu", "must be auto, cpu, cuda or cuda:N"),
        ("detector:\n  half: yes\n", 2, "detector.half", "yes", "must be true or false .*yes"),
        ("detector:\n  weights: 3\n", 2, "detector.weights", "3", "must be a name or a path"),
        ("log: [1]\n", 1, "log", "[1]", "must be a section"),
        ("passages:\n  countries: DE\n", 2, "passages.countries", "DE", "must be a list"),
        ("passages:\n  countries:\n  - DE\n  - 3\n", 4, "passages.countries.1", "3", "must be text"),
        ("sources:\n  a:\n    every: 2\n", 2, "sources.a.path", None, "is missing; it must be a path"),
        ("sources:\n  a b: {path: x}\n", 2, "sources.a b", "{...}", "a source's name begins with"),
        ("sources:\n  a:\n    path: x\n    start: soon\n", 4, "sources.a.start", "soon", "must be a time such as 2026-"),
        ("sources:\n  a:\n    path: x\n    start: 20260501\n", 4, "sources.a.start", "20260501", "must be a time such as 2026-"),
        (
            "sources:\n  a:\n    path: x\n    time_zone: Europe/Berln\n",
            4,
            "sources.a.time_zone",
            "Europe/Berln",
            "did you mean 'Europe/Berlin'",
        ),
        ("sources:\n  a:\n    path: x\n    start_pattern: (\n", 4, "sources.a.start_pattern", "(", "is not a regular expression"),
        (
            "sources: {a: {path: x, start_pattern: '(?P<year>)'}}\n",
            1,
            "sources.a.start_pattern",
            "(?P<year>)",
            "lacks the group month, day",
        ),
        ("passages:\n  min_plate_chars: 13\n", 2, "passages.min_plate_chars", "13", r"min_plate_chars \(13\) must not exceed .*\(12\)"),
        ("passages:\n  max_plate_chars: 2\n", 2, "passages.max_plate_chars", "2", r"min_plate_chars \(3\) must not exceed .*\(2\)"),
        (
            "passages:\n  min_reads: 5\n  sure_reads: 4\n",
            3,
            "passages.sure_reads",
            "4",
            r"min_reads \(5\) must not exceed sure_reads \(4\)",
        ),
        ("batch: 2\nlog: {}\nbatch: 3\n", 3, "batch", "3", "stands twice, first in line 1"),
        ("log:\n  <<: {level: info}\n", 2, "log.<<", "{...}", "unknown key"),
        ("batch: !!int x\n", 1, "batch", "x", "is not written as !!int"),
        ("batch: !!python/object/apply:os.system [id]\n", 1, "batch", "[id]", "the tag !!python/object/apply:os.system is not allowed"),
        ("? [a]\n: 3\n", 1, "", "3", "a key must be a word"),
    ],
)
def test_a_mistake_is_named_with_line_key_and_value(
    tmp_path: Path, text: str, line: int, key: str, value: str | None, message: str
) -> None:
    problem = only_problem_of(tmp_path, text)
    assert (problem.line, problem.key, problem.value) == (line, key, value)
    assert re.search(message, problem.message), problem.message


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("log:\n\tlevel: info\n", 2, 1, "a tab cannot indent"),
        ("log:\n  level: a: b\n", 2, 11, "second ':'"),
        ("log:\n    level: info\n  format: text\n", 3, 3, "indentation"),
        ("log: {level: info\n", 2, 1, "','"),
        ("log: 'x\n", 2, 1, "quoted scalar"),
        ("a: 1\n---\nb: 2\n", 2, 1, "single document"),
        ("a: *nobody\n", 1, 4, "undefined alias"),
        ("a: &x [*x]\n", 1, 4, "alias"),
        ("a: \x01\n", 1, None, r"U\+0001"),
        ("[" * 5000, None, None, "nested too deeply"),
    ],
)
def test_what_is_no_yaml_is_named_with_line_and_column(tmp_path: Path, text: str, line: int, column: int | None, message: str) -> None:
    problem = only_problem_of(tmp_path, text)
    assert (problem.line, problem.column) == (line, column)
    assert re.search(message, problem.message), problem.message
    place = ":".join(str(part) for part in (tmp_path / "c.yaml", line, column) if part is not None)
    assert str(problem).startswith(f"{place}: ")


def test_aliases_of_aliases_do_not_fill_the_memory(tmp_path: Path) -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    assert "repeats itself" in only_problem_of(tmp_path, laughs).message


def test_a_list_is_no_configuration(tmp_path: Path) -> None:
    assert "must be a section" in only_problem_of(tmp_path, "- 1\n").message


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(b"log: {}\n# \xff\n")
    [problem] = check(file)
    assert (problem.line, problem.message) == (2, "the file is not UTF-8 text")


@pytest.mark.parametrize("name", ["nothing.yaml", "."])
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, name: str) -> None:
    [problem] = check(tmp_path / name)
    assert problem.message.startswith("cannot be read: ")
    assert str(problem).startswith(f"{tmp_path / name}: cannot be read")


def test_all_mistakes_come_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = "batch: 0\nbatch: 1\ndetector:\n  device: gpu\n  nms: 1\npassages:\n  min_reads: x\nlog: {level: loud}\n"
    problems = problems_of(tmp_path, text)
    assert [(problem.line, problem.key) for problem in problems] == [
        (1, "batch"),
        (2, "batch"),
        (4, "detector.device"),
        (5, "detector.nms"),
        (7, "passages.min_reads"),
        (8, "log.level"),
    ]
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "c.yaml")
    assert list(raised.value.problems) == problems
    assert str(raised.value).count("\n") == len(problems) - 1


def test_a_country_without_formats_is_a_mistake(tmp_path: Path) -> None:
    problem = only_problem_of(tmp_path, "passages:\n  countries: [DE, EUU]\n")
    assert (problem.line, problem.key, problem.value) == (2, "passages.countries", "[DE, EUU]")
    assert re.fullmatch(r"'EUU' is not a country that the program has formats of; did you mean 'EU'\?", problem.message)


@pytest.mark.parametrize(
    "text", ["log: {db_password: hunter2}", "log: {level: 'rtsp://me:hunter2@camera/1'}", "log: {api_key: {a: hunter2}}"]
)
def test_secrets_are_never_shown(tmp_path: Path, text: str) -> None:
    assert "hunter2" not in str(only_problem_of(tmp_path, text))


def test_long_values_are_shortened(tmp_path: Path) -> None:
    value = only_problem_of(tmp_path, f"batch: {'x' * 500}\n").value
    assert value is not None
    assert len(value) == 60


# What it means


def test_words_of_yaml_1_1_stay_words(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("passages: {countries: [NO], max_plate_chars: 010}\ntracker: {reach: 1e1}\n", encoding="utf-8")
    config = load_config(file)
    assert config.passages.countries == ("NO",)
    assert config.passages.max_plate_chars == 10
    assert config.tracker.reach == 10.0


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "detector:\n  # threads: 2\nsources:\n"])
def test_an_empty_file_or_section_means_the_defaults(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text, encoding="utf-8")
    assert load_config(file) == Config()


def test_aliases_share_settings(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("sources:\n  a: &gate {path: /x, every: 2}\n  b: *gate\n", encoding="utf-8")
    sources = load_config(file).sources
    assert sources["a"] == sources["b"]
    assert sources["b"].every == 2


def test_relative_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "c.yaml").write_text(
        "sources:\n  a: {path: '../videos/*.mp4'}\n  b: {path: /abs}\n  c: {path: ~/clips}\n"
        "detector: {weights: own.onnx}\nreader: {weights: models/rec}\nevents: {directory: out}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.chdir(tmp_path)
    config = load_config(Path("etc/c.yaml"))
    assert config.sources["a"].path == Path("etc/../videos/*.mp4")
    assert config.sources["b"].path == Path("/abs")
    assert config.sources["c"].path == Path("/home/somebody/clips")
    assert config.detector.weights == "etc/own.onnx"
    assert config.reader.weights == "etc/models/rec"
    assert config.reader.line_weights == "starter-lines"
    assert config.events.directory == Path("etc/out")


def test_a_start_time_keeps_its_offset(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "sources:\n  a: {path: x, start: 2026-05-01T08:00:00+02:00}\n  b: {path: x, start: 2026-05-01 08:00:00}\n", encoding="utf-8"
    )
    sources = load_config(file).sources
    assert sources["a"].start == datetime(2026, 5, 1, 6, tzinfo=UTC)
    assert sources["a"].start.utcoffset() == timedelta(hours=2)
    assert sources["b"].start == datetime(2026, 5, 1, 8)  # noqa: DTZ001 (the time zone of the source applies)


# Overrides


def test_overrides_stand_above_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("batch: 2\ndetector: {confidence: 0.5, iou: 0.4}\n", encoding="utf-8")
    overrides = {"batch": None, "detector.confidence": 0.75, "events.directory": Path("here"), "sources": {"a": {"path": Path("v.mp4")}}}
    config = load_config(file, overrides)
    assert config.batch == 2
    assert (config.detector.confidence, config.detector.iou) == (0.75, 0.4)
    assert config.events.directory == Path("here")
    assert config.sources["a"].path == Path("v.mp4")


def test_a_wrong_override_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("detector:\n  confidence: 0.5\n  iou: 2\n", encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_config(file, {"detector.confidence": 7, "detector.tokens": "hunter2"})
    in_file, in_confidence, in_tokens = (str(problem) for problem in raised.value.problems)
    assert in_file == f"{file}:3: detector.iou = 2: must be a number from 0 to 1"
    assert in_confidence == "options: detector.confidence = 7: must be a number from 0 to 1"
    assert in_tokens.startswith("options: detector.tokens = ***: unknown key; valid here: weights, backend, ")


# Nothing a user writes is a crash

KEYS = st.sampled_from([*Config.model_fields, "path", "start", "start_pattern", "countries", "confidence", "x", "<<"])
VALUES: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["DE", "cuda:0", "2026-05-01", "(", ".inf"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150)
@given(value=st.dictionaries(KEYS, VALUES, max_size=5))
def test_any_yaml_is_a_config_or_a_list_of_problems(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    import yaml

    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(yaml.safe_dump(value, allow_unicode=False), encoding="utf-8")
    assert_config_or_problems(file)


@settings(max_examples=150)
@given(content=st.binary(max_size=60) | st.text(alphabet="ab:-[]{}#&*!|>'\"%@`~ \n\t0.1,?", max_size=60).map(str.encode))
@example(b'log: "\\ud800"')
@example(b"batch: " + b"9" * 5000)
@example(b"batch: 1e999")
def test_any_bytes_are_a_config_or_a_list_of_problems(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(content)
    assert_config_or_problems(file)


def assert_config_or_problems(file: Path) -> None:
    problems = check(file)
    lines = file.read_bytes().count(b"\n") + 2
    assert all(problem.message and (problem.line is None or 1 <= problem.line <= lines) for problem in problems)
    if not problems:
        assert isinstance(load_config(file), Config)


@pytest.mark.parametrize("url", ["rtsp://u:pa/ssw0rd@host/x", "rtsp://u:p@ssw0rd@host/x", "http://host/x y?pwd=ssw0rd"])
def test_a_password_in_an_address_is_not_shown(tmp_path: Path, url: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f'cameras: {{gate: {{url: "{url}"}}}}\n', encoding="utf-8")
    problems = check(file)
    assert problems
    assert "ssw0rd" not in " ".join(map(str, problems))


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        ("{url: 'rtsp://[::1/x'}", "must name a host"),
        ("{url: 'ftp://host/x'}", "beginning with rtsp://"),
        ("{}", "needs a url (network) or a device (USB)"),
        ("{url: 'rtsp://host/x', device: /dev/video0}", "one of the two"),
        ("{url: 'rtsp://host/x', password_env: X}", "needs the key user"),
        ("{url: 'rtsp://host/x', user: u, password_file: f, password_env: X}", "only one may be given"),
        ("{url: 'rtsp://host/x', backoff_min_s: 60}", "must not exceed"),
        ("{url: 'rtsp://host/x', region: [[0, 0], [2, 1], [1, 1]]}", "at least three corners"),
    ],
)
def test_mistakes_in_a_camera_are_told(tmp_path: Path, camera: str, said: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"cameras: {{gate: {camera}}}\n", encoding="utf-8")
    assert said in " ".join(map(str, check(file)))
