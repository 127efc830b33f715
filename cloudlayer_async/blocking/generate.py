"""Writes the generated modules from the source text of the hand-written ones.

    python cloudlayer_async/blocking/generate.py            # write
    python cloudlayer_async/blocking/generate.py --check    # fail when what is there differs

Standard library only, and nothing of the package is imported: it works when generated files are absent or broken. What it
writes is put together from source text, so that it does not depend on the Python that runs it. Left out of the wheel.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn, TypeAlias

PACKAGE = Path(__file__).resolve().parent.parent
BANNER = '''\
# GENERATED from {source}: do not change by hand. Make it anew with
#     python cloudlayer_async/blocking/generate.py
'''
LINE_LENGTH = 120

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class GenerationError(Exception):
    """A source that has no twin: what is wrong, and where."""


class Source:
    """One hand-written module: its text and its syntax tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text, filename=str(path))

    def of(self, node: ast.AST) -> str:
        """A node's own text, on one line."""
        segment = ast.get_source_segment(self.text, node)
        assert segment is not None
        return " ".join(segment.split())

    def refuse(self, node: ast.stmt, why: str) -> NoReturn:
        """Ends the generation."""
        raise GenerationError(f"{self.path.relative_to(PACKAGE.parent)}:{node.lineno}: {getattr(node, 'name', '')} {why}")

    def find_class(self, name: str) -> ast.ClassDef:
        """A class of the module."""
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return node
        raise GenerationError(f"{self.path.relative_to(PACKAGE.parent)} has no class {name}")


# --- _keywords.py: the TypedDicts behind the keyword options --------------------------------------------------------


class Field:
    """One option field of a class in requests.py."""

    def __init__(self, name: str, annotation: str, doc: str) -> None:
        self.name = name
        self.annotation = annotation
        self.doc = doc


class RequestClass:
    """A class of requests.py: its bases and its own fields."""

    def __init__(self, source: Source, node: ast.ClassDef) -> None:
        self.name = node.name
        self.bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
        self.is_conversion = any(
            isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id == "kind"
            for item in node.body
        )
        keyword_only = any("kw_only=True" in source.of(decorator) for decorator in node.decorator_list)
        self.fields: list[Field] = []
        for item, following in zip(node.body, [*node.body[1:], None], strict=True):
            if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name) or item.value is None:
                continue
            annotation = source.of(item.annotation)
            if annotation.startswith("ClassVar"):
                continue
            if keyword_only or "kw_only=True" in source.of(item.value):
                self.fields.append(Field(item.target.id, annotation, _doc_of(following)))


def _doc_of(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split())
    return ""


def request_classes(source: Source) -> dict[str, RequestClass]:
    """All classes of requests.py by name."""
    return {node.name: RequestClass(source, node) for node in source.tree.body if isinstance(node, ast.ClassDef)}


def options_of(name: str, classes: dict[str, RequestClass]) -> Iterator[Field]:
    """The keyword options of a class, its bases' included, each once, in the order of the bases."""
    seen: set[str] = set()
    pending = [name]
    order: list[str] = []
    while pending:
        current = pending.pop(0)
        if current in classes and current not in order:
            order.append(current)
            pending = [*classes[current].bases, *pending]
    for current in order:
        for field in classes[current].fields:
            if field.name not in seen:
                seen.add(field.name)
                yield field


def _accepted(annotation: str) -> str:
    """A field's type as a keyword: a key that is absent needs no stand-in for "not given"."""
    return annotation.removesuffix(" | Unset")


def _typed_dict(name: str, doc: str, fields: list[Field]) -> str:
    lines = [f"class {name}(TypedDict, total=False):", f'    """{doc}"""', ""]
    lines += [f"    {field.name}: {_accepted(field.annotation)}" for field in fields]
    return "\n".join(lines) + "\n"


def keywords() -> str:
    """The text of _keywords.py."""
    source = Source(PACKAGE / "requests.py")
    classes = request_classes(source)
    conversions = [name for name, cls in classes.items() if cls.is_conversion]
    parts = [
        _typed_dict(f"{name}Options", f"Keyword options of `{name}`.", list(options_of(name, classes)))
        for name in conversions
    ]
    inputs = {"url", "batch", "template", "template_id", "data", "extra"}
    merged: dict[str, Field] = {}
    for name in conversions:
        for field in options_of(name, classes):
            if field.name not in inputs:
                merged.setdefault(field.name, field)
    parts.append(
        _typed_dict(
            "DefaultOptions",
            "Options a client may send with every conversion whose kind has them.",
            list(merged.values()),
        )
    )
    body = "\n\n".join(parts)
    imports = _imports_for(source, body)
    return (
        f'"""The keyword options of the conversion methods, for type checkers and editors."""\n\n'
        f"{BANNER.format(source='requests.py')}\nfrom __future__ import annotations\n\n{imports}\n\n\n{body}"
    )


def _imports_for(source: Source, body: str) -> str:
    """The imports of requests.py that the annotations in `body` need."""
    used = names_in(body)
    wanted = {
        module: {name for name in names if name in used} for module, names in imports_of(source.tree.body).items()
    }
    defined = {
        node.target.id
        for node in source.tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    wanted[".requests"] = used & defined
    wanted.setdefault("typing", set()).add("TypedDict")
    return import_lines(wanted)


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


# --- writing and checking -------------------------------------------------------------------------------------------


def generated() -> dict[Path, str]:
    """Every generated file and the text it must have."""
    return {PACKAGE / "_keywords.py": keywords()}


def main(arguments: list[str] | None = None) -> int:
    """Writes the files, or says which of them differ."""
    parser = argparse.ArgumentParser(description="Write the generated modules.")
    parser.add_argument("--check", action="store_true", help="only compare; exit with 1 when a file differs")
    check = parser.parse_args(arguments).check
    differing = []
    for path, text in generated().items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        differing.append(path)
        if not check:
            path.write_text(text, encoding="utf-8")
    for path in differing:
        print(f"{'differs' if check else 'written'}: {path.relative_to(PACKAGE.parent)}")
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
