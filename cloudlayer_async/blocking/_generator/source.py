"""What all generators share: reading a hand-written module, imports, and the formatter's way of laying out code."""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

PACKAGE = Path(__file__).resolve().parents[2]
BANNER = """\
# GENERATED from {source}: do not change by hand. Make it anew with
#     python cloudlayer_async/blocking/generate.py
"""
LINE_LENGTH = 120


class GenerationError(Exception):
    """A source that has no twin: what is wrong, and where."""


class Source:
    """One hand-written module: its text and its syntax tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text, filename=str(path))
        self._lines = self.text.encode().splitlines(keepends=True)  # a node's columns count bytes

    def of(self, node: ast.AST) -> str:
        """A node's own text, on one line."""
        # ast.get_source_segment takes the whole module apart for each node: seconds in all.
        assert isinstance(node, (ast.stmt, ast.expr, ast.arg))
        assert node.end_lineno is not None
        lines = self._lines[node.lineno - 1 : node.end_lineno]
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        return " ".join(b"".join(lines).decode().split())

    def refuse(self, node: ast.stmt, why: str) -> NoReturn:
        """Ends the generation."""
        raise GenerationError(
            f"{self.path.relative_to(PACKAGE.parent)}:{node.lineno}: {getattr(node, 'name', '')} {why}"
        )

    def find_class(self, name: str) -> ast.ClassDef:
        """A class of the module."""
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return node
        raise GenerationError(f"{self.path.relative_to(PACKAGE.parent)} has no class {name}")


# --- imports --------------------------------------------------------------------------------------------------------


def names_in(code: str) -> set[str]:
    """Every name that a piece of code uses."""
    return {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}


def imports_of(body: Iterable[ast.stmt]) -> dict[str, set[str]]:
    """What is imported from where; a whole module stands under "import NAME" with the name it goes by."""
    found: dict[str, set[str]] = {}
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            found.setdefault("." * node.level + (node.module or ""), set()).update(alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                shown = alias.name if alias.asname is None else f"{alias.name} as {alias.asname}"
                found[f"import {shown}"] = {alias.asname or alias.name}
    return found


def import_lines(wanted: Mapping[str, set[str]]) -> str:
    """Import statements in the linter's order; modules nothing is wanted from are left out."""
    sections: tuple[list[str], list[str], list[str]] = ([], [], [])
    for module in sorted((module for module in wanted if wanted[module]), key=_module_key):
        root = module.removeprefix("import ").partition(" ")[0].partition(".")[0]
        place = 2 if not root else 0 if root in sys.stdlib_module_names else 1
        line = module if module.startswith("import ") else _import_line(module, sorted(wanted[module], key=_isort_key))
        sections[place].append(line)
    return "\n\n".join("\n".join(section) for section in sections if section)


def _module_key(module: str) -> tuple[int, int, str]:
    # Whole modules, then names; from afar, then from near.
    dots = len(module) - len(module.lstrip("."))
    return (0 if module.startswith("import ") else 1, -dots, module)


def _isort_key(name: str) -> tuple[int, str]:
    # Constants, classes, functions: the order the linter keeps.
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2, name)


def _import_line(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= LINE_LENGTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"


# --- layout ---------------------------------------------------------------------------------------------------------


def spread(head: str, parts: list[str], tail: str, indent: int) -> str:
    """`head(parts)tail` as the formatter lays it out: on one line, on one line within, or on one line each."""
    space = " " * indent
    inside = ", ".join(parts)
    if not any("#" in part for part in parts):
        if len(space + head + inside + tail) <= LINE_LENGTH:
            return f"{space}{head}{inside}{tail}"
        if len(space) + 4 + len(inside) <= LINE_LENGTH and "=" not in head:
            return f"{space}{head}\n{space}    {inside}\n{space}{tail}"
    rows = (
        f"{space}    {code},{'  ' + note if note else ''}\n" for code, _, note in (p.partition("  ") for p in parts)
    )
    return f"{space}{head}\n{''.join(rows)}{space}{tail}"


def docstring(text: str, indent: int) -> str:
    """A docstring in its quotes."""
    if "\n" not in text:
        return f'{" " * indent}"""{text}"""'
    return textwrap.indent(f'"""{text}\n"""', " " * indent)
