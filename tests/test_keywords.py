"""The generated keyword options: current, and the same as the request classes they come from."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
import types
import typing
from pathlib import Path
from typing import Any

import attrs
import pytest

import cloudlayer_async
from cloudlayer_async import AsyncCloudlayer, _keywords
from cloudlayer_async.requests import REQUEST_TYPES
from cloudlayer_async.validation import Unset

GENERATOR = Path(cloudlayer_async.__file__).parent / "blocking" / "generate.py"
POSITIONAL = {"url", "html", "file", "urls"}


def options(kind: str) -> Any:
    return getattr(_keywords, f"{REQUEST_TYPES[kind].__name__}Options")


def without_unset(hint: Any) -> Any:
    """A field's type as a keyword: an absent key needs no stand-in."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        kept = [without_unset(arg) for arg in typing.get_args(hint) if arg is not Unset]
        return typing.Union[tuple(kept)]  # noqa: UP007 (built at run time)
    return hint


@pytest.mark.sources
def test_generated_files_are_current() -> None:
    found = subprocess.run([sys.executable, str(GENERATOR), "--check"], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr, found.returncode) == ("", "", 0)


@pytest.mark.sources
def test_the_generator_works_without_the_package_and_sees_drift(tmp_path: Path) -> None:
    package = tmp_path / "cloudlayer_async"
    absent = shutil.ignore_patterns("emulator", "__pycache__", "_keywords.py")
    shutil.copytree(GENERATOR.parent.parent, package, ignore=absent)
    copy = package / "blocking" / "generate.py"

    def run(*arguments: str) -> int:
        # -S: neither this package nor any library is there to import.
        command = [sys.executable, "-I", "-S", str(copy), *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert run() == 0
    assert (package / "_keywords.py").read_bytes() == Path(_keywords.__file__).read_bytes()
    (package / "_keywords.py").write_text("broken (", encoding="utf-8")
    assert run() == 0
    assert run("--check") == 0
    with (package / "_keywords.py").open("a", encoding="utf-8") as file:
        file.write("# a longer tail\n")
    assert run("--check") == 1


@pytest.mark.parametrize("kind", REQUEST_TYPES)
def test_keywords_are_the_fields_with_their_types(kind: str) -> None:
    cls: Any = REQUEST_TYPES[kind]
    hints = typing.get_type_hints(cls)
    wanted = {
        field.name: without_unset(hints[field.name]) for field in attrs.fields(cls) if field.name not in POSITIONAL
    }
    found = typing.get_type_hints(options(kind))
    assert found == wanted
    assert options(kind).__required_keys__ == frozenset()
    assert options(kind).__optional_keys__ == frozenset(wanted)
    assert cls.__name__ in (options(kind).__doc__ or "")


@pytest.mark.parametrize("kind", REQUEST_TYPES)
def test_each_method_takes_its_kinds_keywords(kind: str) -> None:
    signature = inspect.signature(getattr(AsyncCloudlayer, kind), eval_str=True)
    keywords = next(
        parameter for parameter in signature.parameters.values() if parameter.kind is inspect.Parameter.VAR_KEYWORD
    )
    assert typing.get_args(keywords.annotation) == (options(kind),)
    named = set(signature.parameters) - {"self", keywords.name}
    assert named == {field.name for field in attrs.fields(REQUEST_TYPES[kind])} & POSITIONAL


def test_defaults_are_all_options_but_the_inputs() -> None:
    wanted: dict[str, Any] = {}
    for kind in REQUEST_TYPES:
        for name, hint in typing.get_type_hints(options(kind)).items():
            assert wanted.setdefault(name, hint) == hint
    for name in ("batch", "template_id", "template", "data", "extra"):
        del wanted[name]
    assert typing.get_type_hints(_keywords.DefaultOptions) == wanted
