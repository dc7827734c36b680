"""YAML text to plain data, with the line of every key. By the core schema of YAML 1.2, so that ``NO`` is Norway and ``12:30`` no number."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import yaml

Loc = tuple[str | int, ...]
"""Where a value stands: keys and list indices from the top."""

MAX_VALUES: Final = 100_000
"""A file that unfolds to more values, by aliases of aliases, is refused."""

_TAG: Final = "tag:yaml.org,2002:"


class YamlError(Exception):
    """The text is no YAML at all; ``line`` and ``column`` are 1-based, None where the parser names none."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value was written, and how."""

    line: int
    """1-based line of its key, or of itself in a list."""
    text: str


@dataclass(slots=True)
class Document:
    """What a YAML text holds."""

    data: object = None
    """dict, list, str, int, float, bool or None; keys are text. None for an empty document."""
    marks: dict[Loc, Mark] = field(default_factory=dict)
    faults: list[tuple[Loc, Mark, str]] = field(default_factory=list)
    """Where, how written, and what is wrong: keys that come twice, tags, keys that are no text."""


class _CoreLoader(yaml.SafeLoader):
    """Knows null, true, false, whole numbers and numbers, as YAML 1.2 writes them; everything else is text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML wants a plain class attribute)


# https://yaml.org/spec/1.2.2/#1032-tag-resolution, and numbers with an exponent but no point, which PyYAML takes for text.
for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", [*"-+.0123456789"]),
):
    _CoreLoader.add_implicit_resolver(_TAG + _kind, re.compile(rf"^(?:{_pattern})$"), _first)


def parse(content: bytes) -> Document:
    """Read one YAML document (UTF-8). Raises YamlError if it is none; lesser faults stand in the result."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError("the file is not UTF-8 text", content.count(b"\n", 0, error.start) + 1) from None
    document = Document()
    try:
        node = yaml.compose(text, Loader=_CoreLoader)
        if node is not None:
            document.data = _Walk(document).value(node, (), node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(_plain(error), mark.line + 1 if mark else None, mark.column + 1 if mark else None) from None
    except yaml.reader.ReaderError as error:
        raise YamlError(
            f"the character U+{ord(text[error.position]):04X} is not allowed", text.count("\n", 0, error.position) + 1
        ) from None
    except RecursionError:
        raise YamlError("the lists and sections are nested too deeply") from None
    return document


def _plain(error: yaml.MarkedYAMLError) -> str:
    """Give the parser's message in the words of somebody who writes YAML and does not parse it."""
    problem = error.problem or "no YAML"
    if r"'\t'" in problem:
        return "a tab cannot indent; use spaces"
    if "mapping values are not allowed" in problem:
        return "a second ':' on this line, or a line that is indented too far; quote text that holds ': '"
    if "could not find expected ':'" in problem:
        return "a ':' is missing after the key"
    if "expected <block end>" in problem:
        return "this line's indentation fits none of the lines above"
    return f"{error.context}, {problem}" if error.context else problem


class _Walk:
    """Nodes to data, one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._count = 0
        self._above: list[yaml.Node] = []

    def value(self, node: yaml.Node, loc: Loc, at: yaml.Node) -> object:
        """Convert ``node``, which stands at ``loc`` and whose line is that of ``at``."""
        self._count += 1
        if self._count > MAX_VALUES or any(node is one for one in self._above):
            raise YamlError("an alias (*name) repeats itself", node.start_mark.line + 1, node.start_mark.column + 1)
        mark = Mark(at.start_mark.line + 1, written(node))
        self._document.marks[loc] = mark
        if node.tag not in _TAGS:
            self._document.faults.append((loc, mark, f"the tag {node.tag.replace(_TAG, '!!')} is not allowed"))
            return None
        if isinstance(node, yaml.ScalarNode):
            try:
                return _scalar(node)
            except ValueError:
                self._document.faults.append((loc, mark, f"is not written as {node.tag.replace(_TAG, '!!')} is"))
                return None
        self._above.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, loc)
            return [self.value(item, (*loc, index), item) for index, item in enumerate(node.value)]
        finally:
            self._above.pop()

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, value in node.value:
            mark = Mark(key.start_mark.line + 1, written(value))
            if not isinstance(key, yaml.ScalarNode):
                self._document.faults.append((loc, mark, "a key must be a word"))
            elif key.value in result:
                first = self._document.marks[(*loc, key.value)].line
                self._document.faults.append(((*loc, key.value), mark, f"the key stands twice, first in line {first}"))
            else:
                result[key.value] = self.value(value, (*loc, key.value), key)
        return result


_TAGS: Final = frozenset(_TAG + kind for kind in ("null", "bool", "int", "float", "str", "seq", "map"))


def _scalar(node: yaml.ScalarNode) -> object:
    """Raises ValueError if an explicit tag does not fit, or the number has too many digits."""
    kind, text = node.tag.removeprefix(_TAG), node.value
    if kind == "null":
        return None
    if kind == "bool":
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    if kind == "int":
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if kind == "float":
        return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
    return str(text)


def written(node: yaml.Node) -> str:
    """Give the node as the user wrote it, or nearly; sections are not opened, secrets may stand in them."""
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return "[" + ", ".join(str(item.value) if isinstance(item, yaml.ScalarNode) else "..." for item in node.value) + "]"
    return "{...}"
