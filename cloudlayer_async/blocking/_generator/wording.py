"""Docstrings in the words of a caller who does not await."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

from .keywords import Field
from .rules import Rules
from .source import LINE_LENGTH

LEFT_OVER = re.compile(
    r"\bawait\b|\basync (with|for|def)\b|\bAsync(Conversion|Batch)\b|\baclose\b|\basyncio\b|[Cc]ancell"
)
"""Words that say nothing to a caller who does not await."""


def adapted(doc: str, docs: Rules, *, width: int = LINE_LENGTH) -> str:
    """A docstring in the words of a caller who does not await; only what changes is wrapped anew."""
    lines: list[str] = []
    for block in _blocks(doc):
        text = " ".join(line.strip() for line in block)
        changed = docs.replace(text)
        if changed == text:
            lines += block
            continue
        indent = _indent(block[0])
        following = _indent(block[1]) if len(block) > 1 else indent and indent + 4
        lines += _filled(changed, width, indent, following)
    return "\n".join(lines)


def _blocks(doc: str) -> Iterator[list[str]]:
    """A docstring's paragraphs, and each item of its sections."""
    block: list[str] = []
    for line in doc.splitlines():
        continues = (
            block
            and line.strip()
            and block[0].strip()
            and not re.fullmatch(r"\w+:", block[-1].strip())
            and (_indent(line) > _indent(block[0]) or _indent(line) == 0)
        )
        if not continues and block:
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _filled(text: str, width: int, indent: int, following: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=" " * indent,
        subsequent_indent=" " * following,
        break_long_words=False,
        break_on_hyphens=False,
    )


def with_options_listed(doc: str, fields: Iterable[Field], *, width: int = LINE_LENGTH) -> str:
    """A docstring whose `**options` are followed by each of them."""
    lines: list[str] = []
    for block in _blocks(doc):
        lines += block
        if block[0].startswith("    **options:"):
            for field in fields:
                lines += _filled(f"{field.name}: {field.doc}", width, 4, 8)
    return "\n".join(lines)
