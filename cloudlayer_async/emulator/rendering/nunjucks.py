"""Nunjucks source made ready for Jinja: other words for the same, and scopes and truth as in JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeVar

from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

VARIABLES = "cl_variables"
"""The namespace that holds what a template sets outside of macros."""
TRUTH = "cl_is_true"
COMPARE = "cl_compare"
JOIN = "cl_joined"
PAIRS = "cl_pairs"
PRINT = "cl_printed"

_TAGS = {
    "elseif": "elif",
    "asynceach": "for",
    "asyncall": "for",
    "endeach": "endfor",
    "endall": "endfor",
    "ifasync": "if",
}
_UNSUPPORTED = frozenset({"switch", "case", "include", "extends", "import", "from", "block"})
_VERBATIM = re.compile(r"{%(-?)\s*(end)?verbatim\s*(-?)%}")
_TAG = re.compile(r"(\s*)([A-Za-z]+)")
# In code: a text in quotes, a regular expression, an operator, or a word.
_CODE = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<regex>\br/(?:\\.|[^/\\\n])+/[gimy]*)"""
    r"""|(?P<operator>===|!==|&&|\|\|)|(?P<word>(?<![.\w$])(?:null|undefined)\b)""",
    re.DOTALL,
)
_WORDS = {"===": "==", "!==": "!=", "&&": " and ", "||": " or ", "null": "none", "undefined": "cl_undefined"}
_BLOCKS = re.compile(r"{%-?\s*raw\s*-?%}.*?{%-?\s*endraw\s*-?%}|{#.*?#}|{{(?P<print>.*?)}}|{%(?P<tag>.*?)%}", re.DOTALL)


def translate(source: str) -> str:
    """Replace what Nunjucks writes otherwise than Jinja.

    Raises:
        TemplateSyntaxError: Something is used that has no counterpart here; names it.
    """
    source = _VERBATIM.sub(lambda match: f"{{%{match[1]} {match[2] or ''}raw {match[3]}%}}", source)
    return _BLOCKS.sub(lambda match: _block(match, source), source)


def _block(match: re.Match[str], source: str) -> str:
    whole = match[0]
    code = match["tag"] if match["tag"] is not None else match["print"]
    if code is None:
        return whole
    line = source.count("\n", 0, match.start()) + 1
    if match["tag"] is not None:
        sign = "-" if code.startswith("-") else ""
        code = sign + _TAG.sub(lambda tag: tag[1] + _tag(tag[2], line), code[len(sign) :], count=1)
    code = _CODE.sub(lambda part: _part(part, line), code)
    return whole[:2] + code + whole[-2:]


def _tag(name: str, line: int) -> str:
    if name in _UNSUPPORTED:
        raise TemplateSyntaxError(f"the tag {name!r} is not supported here", line)
    return _TAGS.get(name.lower(), name)


def _part(part: re.Match[str], line: int) -> str:
    if part["regex"] is not None:
        raise TemplateSyntaxError("regular expressions are not supported here", line)
    return part[0] if part["text"] is not None else _WORDS[part[0]]


def adapt(tree: nodes.Template) -> nodes.Template:
    """Rewrite a parsed template: ``set`` reaches out of loops, and tests go by JavaScript's truth."""
    names = _settable(tree)
    for macro in tree.find_all((nodes.Macro, nodes.CallBlock)):
        names -= {target.name for target in macro.find_all(nodes.Name) if target.ctx != "load"}
    return _Adapter(names).template(tree)


def _settable(tree: nodes.Template) -> set[str]:
    """Names set by the template and never the variable of a loop or an argument."""
    assigned = {
        name.name
        for target in (
            *(statement.target for statement in tree.find_all(nodes.Assign)),
            *(statement.target for statement in tree.find_all(nodes.AssignBlock)),
        )
        for name in _stored(target)
        if not name.name.startswith("_")
    }
    loops = {name.name for loop in tree.find_all(nodes.For) for name in _stored(loop.target)}
    return assigned - loops


def _stored(target: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(target, nodes.Name):
        yield target
    yield from target.find_all(nodes.Name)


_Expression = TypeVar("_Expression", bound=nodes.Expr)


class _Adapter:
    def __init__(self, names: set[str]) -> None:
        self._names = names

    def template(self, tree: nodes.Template) -> nodes.Template:
        self._children(tree)
        return tree

    def _children(self, node: nodes.Node) -> None:
        for field, value in node.iter_fields():
            if isinstance(value, list):
                setattr(node, field, [self._new(item) if isinstance(item, nodes.Node) else item for item in value])
            elif isinstance(value, nodes.Node):
                setattr(node, field, self._new(value))

    def _new(self, node: nodes.Node) -> nodes.Node:
        self._children(node)
        match node:
            case nodes.Name(name=name) if name in self._names:
                if node.ctx == "load":
                    return self._at(node, nodes.Getattr(nodes.Name(VARIABLES, "load"), name, "load"))
                return self._at(node, nodes.NSRef(VARIABLES, name))
            case nodes.If() | nodes.CondExpr():
                node.test = self._truth(node.test)
            case nodes.Not():
                node.node = self._truth(node.node)
            case nodes.And():
                return self._at(node, nodes.CondExpr(self._truth(node.left), node.right, node.left))
            case nodes.Or():
                return self._at(node, nodes.CondExpr(self._truth(node.left), node.left, node.right))
            case nodes.Concat():
                return self._call(node, JOIN, [self._at(node, nodes.List(node.nodes))])
            case nodes.Compare() if len(node.ops) == 1:
                sign = self._at(node, nodes.Const(node.ops[0].op))
                return self._call(node, COMPARE, [sign, node.expr, node.ops[0].expr])
            case nodes.For():
                self._loop(node)
            case nodes.Output():
                # Not left to Jinja's `finalize`, which sees constants only after they have become text.
                node.nodes = [
                    child if isinstance(child, nodes.TemplateData) else self._call(child, PRINT, [child])
                    for child in node.nodes
                ]
        return node

    def _loop(self, node: nodes.For) -> None:
        is_pair = isinstance(node.target, nodes.Tuple) and len(node.target.items) == 2
        node.iter = self._call(node, PAIRS, [node.iter, self._at(node, nodes.Const(is_pair))])
        if node.test is not None:
            node.test = self._truth(node.test)

    def _truth(self, test: nodes.Node) -> nodes.Expr:
        return self._call(test, TRUTH, [test])

    def _call(self, origin: nodes.Node, name: str, arguments: list[Any]) -> nodes.Expr:
        function = self._at(origin, nodes.Name(name, "load"))
        return self._at(origin, nodes.Call(function, arguments, [], None, None))

    @staticmethod
    def _at(origin: nodes.Node, node: _Expression) -> _Expression:
        node.lineno = origin.lineno
        for child in node.iter_child_nodes():
            child.lineno = child.lineno or origin.lineno
        return node
