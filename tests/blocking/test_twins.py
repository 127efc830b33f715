"""Every public method of the async classes has its twin: the same name, the same signature, the same words."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

import cloudlayer_async
from cloudlayer_async import AsyncBatch, AsyncCloudlayer, AsyncConversion, Batch, Cloudlayer, Conversion

PAIRS: list[tuple[Any, Any]] = [(AsyncCloudlayer, Cloudlayer), (AsyncConversion, Conversion), (AsyncBatch, Batch)]
NAMES = {
    "aclose": "close",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}
TYPES = {
    "AsyncGenerator": "Generator",
    "AsyncIterator": "Iterator",
    "AsyncConversion": "Conversion",
    "AsyncBatch": "Batch",
}
TWINS = [
    pytest.param(source, blocking, name, id=f"{blocking.__name__}.{name}")
    for source, blocking in PAIRS
    for name in vars(source)
    if not name.startswith("_") or name in NAMES
]


def plain(value: Any) -> Callable[..., Any]:
    """The function behind a method, a property or a context manager."""
    return inspect.unwrap(value.fget if isinstance(value, property) else value)


def in_blocking_words(annotation: str) -> str:
    for old, new in TYPES.items():
        annotation = annotation.replace(old, new)
    return annotation


@pytest.mark.parametrize(("source", "blocking"), PAIRS)
def test_neither_has_more_than_the_other(source: Any, blocking: Any) -> None:
    def public(cls: Any) -> set[str]:
        return {name for name in vars(cls) if not name.startswith("_") or name in {*NAMES, *NAMES.values()}}

    assert public(blocking) == {NAMES.get(name, name) for name in public(source)}


@pytest.mark.parametrize(("source", "blocking", "name"), TWINS)
def test_the_signature_is_the_same(source: Any, blocking: Any, name: str) -> None:
    theirs, ours = vars(source)[name], vars(blocking)[NAMES.get(name, name)]
    assert isinstance(theirs, property) == isinstance(ours, property)
    assert not inspect.iscoroutinefunction(plain(ours))
    assert not inspect.isasyncgenfunction(plain(ours))
    wanted = inspect.signature(plain(theirs))
    found = inspect.signature(plain(ours))
    assert list(found.parameters.values()) == list(wanted.parameters.values())
    assert found.return_annotation == in_blocking_words(wanted.return_annotation)


@pytest.mark.parametrize(("source", "blocking", "name"), TWINS)
def test_the_documentation_says_the_same(source: Any, blocking: Any, name: str) -> None:
    theirs, ours = inspect.getdoc(vars(source)[name]), inspect.getdoc(vars(blocking)[NAMES.get(name, name)])
    if name in NAMES and name != "aclose":
        return
    assert theirs
    assert ours
    assert ours.splitlines()[0].split()[0] == theirs.splitlines()[0].split()[0]
    for section in ("Args:", "Returns:", "Yields:", "Raises:"):
        assert (section in ours) == (section in theirs)
    for word in ("await ", "async with", "async for", "AsyncConversion", "AsyncBatch", "aclose"):
        assert word not in ours
    for parameter in inspect.signature(plain(vars(blocking)[NAMES.get(name, name)])).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and str(parameter.annotation).endswith("Options]"):
            options = getattr(cloudlayer_async._keywords, str(parameter.annotation)[len("Unpack[") : -1])
            assert all(f"    {option}: " in ours for option in options.__annotations__)


def test_the_constructor_is_the_same() -> None:
    wanted, found = inspect.signature(AsyncCloudlayer), inspect.signature(Cloudlayer)
    assert list(found.parameters.values()) == list(wanted.parameters.values())


def test_context_managers_are_for_with_blocks() -> None:
    conversion = Cloudlayer("cl-0123456789abcdef-secret").attach("7Kq2")
    assert isinstance(conversion.stream(), AbstractContextManager)
