"""JavaScript's ways with values, for templates that were written against it: printing, truth, arithmetic, methods."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from jinja2 import ChainableUndefined, Undefined
from jinja2.exceptions import SecurityError
from markupsafe import Markup, escape

MAX_TEXT = 10_000_000
"""Characters of any one text a template builds."""
_SAFE_INTEGER = 2**53


class JsUndefined(ChainableUndefined):
    """JavaScript's ``undefined``: equal to null, not a number, and nothing of it is an error until it is called."""

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Undefined)

    def __hash__(self) -> int:
        return hash(None)

    def __ne__(self, other: object) -> bool:
        return not self == other


def to_text(value: object) -> str:
    """Write a value as JavaScript would, null and undefined as nothing."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, Undefined):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number_text(value)
    if isinstance(value, (list, tuple)):
        return ",".join(to_text(item) for item in value)
    if isinstance(value, Mapping):
        return "[object Object]"
    return str(value)


def printed(value: object) -> object:
    """Prepare a value for output: what is safe markup stays so."""
    return value if isinstance(value, str) or hasattr(value, "__html__") else to_text(value)


def is_true(value: object) -> bool:
    """Whether JavaScript takes a value for true: empty lists and objects are."""
    if isinstance(value, (list, tuple, Mapping)):
        return True
    if isinstance(value, float) and math.isnan(value):
        return False
    return bool(value)


def to_number(value: object) -> float | int:
    """Turn a value into a number, NaN where it is none."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value
    if value is None:
        return 0
    if isinstance(value, str):
        text = value.strip()
        try:
            return int(text) if text.lstrip("+-").isdigit() and len(text) < 400 else float(text or "0")
        except ValueError:
            return math.nan
    return math.nan


def add(left: object, right: object) -> object:
    """``+``: joins as soon as one side is no number."""
    if isinstance(left, (str, list, tuple, Mapping)) or isinstance(right, (str, list, tuple, Mapping)):
        return joined([left, right])
    return _settled(_both(operator.add, left, right))


def joined(parts: Sequence[object]) -> str:
    """Join as text; safe markup stays safe, and what is joined to it is escaped."""
    texts = [part if isinstance(part, str) else _visible(part) for part in parts]
    if sum(map(len, texts)) > MAX_TEXT:
        raise SecurityError("a text grows too large")
    if any(isinstance(text, Markup) for text in texts):
        return Markup("").join(texts)
    return "".join(texts)


def arithmetic(sign: str, left: object, right: object) -> object:
    """Calculate as with JavaScript's numbers; dividing by nothing is no error."""
    if sign == "+":
        return add(left, right)
    first, second = to_number(left), to_number(right)
    try:
        return _settled(_ARITHMETIC[sign](first, second))
    except (OverflowError, ValueError):
        return math.inf if sign in ("*", "**") else math.nan


def _divide(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left)
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right
    return left / right


def _remainder(left: float, right: float) -> float:
    if isinstance(left, int) and isinstance(right, int) and right != 0:
        return left - right * int(left / right)
    return math.fmod(left, right)


def _power(left: float, right: float) -> float:
    result = float(left) ** float(right)
    return result if isinstance(result, float) else math.nan


_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "//": lambda left, right: math.floor(_divide(left, right)),
    "%": _remainder,
    "**": _power,
}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}


def compare(sign: str, left: Any, right: Any) -> bool:
    """Compare as JavaScript does; equality is strict but for null and undefined, which are one."""
    match sign:
        case "eq":
            return _equal(left, right)
        case "ne":
            return not _equal(left, right)
        case "in" | "notin":
            inside = _contains(right, left)
            return inside if sign == "in" else not inside
    if isinstance(left, str) and isinstance(right, str):
        return _ORDER[sign](left, right)
    return _ORDER[sign](to_number(left), to_number(right))


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def _contains(container: Any, item: Any) -> bool:
    if isinstance(container, str):
        return to_text(item) in container
    if isinstance(container, Mapping):
        return to_text(item) in container
    return isinstance(container, (list, tuple)) and any(_equal(item, entry) for entry in container)


def _both(calculate: Callable[[Any, Any], Any], left: object, right: object) -> Any:
    return calculate(to_number(left), to_number(right))


def _settled(number: float) -> float:
    """Keep numbers as small as JavaScript's, and whole ones without a point."""
    if isinstance(number, int):
        return number if abs(number) <= _SAFE_INTEGER else float(number)
    return int(number) if number.is_integer() and abs(number) <= _SAFE_INTEGER else number


def _visible(value: object) -> str:
    """Text as ``+`` makes it, where null and undefined have names."""
    if isinstance(value, Undefined):
        return "undefined"
    return "null" if value is None else to_text(value)


def _number_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if 1e-7 <= abs(value) < 1e-4:
        return format(Decimal(repr(value)), "f")
    return repr(value).replace("e-0", "e-")


def to_fixed(value: object, digits: int = 0) -> str:
    """``toFixed``: that many digits after the point, halves away from zero, of the number as it really is."""
    number = to_number(value)
    if not 0 <= digits <= 100 or not math.isfinite(number):
        return _number_text(float(number))
    return format(Decimal(number).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP), "f")


def dump(value: object, indent: int | None = None) -> str:
    """``JSON.stringify``, also of what is undefined."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(value, ensure_ascii=False, separators=separators, indent=indent, default=lambda _: None)


def nl2br(value: object) -> str:
    """Put ``<br />`` at line ends; escapes what is not safe markup yet."""
    text = escape("" if value is None or isinstance(value, Undefined) else to_text(value))
    return Markup(str(text).replace("\r\n", "\n").replace("\n", "<br />\n"))
