"""What users build on: every public name with its signature, compared with `public_surface.txt`.

A change there is a change for users: it belongs in the changelog. To renew the file:

    python tests/test_public_surface.py
"""

from __future__ import annotations

import enum
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

import cloudlayer_async

SURFACE = Path(__file__).parent / "public_surface.txt"
MADE_BY_US = ("AsyncBatch", "AsyncConversion", "Batch", "Conversion")
"""What users get and never make: how these are made is not their concern."""


def surface() -> list[str]:
    """One line for each public thing, sorted."""
    return sorted(line for name in cloudlayer_async.__all__ for line in _lines(name, getattr(cloudlayer_async, name)))


def _lines(name: str, thing: Any) -> Iterator[str]:
    if not isinstance(thing, type):
        yield f"{name}{_signature(thing)}" if callable(thing) and hasattr(thing, "__name__") else f"{name} = {thing!r}"
        return
    ours = [cls for cls in thing.__mro__ if cls.__module__.startswith("cloudlayer_async")]
    public = [cls.__name__ for cls in ours[1:] if cls.__name__ in cloudlayer_async.__all__]
    foreign = [cls.__name__ for cls in thing.__mro__ if cls not in ours and cls not in (object, BaseException)]
    # What a public base has is listed there.
    covered = {cls for base in ours[1:] if base.__name__ in cloudlayer_async.__all__ for cls in base.__mro__}
    own = [cls for cls in ours if cls not in covered]
    yield f"class {name}({', '.join(public + foreign)})"
    if issubclass(thing, enum.Enum):
        yield from (f"{name}.{member.name} = {member.value!r}" for member in thing)
    elif attrs.has(thing):
        # Not `field.type`, which libraries replace by what it stands for once they have used a class.
        types = {key: value for cls in reversed(ours) for key, value in inspect.get_annotations(cls).items()}
        yield from (f"{name}.{_field(field, types[field.name])}" for field in attrs.fields(thing))
    elif name not in MADE_BY_US and any("__init__" in vars(cls) for cls in own):
        yield f"{name}{_signature(thing.__init__, bound=True)}"
    members: dict[str, Any] = {}
    for cls in reversed(own):
        members |= {key: value for key, value in vars(cls).items() if not key.startswith("_")}
    fields = attrs.fields_dict(thing) if attrs.has(thing) else {}
    for key, value in members.items():
        if key in fields or (issubclass(thing, enum.Enum) and key in thing.__members__):
            continue
        yield f"{name}.{key}{_member(value)}"


def _member(value: Any) -> str:
    if isinstance(value, property):
        return f"{_signature(value.fget, bound=True).removeprefix('()')} (property)"
    if inspect.isfunction(value):
        return _signature(value, bound=True) + (" (coroutine)" if inspect.iscoroutinefunction(value) else "")
    return f" = {value!r}"


def _field(field: Any, annotation: Any) -> str:
    default = "" if field.default is attrs.NOTHING else f" = {_default(field.default)}"
    kind = "" if field.init and not field.kw_only else " (keyword only)" if field.init else " (not given)"
    return f"{field.alias}: {_type(annotation)}{default}{kind}"


def _default(value: Any) -> str:
    return "..." if isinstance(value, attrs.Factory) else repr(value)  # type: ignore[arg-type]


def _type(annotation: Any) -> str:
    # Always as it is written: what Python makes of it differs between versions.
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", repr(annotation))


def _signature(function: Any, *, bound: bool = False) -> str:
    signature = inspect.signature(function)
    shown: list[str] = []
    starred = False
    for parameter in list(signature.parameters.values())[1 if bound else 0 :]:
        prefix = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            shown.append("*")
        starred = starred or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        annotation = "" if parameter.annotation is parameter.empty else f": {_type(parameter.annotation)}"
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        shown.append(f"{prefix}{parameter.name}{annotation}{default}")
    returned = "" if signature.return_annotation is signature.empty else f" -> {_type(signature.return_annotation)}"
    return f"({', '.join(shown)}){returned}"


def test_the_public_surface_is_as_written_down() -> None:
    written = SURFACE.read_text(encoding="utf-8").splitlines()
    found = surface()
    gone, new = sorted(set(written) - set(found)), sorted(set(found) - set(written))
    assert not gone, "gone or changed; if it is meant: python tests/test_public_surface.py"
    assert not new, "new or changed; if it is meant: python tests/test_public_surface.py"
    assert written == found


def test_every_public_name_is_there_and_documented() -> None:
    for name in cloudlayer_async.__all__:
        thing = getattr(cloudlayer_async, name)
        if isinstance(thing, type):
            assert thing.__module__.startswith("cloudlayer_async")
            assert thing.__doc__
            for key, value in vars(thing).items():
                if not key.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                    assert inspect.getdoc(value), f"{name}.{key}"
    assert len(set(cloudlayer_async.__all__)) == len(cloudlayer_async.__all__)
    assert set(cloudlayer_async.__all__) <= set(dir(cloudlayer_async))


def test_names_that_are_not_there_raise_attribute_error() -> None:
    for name in ("Nonsense", "HtmlToPDF", "errors_", "_private"):
        assert not hasattr(cloudlayer_async, name)


def test_importing_the_package_imports_no_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import cloudlayer_async; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    command = [sys.executable, "-c", code]
    where = Path(cloudlayer_async.__file__).parent.parent
    found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=where).stdout.split()
    assert "cloudlayer_async" in found
    assert not {"aiohttp", "attrs", "attr", "cattrs", "anyio", "orjson", "asyncio", "ssl"} & set(found)


if __name__ == "__main__":
    SURFACE.write_text("\n".join(surface()) + "\n", encoding="utf-8")
    print(f"{SURFACE}: {len(surface())} lines")
