"""The methods that JavaScript gives texts, lists and numbers, as templates call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2.exceptions import SecurityError

from .javascript import MAX_TEXT, compare, to_fixed, to_number, to_text

Method = Callable[..., Any]


def member(value: object, name: str) -> Any:
    """Return a property or a bound method of a text, list or number; None when there is no such thing."""
    if name == "length" and isinstance(value, (str, list, tuple)):
        return len(value)
    methods = _methods_of(value)
    method = methods.get(name)
    if method is None:
        return None
    return lambda *arguments: method(value, *arguments)


def has_members(value: object) -> bool:
    """Whether `member` speaks for a value, so that Python's own attributes are out of sight."""
    return isinstance(value, (str, list, tuple, int, float)) or value is None


def _methods_of(value: object) -> Mapping[str, Method]:
    if isinstance(value, str):
        return _TEXT
    if isinstance(value, (list, tuple)):
        return _LIST
    if isinstance(value, (int, float)):
        return _NUMBER
    return {}


def _bounds(size: int, start: object, end: object) -> tuple[int, int]:
    """Where a ``slice`` begins and ends; negative numbers count from the end."""
    first, last = (_whole(start, 0), _whole(end, size))
    first = max(0, size + first) if first < 0 else min(first, size)
    last = max(0, size + last) if last < 0 else min(last, size)
    return first, max(first, last)


def _whole(value: object, default: int) -> int:
    if value is None:
        return default
    number = to_number(value)
    return default if number != number else int(max(-(2**53), min(2**53, number)))


def _slice(value: Any, start: object = None, end: object = None) -> Any:
    first, last = _bounds(len(value), start, end)
    return value[first:last]


def _substring(text: str, start: object = None, end: object = None) -> str:
    ends = sorted(
        max(0, min(_whole(position, default), len(text))) for position, default in ((start, 0), (end, len(text)))
    )
    return text[ends[0] : ends[1]]


def _substr(text: str, start: object = None, length: object = None) -> str:
    first, _ = _bounds(len(text), start, None)
    return text[first : first + max(0, _whole(length, len(text)))]


def _pad(text: str, width: object, filler: object, *, before: bool) -> str:
    size, fill = _whole(width, 0), to_text(filler)
    missing = size - len(text)
    if missing <= 0 or not fill:
        return text
    padding = (_repeat(fill, missing // len(fill) + 1))[:missing]
    return padding + text if before else text + padding


def _repeat(text: str, times: object) -> str:
    count = _whole(times, 0)
    if count < 0 or count * len(text) > MAX_TEXT:
        raise SecurityError("repeat would make too large a text")
    return text * count


def _split(text: str, separator: object = None, limit: object = None) -> list[str]:
    if separator is None:
        parts = [text]
    else:
        mark = to_text(separator)
        parts = text.split(mark) if mark else list(text)
    return parts if limit is None else parts[: _whole(limit, 0)]


def _index(items: Any, item: object) -> int:
    return next((index for index, entry in enumerate(items) if compare("eq", entry, item)), -1)


def _concat(items: Any, *others: object) -> list[Any]:
    whole = list(items)
    for other in others:
        whole.extend(other) if isinstance(other, (list, tuple)) else whole.append(other)
    return whole


def _plain(value: object) -> str:
    # Methods work on the bare text: what they return is escaped anew.
    return str.__str__(value) if isinstance(value, str) else to_text(value)


def _on_text(method: Method) -> Method:
    return lambda text, *arguments: method(str(_plain(text)), *arguments)


_PLAIN_TEXT: Mapping[str, Method] = {
    "toUpperCase": str.upper,
    "toLowerCase": str.lower,
    "toLocaleUpperCase": str.upper,
    "toLocaleLowerCase": str.lower,
    "toString": str,
    "trim": str.strip,
    "trimStart": str.lstrip,
    "trimEnd": str.rstrip,
    "split": _split,
    "slice": _slice,
    "substring": _substring,
    "substr": _substr,
    "charAt": lambda text, index=0: text[_whole(index, 0) : _whole(index, 0) + 1] if _whole(index, 0) >= 0 else "",
    "indexOf": lambda text, part: text.find(to_text(part)),
    "lastIndexOf": lambda text, part: text.rfind(to_text(part)),
    "includes": lambda text, part: to_text(part) in text,
    "startsWith": lambda text, part: text.startswith(to_text(part)),
    "endsWith": lambda text, part: text.endswith(to_text(part)),
    "replace": lambda text, old, new: text.replace(to_text(old), to_text(new), 1),
    "replaceAll": lambda text, old, new: text.replace(to_text(old), to_text(new)),
    "padStart": lambda text, width, filler=" ": _pad(text, width, filler, before=True),
    "padEnd": lambda text, width, filler=" ": _pad(text, width, filler, before=False),
    "repeat": _repeat,
    "concat": lambda text, *others: text + "".join(map(to_text, others)),
}
_TEXT: Mapping[str, Method] = {name: _on_text(method) for name, method in _PLAIN_TEXT.items()}
_LIST: Mapping[str, Method] = {
    "join": lambda items, separator=",": to_text(separator).join(map(to_text, items)),
    "slice": _slice,
    "indexOf": _index,
    "includes": lambda items, item: _index(items, item) >= 0,
    "concat": _concat,
    "reverse": lambda items: list(reversed(items)),
    "toString": to_text,
}
_NUMBER: Mapping[str, Method] = {
    "toFixed": lambda number, digits=0: to_fixed(number, _whole(digits, 0)),
    "toString": to_text,
    "toLocaleString": lambda number: f"{number:,}" if isinstance(number, int) else f"{round(number, 3):,}",
}
