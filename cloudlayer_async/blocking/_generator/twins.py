"""`blocking/`: the twins of the async classes, with bodies that call the portal."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from typing import TypeAlias

from .keywords import Field
from .rules import Rules
from .source import BANNER, LINE_LENGTH, PACKAGE, Source, docstring, import_lines, imports_of, names_in, spread
from .wording import LEFT_OVER, adapted, with_options_listed

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

TWINS = (
    # written to, from the source, of the class
    ("_client.py", "client.py", "AsyncCloudlayer"),
    ("_conversion.py", "conversion.py", "AsyncConversion"),
    ("_batch.py", "batch/pipeline.py", "AsyncBatch"),
)
LATE_ROOMS = ("..batch",)
"""Rooms that the client imports when it uses them; here only their types are wanted."""


OWN_NAMES = {
    "functools": {"partial"},
    "contextlib": {"contextmanager"},
    "collections.abc": {"Generator", "Iterator"},
    "._errand": {"ask_caller", "ask_caller_where", "pull_from_caller", "tell_caller"},
    "._portal": {"Home", "Portal", "Visit", "refuse_session"},
    "._conversion": {"Conversion"},
    "._batch": {"Batch"},
}
"""Where names come from that only generated code uses."""


class Method:
    """A method of an async class, and the text of its twin."""

    def __init__(self, source: Source, owner: str, node: Function, rules: dict[str, Rules]) -> None:
        self.source = source
        self.owner = owner
        self.node = node
        self.rules = rules
        self.decorators = [source.of(decorator) for decorator in node.decorator_list]
        self.is_dunder = node.name.startswith("__")
        self.name = rules["methods"].get(node.name) or node.name
        self._check()

    def _check(self) -> None:
        unknown = set(self.decorators) - {"property", "asynccontextmanager"}
        if unknown:
            # Overloads do not pass through a ParamSpec, so that the doors could not be checked.
            self.source.refuse(self.node, f"is decorated with {', '.join(sorted(unknown))}, which has no twin")
        arguments = self.node.args
        named = [*arguments.posonlyargs, *arguments.args[1:], *arguments.kwonlyargs]
        if any(argument and argument.annotation is None for argument in (*named, arguments.vararg, arguments.kwarg)):
            self.source.refuse(self.node, "has a parameter without annotation")
        if self.node.returns is None:
            self.source.refuse(self.node, "has no return annotation")
        if not self.is_dunder and not ast.get_docstring(self.node):
            self.source.refuse(self.node, "has no docstring")
        if arguments.vararg or arguments.posonlyargs:
            self.source.refuse(self.node, "has parameters of a kind for which there is no rule")

    @property
    def returns(self) -> str:
        """The return annotation in the source."""
        assert self.node.returns is not None
        return self.source.of(self.node.returns)

    def text(self, fields: dict[str, list[Field]]) -> str:
        """The twin."""
        lines = []
        if "property" in self.decorators:
            lines.append("    @property")
        if "asynccontextmanager" in self.decorators:
            lines.append("    @contextmanager")
        returns = self.rules["types"].replace(self.returns, words=True)
        lines.append(spread(f"def {self.name}(", self._parameters(), f") -> {returns}:", 4))
        if doc := ast.get_docstring(self.node):
            doc = adapted(doc, self.rules["docs"], width=LINE_LENGTH - 8)
            if found := LEFT_OVER.search(doc):
                self.source.refuse(self.node, f"says {found[0]!r} in its docstring, for which there is no rule")
            if self.node.args.kwarg is not None:
                doc = with_options_listed(doc, fields.get(self._options, []), width=LINE_LENGTH - 8)
            lines.append(docstring(doc, 8))
        lines.append(textwrap.indent(self._body(), " " * 8))
        return "\n".join(lines) + "\n"

    @property
    def _options(self) -> str:
        """The request class whose options the method takes."""
        taken = self.node.args.kwarg
        assert taken is not None
        assert taken.annotation is not None
        return self.source.of(taken.annotation).removeprefix("Unpack[").removesuffix("Options]")

    def _parameters(self) -> list[str]:
        arguments = self.node.args
        first = len(arguments.args) - len(arguments.defaults)
        parts = ["self"]
        for index, argument in enumerate(arguments.args[1:], 1):
            default = arguments.defaults[index - first] if index >= first else None
            parts.append(self._parameter(argument, default))
        if arguments.kwonlyargs:
            parts.append("*")
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            parts.append(self._parameter(argument, default))
        if arguments.kwarg is not None:
            parts.append(f"**{self._parameter(arguments.kwarg, None)}")
        return parts

    def _parameter(self, argument: ast.arg, default: ast.expr | None) -> str:
        assert argument.annotation is not None
        text = f"{argument.arg}: {self.source.of(argument.annotation)}"
        if default is None:
            return text
        line = self.source.text.splitlines()[(default.end_lineno or default.lineno) - 1]
        remark = re.search(r"# noqa: \w+", line)
        return f"{text} = {self.source.of(default)}" + (f"  {remark[0]}" if remark else "")

    def arguments(self) -> list[str]:
        """How the twin passes on what it was given."""
        arguments = self.node.args
        passed = [self._passed(argument) for argument in arguments.args[1:]]
        passed += [f"{argument.arg}={self._passed(argument)}" for argument in arguments.kwonlyargs]
        return passed + ([f"**{arguments.kwarg.arg}"] if arguments.kwarg is not None else [])

    def _passed(self, argument: ast.arg) -> str:
        assert argument.annotation is not None
        wrapper = self.rules["arguments"].get(self.source.of(argument.annotation))
        return argument.arg if wrapper is None else f"{wrapper}({argument.arg})"

    def _body(self) -> str:
        body = self.rules["bodies"].get(f"{self.owner}.{self.node.name}")
        if body is not None:
            return body
        if self.node.name in ("__repr__", "__reduce__"):
            return self._own_body()
        if self.is_dunder:
            self.source.refuse(self.node, "has no rule")
        there = f"self._async.{self.node.name}"
        if "property" in self.decorators:
            return f"return self._visit.look(lambda: {there})" if self.owner == "AsyncBatch" else f"return {there}"
        if "asynccontextmanager" in self.decorators:
            entering = spread("with self._portal.enter(", [there, *self.arguments()], ") as visit:", 0)
            given = "visit.iterate(visit.value)" if "[AsyncIterator[" in self.returns else "visit.value"
            return f"{entering}\n    yield {given}"
        if isinstance(self.node, ast.FunctionDef):
            return self._given(f"{there}(", self.arguments())
        door = "iterate" if self.returns.startswith("AsyncGenerator[") else "run"
        return self._given(f"self._portal.{door}(", [there, *self.arguments()])

    def _given(self, call: str, arguments: list[str]) -> str:
        """The result of a call, made into a handle where it is one."""
        if self.returns == "None":
            return spread(call, arguments, ")", 0)
        if self.returns not in ("AsyncConversion", "AsyncBatch"):
            return spread(f"return {call}", arguments, ")", 0)
        handle = self.rules["types"].get(self.returns)
        inner = spread(call, arguments, ")", 0)
        line = f"return {handle}(self._portal, {inner})"
        if "\n" not in inner and len(line) + 8 <= LINE_LENGTH:
            return line
        return spread(f"handle = {call}", arguments, ")", 0) + f"\nreturn {handle}(self._portal, handle)"

    def _own_body(self) -> str:
        """The source's own body, which says nothing of what only the async class has."""
        body = "\n".join(self.source.text.splitlines()[self.node.body[0].lineno - 1 : self.node.end_lineno])
        if re.search(r"self\._|await", body):
            self.source.refuse(self.node, "uses more than public names, which its twin cannot")
        return textwrap.dedent(body)


def twin(path: str, name: str, rules: dict[str, Rules], fields: dict[str, list[Field]]) -> str:
    """The text of a file with the blocking twin of one class."""
    source = Source(PACKAGE / path)
    node = source.find_class(name)
    blocking = rules["docs"].get(name) or name
    doc = adapted(ast.get_docstring(node) or "", rules["docs"], width=LINE_LENGTH - 4)
    methods = [
        Method(source, name, item, rules)
        for item in node.body
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and (item.name[0] != "_" or item.name[:2] == "__")
    ]
    parts = [f"class {blocking}:\n{docstring(doc, 4)}\n", *_beginning(name, methods)]
    parts += [method.text(fields) for method in methods if method.node.name != "__init__"]
    body = "\n".join(parts)
    module = f"..{path.removesuffix('.py').replace('/', '.')}"
    title = f'"""`{blocking}`, the blocking twin of `{name}`."""'
    return f"{title}\n\n{BANNER.format(source=path)}\n{_twin_imports(source, module, body)}\n\n\n{body}"


def _beginning(name: str, methods: list[Method]) -> Iterator[str]:
    """How a twin begins: the client with a home of its own, a handle with what it is a handle of."""
    if name == "AsyncCloudlayer":
        (init,) = (method for method in methods if method.node.name == "__init__")
        taken = [argument for argument in init.arguments() if argument != "session=session"]
        yield (
            spread("def __init__(", init._parameters(), ") -> None:", 4)
            + "\n        refuse_session(session)\n"
            + spread("make = partial(", [name, *taken], ")", 8)
            + "\n        self._home = Home(make, lambda client: Portal(client.aclose, client._release))\n"
            + "        self._is_root = True\n"
        )
        yield f"    @property\n    def _async(self) -> {name}:\n        return self._home.client\n"
        yield "    @property\n    def _portal(self) -> Portal:\n        return self._home.portal\n"
        return
    visit = "        self._visit = Visit(portal, handle)\n" if any(m.name == "__enter__" for m in methods) else ""
    yield (
        f"    def __init__(self, portal: Portal, handle: {name}) -> None:\n"
        f"        self._portal = portal\n        self._async = handle\n{visit}"
    )


def _twin_imports(source: Source, module: str, body: str) -> str:
    """The imports of a generated file: those of its source that it uses, from where it stands, and its own."""
    used = names_in(body)
    package = module.count(".") - 2  # how deep in the package the source is
    wanted: dict[str, set[str]] = {}
    typing: dict[str, set[str]] = {}
    late = [item for node in source.tree.body if isinstance(node, ast.If) for item in node.body]
    for body_part, is_late in ((source.tree.body, False), (late, True)):
        for origin, names in imports_of(body_part).items():
            where = _from_here(origin, module, package)
            if found := names & used:
                (typing if is_late or where.startswith(LATE_ROOMS) else wanted).setdefault(where, set()).update(found)
                used -= found
    top = {node.name for node in source.tree.body if isinstance(node, ast.ClassDef)}
    top |= {
        target.id
        for node in source.tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(target := node.target, ast.Name)
    }
    defined_here = {node.name for node in ast.parse(body).body if isinstance(node, ast.ClassDef)}
    if found := (top & used) - defined_here:
        (typing if module.startswith(LATE_ROOMS) else wanted).setdefault(module, set()).update(found)
    for where, names in OWN_NAMES.items():
        if found := (names & used) - defined_here:
            wanted.setdefault(where, set()).update(found)
    if typing:
        wanted.setdefault("typing", set()).add("TYPE_CHECKING")
    text = f"from __future__ import annotations\n\n{import_lines(wanted)}"
    if typing:
        text += "\n\nif TYPE_CHECKING:\n" + textwrap.indent(import_lines(typing), "    ")
    return text


def _from_here(origin: str, module: str, depth: int) -> str:
    """A module's name as seen from blocking/: the source stands `depth` folders deep in the package."""
    dots = len(origin) - len(origin.lstrip("."))
    if not dots:
        return origin
    folders = module.lstrip(".").split(".")[:-1]
    above = folders[: depth + 1 - dots] if dots <= depth else []
    return ".." + ".".join([*above, origin.lstrip(".")])
