"""Fields that check themselves: each factory gives an attrs field whose value is checked when an object is made.

A refusal is a `ValidationError` that names the field, what was given (shortened, never a secret) and what is allowed.
`None` always means "not given" and passes. The factories return `Any`, so that checkers take the annotation as written
and the assignment as a default.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, Final, NoReturn, cast
from urllib.parse import urlsplit

import attrs

from .errors import ValidationError
from .redaction import censored, shown, without_signature

TypeCheck = Callable[[Any, str], Any]
"""Takes a value and the name to complain about (``HtmlToPdf.timeout``); returns the value to keep."""


class Unset(enum.Enum):
    """The type of `UNSET`."""

    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET
"""Stands for "not given" where `None` has a meaning of its own (`emulate_media_type`)."""

_CHECK: Final = "check"
_LENGTH: Final = re.compile(r"\d+(\.\d+)?(px|in|cm|mm)", re.ASCII)
_DEEPEST: Final = 200
_LONGEST_MS: Final = 2**31 - 1
"""Timers take no more (some 24 days): a longer one would end at once."""


def refuse(where: str, value: object, allowed: str, *, secret: bool = False) -> NoReturn:
    """Raises the `ValidationError` for `where`, a name such as ``HtmlToPdf.timeout``."""
    given = f"a {type(value).__name__}" if secret else shown(value)
    raise ValidationError(f"{where} must be {allowed}, not {given}", field=field_of(where))


def field_of(where: str) -> str:
    """The option's own name out of a place: ``data`` of ``TemplateToPdf.data.items[0].price``."""
    return re.split(r"[.\[]", where.partition(".")[2] or where, maxsplit=1)[0]


def checked(
    check: TypeCheck,
    *,
    default: Any = None,
    secret: bool = False,
    show: Callable[[Any], str] = shown,
    kw_only: bool | None = None,
) -> Any:
    """An optional attrs field of a `Checked` class; `None` stands for the default.

    Where the default is `UNSET`, `None` is a value like any other and goes to the check.
    """
    return attrs.field(
        default=default,
        metadata={_CHECK: check},
        repr=_hidden if secret else show,
        hash=None if check not in (json_object, css_properties) else False,  # a mapping has no hash, its owner has
        kw_only=kw_only,
    )


def required(check: TypeCheck, *, secret: bool = False, show: Callable[[Any], str] = shown) -> Any:
    """A mandatory attrs field of a `Checked` class; `None` goes to the check like anything else."""
    return attrs.field(metadata={_CHECK: check}, repr=_hidden if secret else show)


class Checked:
    """Base of the frozen attrs classes whose fields are made by `checked` and `required`."""

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        # One loop that looks closer only at what was given: of some forty options a request has two or three.
        cls: Any = type(self)
        checks, mandatory = _checks_of(cls)
        for name, value in _values_of(self).items():
            if value is None or name not in checks:
                continue
            check, where, default = checks[name]
            if value is not UNSET:
                object.__setattr__(self, name, check(value, where))
            elif default is None:
                object.__setattr__(self, name, None)  # "not given" has one form in each field
        for name in mandatory:
            if (value := getattr(self, name)) is None or value is UNSET:
                check, where, default = checks[name]
                object.__setattr__(self, name, default if default is not attrs.NOTHING else check(value, where))


def given(instance: Checked) -> list[tuple[str, Any]]:
    """The fields of a `Checked` object that hold something, in the class's order; `None` and `UNSET` are nothing."""
    cls: Any = type(instance)
    values = _values_of(instance)
    names = [name for name, value in values.items() if value is not None and value is not UNSET]
    names.sort(key=_places_of(cls).__getitem__)
    return [(name, values[name]) for name in names]


def _values_of(instance: Checked) -> dict[str, Any]:
    fields = getattr(instance, "__dict__", None)
    if fields is not None:
        return cast("dict[str, Any]", fields)
    cls: Any = type(instance)
    return {name: getattr(instance, name) for name in _checks_of(cls)[0]}


@cache
def _checks_of(cls: Any) -> tuple[dict[str, tuple[TypeCheck, str, Any]], tuple[str, ...]]:
    """The checks of a class by field, with places and defaults; and the fields in which `None` must not stay."""
    fields = [field for field in attrs.fields(cls) if _CHECK in field.metadata]
    checks = {field.name: (field.metadata[_CHECK], f"{cls.__name__}.{field.name}", field.default) for field in fields}
    return checks, tuple(field.name for field in fields if field.default not in (None, UNSET))


@cache
def _places_of(cls: Any) -> dict[str, int]:
    return {field.name: place for place, field in enumerate(attrs.fields(cls))}


def _hidden(value: object) -> str:
    return "None" if value is None else "'***'"


def shown_addresses(value: Any) -> str:
    """The repr of an address or of several: signatures and passwords in them are secrets."""
    if isinstance(value, str):
        return shown(without_signature(value))
    return shown(tuple(map(without_signature, value)) if isinstance(value, tuple) else value)


# --- checks -----------------------------------------------------------------------------------------------------


def text(value: Any, where: str) -> str:
    """A text that UTF-8 can carry."""
    if not isinstance(value, str):
        refuse(where, value, "a str")
    if not value.isascii():
        try:
            str.encode(value)
        except UnicodeEncodeError:
            refuse(where, value, "text that UTF-8 can carry (it holds a lone surrogate)")
    # The member of an enum of texts is sent as its value, not under its own `__str__`.
    return value if type(value) is str else str.__str__(value)


def nonempty(value: Any, where: str) -> str:
    """A text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        refuse(where, value, "a str that is not blank")
    return text(value, where)


def secret_text(value: Any, where: str) -> str:
    """A text that is never shown."""
    if not isinstance(value, str) or not value.isprintable():
        refuse(where, value, "a str of printable characters", secret=True)
    return text(value, where)


def boolean(value: Any, where: str) -> bool:
    """True or False, and nothing that merely looks so."""
    if not isinstance(value, bool):
        refuse(where, value, "True or False")
    return value


def integer(least: int | None = None, most: int | None = None) -> TypeCheck:
    """A whole number within a range."""
    allowed = "an int" + _bounds(least, most)

    def check(value: Any, where: str) -> int:
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or (least is not None and value < least)
            or (most is not None and value > most)
        ):
            refuse(where, value, allowed)
        return value

    return check


def number(least: float | None = None, most: float | None = None) -> TypeCheck:
    """A finite number within a range."""
    allowed = "a number" + _bounds(least, most)

    def check(value: Any, where: str) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not _is_finite(value)
            or (least is not None and value < least)
            or (most is not None and value > most)
        ):
            refuse(where, value, allowed)
        return value

    return check


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond all floats
        return False


def _bounds(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is not None:
        return f" of at least {least}"
    return "" if most is None else f" of at most {most}"


def choice(*options: str) -> TypeCheck:
    """One of a fixed set of words."""
    allowed = "one of " + ", ".join(options)

    def check(value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in options:
            refuse(where, value, allowed)
        return options[options.index(value)]  # str(value) would be the name of an enum's member

    return check


def length(value: Any, where: str) -> float | str:
    """A paper length: a number of CSS pixels, or a text with a unit (px, in, cm, mm)."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and _is_finite(value) and value >= 0:
        return value
    if isinstance(value, str) and _LENGTH.fullmatch(value):
        return text(value, where)
    refuse(where, value, 'a number of pixels or a str with a unit such as "2.5cm" (px, in, cm, mm)')


def positive_length(value: Any, where: str) -> float | str:
    """A paper length above zero."""
    kept = length(value, where)
    if float(kept[:-2] if isinstance(kept, str) else kept) == 0:
        refuse(where, value, "more than zero")
    return kept


def milliseconds(*, least: int = 0, seconds_below: int = 0) -> TypeCheck:
    """Whole milliseconds, or a `timedelta` (rounded up to one).

    A value above 0 and below `seconds_below` can only be meant as seconds, and the refusal says so.
    """

    def check(value: Any, where: str) -> int:
        if isinstance(value, timedelta):  # says its own unit
            value = -(-value // timedelta(milliseconds=1))
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < seconds_below:
            # Before the check for an int: this message helps more than one about types.
            refuse(where, value, f"in milliseconds (that looks like seconds: {value} s is {round(value * 1000)})")
        elif isinstance(value, bool) or not isinstance(value, int):
            refuse(where, value, "an int of milliseconds or a timedelta")
        if not least <= value <= _LONGEST_MS:
            refuse(where, value, f"at least {least} ms" if value < least else f"at most {_LONGEST_MS} ms")
        return int(value)

    return check


def instance_of(cls: type) -> TypeCheck:
    """An object of the given class."""

    def check(value: Any, where: str) -> Any:
        if not isinstance(value, cls):
            refuse(where, value, f"a {cls.__name__}")
        return value

    return check


def tuple_of(check: TypeCheck, *, least: int = 0, most: int | None = None) -> TypeCheck:
    """A sequence (kept as a tuple) whose every item passes `check`."""
    count = f"{least} to {most}" if most is not None else f"at least {least}"

    def check_all(value: Any, where: str) -> tuple[Any, ...]:
        if isinstance(value, (str, bytes, bytearray)) or not isinstance(value, Sequence):
            refuse(where, value, "a list or tuple", secret=True)  # most likely one signed address, not in a list
        if len(value) < least or (most is not None and len(value) > most):
            raise ValidationError(f"{where} must hold {count} items, not {len(value)}", field=field_of(where))
        return tuple(check(item, f"{where}[{index}]") for index, item in enumerate(value))

    return check_all


def web_address(value: Any, where: str) -> str:
    """An absolute http or https address."""
    if not isinstance(value, str):
        refuse(where, value, "a str")
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not value.isprintable() or " " in value:
        refuse(where, censored(value), 'an absolute address such as "https://example.com/page"')
    return text(value, where)


def webhook_address(value: Any, where: str) -> str:
    """An https address; http only on loopback, for development."""
    try:
        address = web_address(value, where)
    except ValidationError:
        address = ""
    parts = urlsplit(address)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        # Its path is often the only proof of the caller, and is not shown.
        refuse(where, value, 'an https address such as "https://example.com/hook" (contract section 6.3)', secret=True)
    return address


def is_loopback(host: str) -> bool:
    """Whether a host name can only mean this machine."""
    if host in ("localhost", "::1") or host.endswith(".localhost"):
        return True
    return re.fullmatch(r"127(\.\d{1,3}){3}", host, re.ASCII) is not None


def css_properties(value: Any, where: str) -> dict[str, str | int | float]:
    """CSS property names and their values, kept exactly as written."""
    if not isinstance(value, Mapping):
        refuse(where, value, "a mapping of CSS property names to values")
    for name, setting in value.items():
        if not isinstance(name, str) or isinstance(setting, bool) or not isinstance(setting, (str, int, float)):
            refuse(where, {name: setting}, "a mapping of CSS property names to texts or numbers")
    return json_object(value, where)


def json_object(value: Any, where: str) -> dict[str, Any]:
    """A plain copy of a JSON object: same keys, same order, same values; nothing renamed or dropped."""
    if not isinstance(value, Mapping):
        refuse(where, value, "a mapping")
    copy: dict[str, Any] = json_value(value, where)
    return copy


def json_value(value: Any, where: str, depth: int = 0) -> Any:
    """A plain copy of JSON data, of which `depth` levels are around it."""
    if depth > _DEEPEST:
        raise ValidationError(f"{where[:100]}... is nested more than {_DEEPEST} levels deep", field=field_of(where))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _json_int(value, where)
    if isinstance(value, str):
        return text(value, where)
    if isinstance(value, float):
        if not math.isfinite(value):
            refuse(where, value, "a finite number (JSON has no NaN or infinity)")
        return value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                refuse(where, key, "a mapping whose keys are str")
        return {text(key, where): json_value(item, f"{where}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
    refuse(where, value, "JSON data: str, int, float, bool, None, list or mapping")


def _json_int(value: int, where: str) -> int:
    if value.bit_length() > 64:
        try:
            int.__repr__(value)
        except ValueError:  # the interpreter's own limit, against attacks by quadratic time
            refuse(where, value, "an int of fewer digits (see sys.set_int_max_str_digits)")
    return value
