"""Nunjucks templates, drawn with Jinja's sandbox bent toward JavaScript. Runs in a worker process.

What still differs is that ``==`` is as strict as ``===``, and that ``switch``, ``include``, ``extends``, ``import``
and regular expressions end the job with an error naming them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_skeleton
from babel.numbers import format_currency
from jinja2 import TemplateError, Undefined, nodes
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import Namespace
from markupsafe import Markup

from . import javascript, nunjucks
from .calculation import calculated
from .methods import has_members, member
from .model import RenderError

MAX_OUTPUT = 20_000_000
"""Characters a template may make."""


class _Environment(SandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self) -> None:
        super().__init__(
            autoescape=True,
            undefined=javascript.JsUndefined,
            keep_trailing_newline=True,
        )
        for name in ("dict", "lipsum", "namespace"):
            del self.globals[name]
        self.globals.update(
            {
                "formatCurrency": format_money,
                "formatDateTime": format_date_time,
                "cl_undefined": javascript.JsUndefined(),
                nunjucks.TRUTH: javascript.is_true,
                nunjucks.COMPARE: javascript.compare,
                nunjucks.JOIN: javascript.joined,
                nunjucks.PAIRS: _pairs,
                nunjucks.PRINT: javascript.printed,
            }
        )
        self.filters.update(
            {
                "dump": javascript.dump,
                "nl2br": javascript.nl2br,
                "string": lambda value: value if isinstance(value, str) else javascript.to_text(value),
                "join": _join,
                "groupby": _group,
                "random": random.choice,
                "truncate": _truncate,
                "reverse": lambda value: value[::-1] if isinstance(value, str) else list(reversed(value)),
            }
        )

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return nunjucks.adapt(super()._parse(nunjucks.translate(source), name, filename))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        return javascript.arithmetic(operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self._member(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self._member(obj, argument)

    def _member(self, obj: Any, key: Any) -> Any:
        if isinstance(obj, Mapping):
            found = obj.get(key if isinstance(key, str) else javascript.to_text(key), _MISSING)
        elif isinstance(obj, (str, list, tuple)) and isinstance(key, (int, float)) and not isinstance(key, bool):
            found = obj[int(key)] if key == int(key) and 0 <= key < len(obj) else _MISSING
        elif isinstance(obj, (list, tuple, str)) and isinstance(key, slice):
            found = obj[key]
        elif has_members(obj):
            found = member(obj, key) if isinstance(key, str) else None
            found = _MISSING if found is None else found
        elif isinstance(key, str):
            return super().getattr(obj, key)
        else:
            return super().getitem(obj, key)
        return self.undefined(obj=obj, name=str(key)) if found is _MISSING else found


_MISSING: Any = object()


def render(source: str, data: Mapping[str, Any]) -> str:
    """Fill a template in.

    Args:
        source: The template.
        data: Its variables; nulls are calculated first unless ``__auto_calculate`` is false.

    Raises:
        RenderError: The template is malformed, uses what is not supported, fails, or makes too much.
    """
    environment = _Environment()
    values = calculated(data)
    parts: list[str] = []
    size = 0
    try:
        template = environment.from_string(source)
        for part in template.generate({**values, nunjucks.VARIABLES: Namespace(values)}):
            size += len(part)
            if size > MAX_OUTPUT:
                raise RenderError(f"The template makes more than {MAX_OUTPUT} characters")
            parts.append(part)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise RenderError(f"Template render error{f' (line {line})' if line else ''}: {error.message}") from error
    except (MemoryError, RecursionError, RenderError):
        raise
    except Exception as error:  # A template can provoke any error of any filter; none of them is ours.
        raise RenderError(f"Template render error: {error}") from error
    return "".join(parts)


def format_money(locale: object, currency: object, amount: object) -> str:
    """``formatCurrency``: an amount as a locale writes it.

    Raises:
        ValueError: There is no such locale.
    """
    return format_currency(javascript.to_number(amount), str(currency), locale=_locale(locale))


def format_date_time(locale: object, date: object = None) -> str:
    """``formatDateTime``: a date as a locale writes it, in UTC.

    Args:
        locale: A BCP 47 name such as ``en-GB``.
        date: ISO text or milliseconds since 1970; now when it is missing.

    Raises:
        ValueError: There is no such locale, or it is no date.
    """
    return format_skeleton("yMd", _date(date), locale=_locale(locale), tzinfo=UTC)


def _locale(name: object) -> Locale:
    try:
        return Locale.parse(str(name or "en-US").replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError) as error:
        raise ValueError(f"{name!r} is no locale") from error


def _date(value: object) -> datetime:
    if value is None or isinstance(value, Undefined):
        return datetime.now(UTC)
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value / 1000, UTC)
    try:
        date = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is no date: give ISO 8601 or milliseconds") from error
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def _pairs(items: Any, is_pair: bool) -> Iterable[Any]:
    """Return what a loop goes over: the pairs of an object, or the items; nothing for null and undefined."""
    if items is None or isinstance(items, Undefined):
        return ()
    if isinstance(items, Mapping):
        return list(items.items()) if is_pair else list(items)
    return items if isinstance(items, (list, tuple, str, range)) or hasattr(items, "__iter__") else ()


def _join(items: Any, separator: object = "", attribute: str | None = None) -> str:
    values = list(_pairs(items, False))
    if attribute is not None:
        values = [value.get(attribute) if isinstance(value, Mapping) else None for value in values]
    mark = javascript.to_text(separator)
    texts = [value if isinstance(value, str) else javascript.to_text(value) for value in values]
    if any(isinstance(text, Markup) for text in texts):
        return Markup.escape(mark).join(texts)
    return mark.join(texts)


def _truncate(value: object, length: int = 255, killwords: bool = False, end: str = "...") -> str:
    text = javascript.to_text(value)
    if len(text) <= length:
        return text
    cut = -1 if killwords else text.rfind(" ", 0, length + 1)
    return text[: length if cut == -1 else cut] + end


def _group(items: Any, attribute: str) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item in _pairs(items, False):
        key: Any = item
        for step in attribute.split("."):
            key = key.get(step) if isinstance(key, Mapping) else None
        groups.setdefault(javascript.to_text(key) if key is not None else "undefined", []).append(item)
    return groups
