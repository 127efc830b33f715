"""A pytest plugin: a local cloudlayer.io for your tests, and clients of it.

It comes with the package: whoever has `cloudlayer-async[emulator]` installed has these fixtures, and pays nothing for
them before a test asks for one.

==================================  ==================================================================================
fixture                             what it is
==================================  ==================================================================================
``cloudlayer_emulator``             the service itself, one for the whole session: an `EmulatorThread`
``cloudlayer_emulator_settings``    the arguments of its `Emulator`; override it in your ``conftest.py``
``async_cloudlayer``                an `AsyncCloudlayer` of it, for pytest-asyncio (strict or automatic) and for anyio
``cloudlayer``                      a blocking `Cloudlayer` of it
==================================  ==================================================================================

After each test that used the emulator its faults are switched off and its counters start anew; jobs and assets stay.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import pytest

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from . import AsyncCloudlayer, Cloudlayer
    from .emulator import Emulator
    from .emulator.faults import ActiveFault, Kind
    from .emulator.seen import Seen

__all__ = ["EmulatorFaults", "EmulatorThread"]

_T = TypeVar("_T")

_LOOP_SCOPES: Final[tuple[Literal["function", "class", "module", "package", "session"], ...]] = (
    "function",
    "class",
    "module",
    "package",
    "session",
)
_START_TIMEOUT = 60.0
_SETTLE_TIMEOUT = 30.0
_EMULATOR = pytest.StashKey["EmulatorThread"]()


class EmulatorThread:
    """An emulator on a thread with an event loop of its own: for tests that block, and for any loop they may use.

    Use it as ``with EmulatorThread() as emulator``, or take the ``cloudlayer_emulator`` fixture.

    Args:
        **settings: The arguments of `cloudlayer_async.emulator.Emulator`.

    Raises:
        ValueError: A setting has a wrong value.
        ImportError: The packages of the ``emulator`` extra are not installed.
    """

    def __init__(self, **settings: Any) -> None:
        from .emulator import Emulator

        self._emulator = Emulator(**settings)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self.faults = EmulatorFaults(self._emulator, self._call)
        """The fault switches."""

    def __enter__(self) -> EmulatorThread:
        import asyncio
        from concurrent.futures import Future

        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(ready)), name="cloudlayer-emulator", daemon=True
        )
        self._thread.start()
        ready.result(_START_TIMEOUT)
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<EmulatorThread {self._emulator!r}>"

    def close(self) -> None:
        """Stops the emulator and waits for its thread. Doing so twice is fine."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._loop = None
        if self._thread is not None:
            self._thread.join()

    @property
    def base_url(self) -> str:
        """Origin of the API, without a version."""
        return self._emulator.base_url

    @property
    def api_key(self) -> str:
        """A key that is let in."""
        return self._emulator.api_key

    @property
    def asset_url(self) -> str:
        """Origin of the assets."""
        return self._emulator.asset_url

    @property
    def engine_name(self) -> str:
        """Name and version of what renders."""
        return self._emulator.engine_name

    @property
    def seen(self) -> Seen:
        """Counters of what arrived, so that a test can prove what was sent, and how often."""
        return self._emulator.seen

    def reset(self) -> None:
        """Switches every fault off and starts counting anew; jobs and assets stay."""
        self.faults.clear()
        self._call(self.seen.reset)

    def settle(self, timeout: float = _SETTLE_TIMEOUT) -> None:
        """Waits until no job is pending and no webhook is under way.

        Args:
            timeout: Seconds. Jobs held by a ``stuck`` fault may never end.

        Raises:
            TimeoutError: It took longer.
        """
        import asyncio

        loop = self._running_loop()
        asyncio.run_coroutine_threadsafe(self._emulator.settle(), loop).result(timeout)

    async def _serve(self, ready: Future[None]) -> None:
        import asyncio

        stop = asyncio.Event()
        try:
            await self._emulator.start()
        except BaseException as error:
            ready.set_exception(error)
            return
        self._loop, self._stop = asyncio.get_running_loop(), stop
        ready.set_result(None)
        try:
            await stop.wait()
        finally:
            await self._emulator.aclose()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError("The emulator is not running.")
        return self._loop

    def _call(self, function: Callable[[], _T]) -> _T:
        """Runs a function on the emulator's own thread, where all of its state lives."""
        import asyncio

        loop = self._running_loop()

        async def call() -> _T:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), loop).result(_SETTLE_TIMEOUT)


class EmulatorFaults:
    """The fault switches of an `EmulatorThread`; what may go wrong is listed at `cloudlayer_async.emulator.Fault`."""

    def __init__(self, emulator: Emulator, call: Callable[[Callable[[], Any]], Any]) -> None:
        self._board = emulator.faults
        self._call = call

    def add(self, kind: Kind, **fields: Any) -> str:
        """Switches a fault on, as in ``add("status", status=503, on="conversions", count=2)``.

        Args:
            kind: What goes wrong.
            **fields: The other fields of `Fault`.

        Returns:
            Its id, for `remove`.

        Raises:
            ValueError: A field is unknown or has a wrong value.
        """
        id_: str = self._call(lambda: self._board.add(kind, **fields))
        return id_

    def remove(self, id_: str) -> bool:
        """Switches a fault off; tells whether it was on."""
        found: bool = self._call(lambda: self._board.remove(id_))
        return found

    def clear(self) -> None:
        """Switches everything off, and forgets what struck."""

        def clear() -> None:
            self._board.clear()
            self._board.struck.clear()

        self._call(clear)

    @property
    def active(self) -> tuple[ActiveFault, ...]:
        """What is on now, in the order in which it was switched on."""
        active: tuple[ActiveFault, ...] = self._call(lambda: self._board.active)
        return active

    @property
    def struck(self) -> Mapping[str, int]:
        """How often each kind struck since the start, or the last `clear`."""
        struck: Mapping[str, int] = self._call(lambda: dict(self._board.struck))
        return struck


@pytest.fixture(scope="session")
def cloudlayer_emulator_settings() -> Mapping[str, Any]:
    """The arguments of the session's `Emulator`: none. Override it to choose an engine, a dialect, templates, ..."""
    return {}


@pytest.fixture(scope="session")
def cloudlayer_emulator(
    request: pytest.FixtureRequest, cloudlayer_emulator_settings: Mapping[str, Any]
) -> Iterator[EmulatorThread]:
    """A local cloudlayer.io: `base_url`, `api_key`, `faults`, `seen`, `settle()`. One for the whole session."""
    try:
        emulator = EmulatorThread(**cloudlayer_emulator_settings)
        emulator.__enter__()
    except ImportError as error:
        pytest.fail(f"The emulator needs its extra: pip install 'cloudlayer-async[emulator]' ({error})", pytrace=False)
    request.session.stash[_EMULATOR] = emulator
    try:
        yield emulator
    finally:
        del request.session.stash[_EMULATOR]
        emulator.close()


def _settings(emulator: EmulatorThread) -> dict[str, Any]:
    from . import PollSchedule

    # Looking often costs nothing here, and tests are to be quick.
    polling = PollSchedule(min_interval=0.02, max_interval=0.1)
    return {"api_key": emulator.api_key, "base_url": emulator.base_url, "polling": polling}


@pytest.fixture
def cloudlayer(cloudlayer_emulator: EmulatorThread) -> Iterator[Cloudlayer]:
    """A blocking client of the emulator, closed after the test."""
    from . import Cloudlayer

    with Cloudlayer(**_settings(cloudlayer_emulator)) as client:
        yield client


@pytest.fixture
def async_cloudlayer(request: pytest.FixtureRequest) -> AsyncCloudlayer:
    """An asynchronous client of the emulator, opened and closed on the test's own event loop.

    For tests marked ``asyncio`` (pytest-asyncio, strict or automatic, any loop scope) and for tests that anyio runs on
    its asyncio backend. The client is built on aiohttp, and so knows no other event loop.
    """
    if "anyio_backend" in request.fixturenames:
        backend = request.getfixturevalue("anyio_backend")
        if (backend if isinstance(backend, str) else backend[0]) != "asyncio":
            pytest.fail("async_cloudlayer runs on asyncio: let your anyio_backend fixture return it", pytrace=False)
        name = "_async_cloudlayer_under_anyio"
    else:
        marker = request.node.get_closest_marker("asyncio")
        if marker is None or not request.config.pluginmanager.hasplugin("asyncio"):
            pytest.fail("async_cloudlayer is for tests that pytest-asyncio or anyio runs; mark yours", pytrace=False)
        default = request.config.getini("asyncio_default_test_loop_scope")
        name = f"_async_cloudlayer_on_{marker.kwargs.get('loop_scope') or default}_loop"
    client: AsyncCloudlayer = request.getfixturevalue(name)
    return client


def _opened_client() -> Callable[..., AsyncIterator[AsyncCloudlayer]]:
    """Returns a new function for each fixture, because pytest-asyncio marks the function itself."""

    async def opened_client(cloudlayer_emulator: EmulatorThread) -> AsyncIterator[AsyncCloudlayer]:
        from . import AsyncCloudlayer

        async with AsyncCloudlayer(**_settings(cloudlayer_emulator)) as client:
            yield client

    return opened_client


_under_anyio = pytest.fixture(_opened_client(), name="_async_cloudlayer_under_anyio")


def pytest_configure(config: pytest.Config) -> None:
    """Adds the fixtures behind `async_cloudlayer` that pytest-asyncio runs, where it is."""
    if not config.pluginmanager.hasplugin("asyncio"):
        return
    import pytest_asyncio

    fixtures = ModuleType(f"{__name__} under pytest-asyncio")
    for scope in _LOOP_SCOPES:
        # Such a fixture runs on the loop of one scope, and a client belongs on the loop of the test that uses it.
        name = f"_async_cloudlayer_on_{scope}_loop"
        setattr(fixtures, name, pytest_asyncio.fixture(_opened_client(), loop_scope=scope, name=name))
    config.pluginmanager.register(fixtures, fixtures.__name__)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """No test leaves faults or counts to the next one."""
    emulator = item.session.stash.get(_EMULATOR, None)
    if emulator is not None and "cloudlayer_emulator" in getattr(item, "fixturenames", ()):
        emulator.reset()
