"""The house keeps its plan: imports point down, pure rooms stay pure, files stay short. Read from source."""

from __future__ import annotations

import ast
import fnmatch
import graphlib
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.sources

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "cloudlayer_async"

FLOORS: list[set[str]] = [
    {"errors", "redaction", "files", "sparse", "gate", "deadlines"},
    {"validation", "jsontext"},
    {"options", "models"},
    {"requests", "_keywords"},
    {"wire"},
    {"disposition", "retry", "protocol", "verdict", "polling"},
    {"exchange", "upload", "session", "receiving", "transport", "announcements"},
    {"announcements", "jobs", "downloads", "config"},
    {"conversion", "storage", "paging"},
    {"submission"},
    {"batch"},
    {"client"},
    {"webhooks"},
    {"blocking"},
    {"cli", "testing"},
]
"""From the ground up. A room may import its own floor and those below."""
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
PURE = {
    "wire",
    "jsontext",
    "protocol",
    "verdict",
    "retry",
    "disposition",
    "storage",
    "requests",
    "options",
    "models",
    "validation",
}
USES_AIOHTTP = {
    "exchange",
    "upload",
    "session",
    "receiving",
    "transport",
    "downloads",
    "client",
    "webhooks",
    "batch",
    "blocking",
    "testing",
}
"""`upload` makes bodies, `transport` sends them over `session` and `exchange`, `receiving` and `downloads` read.

The rest name its types, or serve."""
FRONT_DOOR = "cloudlayer_async"
VERSION = f"{FRONT_DOOR}.__version__"
"""All that a room may ask of the front door, which opens every room, late. Those on the top floor may use it as users do."""
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "misc", "common"}
TOP_LEVEL = {
    "cloudlayer_async",
    "tests",
    "benchmarks",
    "noxfile.py",
    "pyproject.toml",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    ".ci",
    ".gitignore",
}
MOST_LINES = 400


class Import(NamedTuple):
    """One import that happens at run time."""

    module: str
    line: int


@cache
def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """``cloudlayer_async.emulator.api`` -> ``emulator``; the package itself is the empty room."""
    return module.partition(".")[2].partition(".")[0]


@cache
def imports(path: Path) -> list[Import]:
    """Those that happen when it runs, inside functions too; not those for type checkers."""
    package = path.relative_to(ROOT).parent.parts
    names = {dotted(module) for module in modules()}

    def walk(node: ast.AST) -> Iterator[Import]:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for child in node.orelse:
                yield from walk(child)
            return
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield Import(inner if inner in names or inner == VERSION else module, node.lineno)
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    return list(walk(ast.parse(path.read_text(encoding="utf-8"))))


def test_there_is_something_to_read() -> None:
    assert {"", "client", "wire", "transport"} <= {room_of(dotted(path)) for path in modules()}


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_imports_point_down(path: Path) -> None:
    room = room_of(dotted(path))
    if room == "":
        return  # the lazy front door
    for found in imports(path):
        if found.module.partition(".")[0] != FRONT_DOOR:
            continue
        other = room_of(found.module)
        if room == "emulator" or other == "emulator":
            assert room == other or room in FLOORS[-1], f"line {found.line}: {room} imports {found.module}"
            continue
        if found.module == VERSION or (found.module == FRONT_DOOR and room in FLOORS[-1]):
            continue
        assert other in FLOOR_OF, f"line {found.line}: {found.module} has no floor"
        assert FLOOR_OF[other] <= FLOOR_OF[room], f"line {found.line}: {room} imports {found.module}, which is above it"


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(dotted(path)) for path in modules()} - {"", "emulator"}
    assert rooms <= set(FLOOR_OF)


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_pure_rooms_know_no_loop_and_no_connection(path: Path) -> None:
    room = room_of(dotted(path))
    names = {found.module.partition(".")[0] for found in imports(path)}
    if room in PURE:
        assert not names & {"asyncio", "anyio", "aiohttp", "time", "random", "socket"}
    if room not in USES_AIOHTTP and room not in ("emulator", "cli"):
        assert "aiohttp" not in names


def code_lines(path: Path) -> int:
    """Lines with code on them: no blanks, comments or docstrings."""
    text = path.read_text(encoding="utf-8")
    docs: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docs.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines: set[int] = set()
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docs)


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_files_are_short(path: Path) -> None:
    if "GENERATED" in path.read_text(encoding="utf-8")[:400]:
        return
    assert code_lines(path) <= MOST_LINES


def test_no_circle_of_imports() -> None:
    graph = {dotted(path): {found.module for found in imports(path)} for path in modules() if room_of(dotted(path))}
    for module, imported in graph.items():
        # A module's own package holds it, and is there before it.
        imported -= {module, module.rpartition(".")[0]}
    graphlib.TopologicalSorter(graph).prepare()


def test_names_say_what_they_are() -> None:
    named = {part for path in modules() for part in path.relative_to(PACKAGE).with_suffix("").parts}
    assert not FORBIDDEN_NAMES & named


def test_the_top_level_holds_what_the_design_lists() -> None:
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split()]
    found = {entry.name for entry in ROOT.iterdir() if not any(fnmatch.fnmatch(entry.name, name) for name in ignored)}
    assert found - {".git"} <= TOP_LEVEL
