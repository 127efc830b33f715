"""The pytest plugin, in test runs of its own."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from readme import Example, examples

from cloudlayer_async.testing import EmulatorThread

pytest_plugins = ["pytester"]

RENDERER = '''
from cloudlayer_async.emulator.rendering.model import Rendering


class Instant:
    """Renders nothing, at once."""

    engine_name = "instant"

    async def start(self): ...

    async def aclose(self): ...

    async def render(self, spec):
        return Rendering(content=b"%PDF-1.7 instant", content_type="application/pdf", extension="pdf")
'''

CONFTEST = """
import pytest
from renderer import Instant


@pytest.fixture(scope="session")
def cloudlayer_emulator_settings():
    return {"renderer": Instant()}
"""

INI = """
[pytest]
filterwarnings =
    error
    ignore:The configuration option "asyncio_default_fixture_loop_scope" is unset
pythonpath = .
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project whose emulator needs no engine, and in which every warning is an error."""
    pytester.makepyfile(renderer=RENDERER)
    pytester.makeconftest(CONFTEST)
    pytester.makeini(INI)
    return pytester


def outcomes(project: pytest.Pytester, *arguments: str, **expected: int) -> pytest.RunResult:
    result = project.runpytest_subprocess(*arguments)
    result.assert_outcomes(**expected)
    return result


def test_it_is_an_entry_point() -> None:
    (found,) = importlib.metadata.entry_points(group="pytest11", name="cloudlayer")
    assert found.value == "cloudlayer_async.testing"


def test_a_blocking_client(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_converts(cloudlayer, cloudlayer_emulator, tmp_path):
            saved = cloudlayer.html_to_pdf("<h1>x</h1>", name="one").save(tmp_path / "x.pdf")
            assert saved.read_bytes().startswith(b"%PDF")
            assert cloudlayer_emulator.seen.accepted_by_name == {"one": 1}
            assert cloudlayer_emulator.engine_name == "instant"
        """
    )
    outcomes(project, passed=1)


def test_an_async_client_under_strict_pytest_asyncio(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.asyncio
        async def test_converts(async_cloudlayer, tmp_path):
            conversion = await async_cloudlayer.html_to_pdf("<h1>x</h1>")
            assert (await conversion.result()).content.startswith(b"%PDF")

        @pytest.mark.asyncio(loop_scope="module")
        class TestOnALongerLoop:
            async def test_one(self, async_cloudlayer):
                assert (await async_cloudlayer.get_status()).ok

            async def test_two(self, async_cloudlayer):
                assert (await async_cloudlayer.get_status()).ok
        """
    )
    outcomes(project, "-o", "asyncio_mode=strict", passed=3)


def test_an_async_client_under_automatic_pytest_asyncio(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        async def test_converts(async_cloudlayer):
            assert (await async_cloudlayer.get_status()).ok
        """
    )
    outcomes(project, "-o", "asyncio_mode=auto", "-o", "asyncio_default_test_loop_scope=session", passed=1)


@pytest.mark.parametrize("arguments", [(), ("-p", "no:asyncio")], ids=["beside pytest-asyncio", "alone"])
def test_an_async_client_under_anyio(project: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        async def test_converts(async_cloudlayer):
            conversion = await async_cloudlayer.html_to_pdf("<h1>x</h1>")
            assert (await conversion.result()).content.startswith(b"%PDF")
        """
    )
    outcomes(project, *arguments, passed=1)


def test_an_async_client_where_it_cannot_work(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        def test_plain(async_cloudlayer): ...

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", [("trio", {})])
        async def test_trio(async_cloudlayer): ...
        """
    )
    result = outcomes(project, errors=2)
    result.stdout.fnmatch_lines(["*mark yours*", "*runs on asyncio: let your anyio_backend fixture return it*"])


def test_one_emulator_for_all_and_nothing_left_to_the_next_test(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from cloudlayer_async import ServerError

        addresses = set()

        def test_a_fault(cloudlayer, cloudlayer_emulator):
            addresses.add(cloudlayer_emulator.base_url)
            removed = cloudlayer_emulator.faults.add("latency", seconds=0.01)
            assert cloudlayer_emulator.faults.remove(removed)
            cloudlayer_emulator.faults.add("status", status=500, on="conversions")
            assert [active.fault.status for active in cloudlayer_emulator.faults.active] == [500]
            with pytest.raises(ServerError) as caught:
                cloudlayer.html_to_pdf("<h1>x</h1>")
            assert caught.value.maybe_billed
            assert cloudlayer_emulator.faults.struck == {"status": 1}
            assert cloudlayer_emulator.seen.requests["POST html/pdf"] == 1

        def test_the_next(cloudlayer, cloudlayer_emulator):
            addresses.add(cloudlayer_emulator.base_url)
            assert cloudlayer_emulator.faults.active == ()
            assert cloudlayer_emulator.faults.struck == {}
            assert not cloudlayer_emulator.seen.requests
            cloudlayer.html_to_pdf("<h1>x</h1>")
            cloudlayer_emulator.settle()
            assert [job.status for job in cloudlayer.list_jobs()] == ["success"]
            assert len(addresses) == 1
        """
    )
    outcomes(project, passed=2)


def test_a_setting_that_is_wrong(project: pytest.Pytester) -> None:
    project.makeconftest(CONFTEST.replace('{"renderer": Instant()}', '{"dialect": "d99"}'))
    project.makepyfile("def test_it(cloudlayer): ...")
    outcomes(project, errors=1).stdout.fnmatch_lines(["*ValueError: Unknown dialect 'd99'*"])


def test_without_the_extra(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import sys

        sys.modules["cloudlayer_async.emulator.server"] = None

        def test_it(cloudlayer_emulator): ...
        """
    )
    outcomes(project, errors=1).stdout.fnmatch_lines(["*pip install 'cloudlayer-async?emulator?'*"])


@pytest.mark.parametrize(
    "example", [one for one in examples() if "def test_" in one.code], ids=lambda example: example.name
)
def test_the_readmes_tests_pass(pytester: pytest.Pytester, example: Example) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(example.code)
    result = pytester.runpytest_subprocess("-o", "asyncio_mode=strict")
    result.assert_outcomes(passed=example.code.count("def test_"))


HEAVY = ("aiohttp", "attr", "cattrs", "asyncio", "cloudlayer_async.client", "cloudlayer_async.emulator")


def test_loading_it_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import cloudlayer_async.testing; "
        f"print(sorted(set({HEAVY}) & (set(sys.modules) - before)))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    assert subprocess.check_output(command, cwd=tmp_path, text=True).strip() == "[]"


def test_a_run_that_does_not_use_it_loads_nothing_heavy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import sys

        def test_nothing_heavy(pytestconfig):
            assert pytestconfig.pluginmanager.hasplugin("cloudlayer")
            assert not [name for name in {HEAVY} if name in sys.modules]
        """
    )
    # The other plugins here are not ours to speak for.
    outcomes(pytester, "-p", "no:asyncio", "-p", "no:anyio", "-p", "no:hypothesispytest", passed=1)


def test_fixtures_are_described(pytester: pytest.Pytester) -> None:
    shown = pytester.runpytest_subprocess("--fixtures", "-q").stdout.str()
    for name in ("cloudlayer", "async_cloudlayer", "cloudlayer_emulator", "cloudlayer_emulator_settings"):
        assert f"\n{name} " in shown
    assert "_async_cloudlayer" not in shown


def test_a_thread_of_ones_own() -> None:
    with EmulatorThread(engine="plutoprint", workers=1) as emulator:
        assert emulator.api_key not in repr(emulator)
        assert emulator.base_url.startswith("http://127.0.0.1:")
        assert emulator.asset_url != emulator.base_url
    emulator.close()
    with pytest.raises(RuntimeError, match="not running"):
        emulator.faults.clear()


def test_a_port_that_is_taken() -> None:
    with EmulatorThread(engine="plutoprint", workers=1) as emulator:
        port = int(emulator.base_url.rpartition(":")[2])
        with pytest.raises(OSError), EmulatorThread(port=port, engine="plutoprint", workers=1):
            pass
