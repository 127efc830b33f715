"""Checks of single values, and how they are put together. Pure functions; a wrong value raises `Refusal`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs

Check = Callable[[Any, str], None]
"""Takes the value and the name of its field."""


@attrs.define(auto_exc=True)
class Refusal(Exception):
    """A request that is answered with an error."""

    status: int
    message: str
    field: str | None = None
    retry_after: str | None = None


def refuse(message: str, field: str) -> Refusal:
    """Return the refusal of a value."""
    return Refusal(400, message, field)


def boolean(value: Any, field: str) -> None:
    """Accept true and false."""
    if not isinstance(value, bool):
        raise refuse(f"{field} must be a boolean", field)


def number(minimum: float = -math.inf, maximum: float = math.inf, *, whole: bool = False) -> Check:
    """Accept numbers in a range; with `whole`, integers only."""
    kind = "an integer" if whole else "a number"

    def check(value: Any, field: str) -> None:
        allowed = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise refuse(f"{field} must be {kind}", field)
        if value < minimum:
            raise refuse(f"{field} must not be less than {minimum:g}", field)
        if value > maximum:
            raise refuse(f"{field} must not be greater than {maximum:g}", field)

    return check


def integer(minimum: float = -math.inf, maximum: float = math.inf) -> Check:
    """Accept integers in a range."""
    return number(minimum, maximum, whole=True)


def text(value: Any, field: str) -> None:
    """Accept any text."""
    if not isinstance(value, str):
        raise refuse(f"{field} must be a string", field)
    if _HALF.search(value):
        raise refuse(f"{field} must be valid Unicode", field)


def filled(value: Any, field: str) -> None:
    """Accept text that is not empty."""
    text(value, field)
    if not value.strip():
        raise refuse(f"{field} must not be empty", field)


def one_of(*words: str) -> Check:
    """Accept one of some words."""

    def check(value: Any, field: str) -> None:
        if not isinstance(value, str) or value not in words:
            raise refuse(f"{field} must be one of {', '.join(words)}", field)

    return check


def pattern(expression: str, description: str) -> Check:
    """Accept text of a form."""
    compiled = re.compile(expression)

    def check(value: Any, field: str) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise refuse(f"{field} must be {description}", field)

    return check


_HALF = re.compile("[\ud800-\udfff]")
"""Half a character, as JSON's escapes may leave it: no header and no file name can hold it."""
_LENGTH = re.compile(r"\d+(\.\d+)?(px|in|cm|mm)?")


def length(value: Any, field: str) -> None:
    """Accept a number of pixels, or a number with a unit."""
    if isinstance(value, str) and _LENGTH.fullmatch(value):
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise refuse(f"{field} must be a number of pixels or a length in px, in, cm or mm", field)


def record(
    required: Mapping[str, Check] | None = None,
    optional: Mapping[str, Check] | None = None,
    rule: Check | None = None,
) -> Check:
    """Accept an object: required and optional members are checked, unknown ones pass, a rule sees the whole."""
    must, may = required or {}, optional or {}

    def check(value: Any, field: str) -> None:
        if not isinstance(value, dict):
            raise refuse(f"{field} must be an object", field)
        for name, member in must.items():
            if value.get(name) is None:
                raise refuse(f"{field}.{name} is required", f"{field}.{name}")
            member(value[name], f"{field}.{name}")
        for name, member in may.items():
            if value.get(name) is not None:
                member(value[name], f"{field}.{name}")
        if rule is not None:
            rule(value, field)

    return check


def list_of(item: Check, minimum: int = 0, maximum: int | None = None) -> Check:
    """Accept an array whose every item passes."""

    def check(value: Any, field: str) -> None:
        if not isinstance(value, list):
            raise refuse(f"{field} must be an array", field)
        if len(value) < minimum:
            raise refuse(f"{field} must hold at least {minimum}", field)
        if maximum is not None and len(value) > maximum:
            raise refuse(f"{field} must hold at most {maximum}", field)
        for index, member in enumerate(value):
            item(member, f"{field}[{index}]")

    return check


def boolean_or(other: Check) -> Check:
    """Accept true, false, or what the other check accepts."""

    def check(value: Any, field: str) -> None:
        if not isinstance(value, bool):
            other(value, field)

    return check


def address(value: Any, field: str) -> None:
    """Accept an absolute http or https URL."""
    text(value, field)
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or value != value.strip():
        raise refuse(f"{field} must be a valid address", field)


def hook(value: Any, field: str) -> None:
    """Accept an https URL, or a loopback http one, which only an emulator can reach."""
    address(value, field)
    parts = urlsplit(value)
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return
    raise refuse(f"{field} must be an https address", field)


def is_loopback(host: str) -> bool:
    """Tell whether a host name is this machine's."""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None
