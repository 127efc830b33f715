"""What a user installs: light to import, typed, licensed, with one version."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import cloudlayer_async


def loaded_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    return set(subprocess.check_output([sys.executable, "-c", code], text=True).split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    extra = loaded_after("import cloudlayer_async") - loaded_after("pass")
    assert {name for name in extra if name.startswith("cloudlayer_async")} == {"cloudlayer_async"}
    assert not {"aiohttp", "attrs", "attr", "cattrs", "anyio", "asyncio", "sqlite3", "ssl"} & extra


@pytest.mark.parametrize("name", ["HtmlToPdf", "Job", "ApiError", "RetryPolicy", "to_dict"])
def test_data_needs_no_http_client(name: str) -> None:
    extra = loaded_after(f"from cloudlayer_async import {name}")
    assert not {"aiohttp", "asyncio", "cloudlayer_async.emulator"} & extra


def test_the_client_loads_no_extra() -> None:
    extra = loaded_after("from cloudlayer_async import AsyncCloudlayer")
    assert not {"sqlite3", "plutoprint", "PIL", "jinja2", "cloudlayer_async.emulator"} & extra


def test_every_public_name_is_there() -> None:
    for name in cloudlayer_async.__all__:
        assert getattr(cloudlayer_async, name) is not None
    assert set(cloudlayer_async.__all__) <= set(dir(cloudlayer_async))
    with pytest.raises(AttributeError, match="no attribute 'Asynccloudlayer'"):
        cloudlayer_async.Asynccloudlayer  # type: ignore[attr-defined]  # noqa: B018


def test_metadata() -> None:
    metadata = importlib.metadata.metadata("cloudlayer-async")
    assert metadata["Version"] == cloudlayer_async.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert "MIT" in (metadata.get("License-Expression") or "")
    core = {line for line in importlib.metadata.requires("cloudlayer-async") or [] if "extra ==" not in line}
    assert {line.partition(">")[0] for line in core} == {"aiohttp", "anyio", "attrs", "cattrs"}


def test_what_is_installed() -> None:
    files = [str(file) for file in importlib.metadata.files("cloudlayer-async") or []]
    assert any(file.endswith(".dist-info/licenses/LICENSE") for file in files)
    assert not [file for file in files if file.startswith(("tests/", "benchmarks/")) or file.endswith("generate.py")]


def test_commands_lead_somewhere() -> None:
    commands = importlib.metadata.distribution("cloudlayer-async").entry_points.select(group="console_scripts")
    assert "cloudlayer-emulator" in commands.names
    for command in commands:
        assert callable(command.load())


def test_it_is_typed() -> None:
    assert (Path(cloudlayer_async.__file__).parent / "py.typed").is_file()
