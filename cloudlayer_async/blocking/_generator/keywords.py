"""`_keywords.py`: the TypedDicts behind the keyword options."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .source import BANNER, PACKAGE, Source, import_lines, imports_of, names_in


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


def options_by_class() -> dict[str, list[Field]]:
    """The keyword options of each conversion's class."""
    classes = request_classes(Source(PACKAGE / "requests.py"))
    return {name: list(options_of(name, classes)) for name, cls in classes.items() if cls.is_conversion}
