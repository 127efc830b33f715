"""`Emulator`: the lifetime of the servers and of everything behind them."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from aiohttp import web

from . import api, controls, conversions, page, storage
from .assets import asset_app
from .dialects import Dialect, parse
from .faults import FaultBoard
from .gate import control, faults, gate
from .runner import RendererLike
from .seen import Seen
from .service import SERVICE, Service
from .settings import Settings, made_up_key

logger = logging.getLogger("cloudlayer_async.emulator")

_SHUTDOWN = 2.0
"""Seconds for replies that are being sent when the emulator is closed."""


class Emulator:
    """A local cloudlayer.io: `async with Emulator() as emulator`, or `start` and `aclose`.

    One emulator runs once: it cannot be started again after it was closed.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        asset_port: int = 0,
        api_keys: Collection[str] | None = None,
        engine: Literal["auto", "plutoprint", "chromium"] = "auto",
        chromium_path: str | None = None,
        allowed_hosts: Collection[str] = (),
        renderer: RendererLike | None = None,
        workers: int | None = None,
        dialect: str | Iterable[str] | Dialect = "",
        plan: Literal["limit", "usage"] = "limit",
        calls_limit: int = 1_000_000,
        user_storage: bool = True,
        rate_limit: int | None = None,
        asset_ttl: float | None = 3600.0,
        directory: str | os.PathLike[str] | None = None,
        max_bytes: int | None = 1024**3,
        max_age: float | None = None,
        webhook_attempts: int = 1,
        templates: Mapping[str, str] | None = None,
        seed: int = 0,
    ) -> None:
        """Describe an emulator; nothing runs before `start`.

        Args:
            host: Address to listen on. Only this machine can reach the default.
            port: Port of the API; 0 takes a free one.
            asset_port: Port of the asset origin; 0 takes a free one.
            api_keys: One to five keys that are let in; by default one is made up, see `api_key`.
            engine: What renders; ``auto`` takes Chromium where it is found.
            chromium_path: The browser to use instead of the one found.
            allowed_hosts: Hosts whose pages may be rendered. By default none.
            renderer: Renders instead of the engines above. It is started and closed with the emulator.
            workers: Renders at the same time; by default one for each processor.
            dialect: Names of switches and generations, see `dialects`; one text may hold several, with commas.
            plan: How the account is billed.
            calls_limit: Credits of a ``limit`` plan; -1 for no limit.
            user_storage: Whether the plan allows storage of the user's own.
            rate_limit: Requests a minute for each key; None for no limit.
            asset_ttl: Seconds for which an asset's URL works; None for no end.
            directory: Keeps jobs and assets for the next run; by default they end with this one.
            max_bytes: Bytes of assets kept; the oldest go first. None for no limit.
            max_age: Seconds for which jobs and assets are kept; None for no limit.
            webhook_attempts: Deliveries tried when a receiver does not answer with a 2xx status.
            templates: The account's own templates, id (such as ``u-letter``) to source.
            seed: Of the fault switches' chances, so that a run can be repeated.

        Raises:
            ValueError: An argument has a wrong value.
        """
        if isinstance(api_keys, str):
            raise ValueError("api_keys is a collection of keys, not one key.")
        if workers is not None and workers < 1:
            raise ValueError("workers must be at least 1.")
        settings = Settings(
            host=host,
            port=port,
            asset_port=asset_port,
            api_keys=(made_up_key(),) if api_keys is None else tuple(api_keys),
            dialect=dialect if isinstance(dialect, Dialect) else parse(dialect),
            plan=plan,
            calls_limit=calls_limit,
            user_storage=user_storage,
            rate_limit=rate_limit,
            asset_ttl=asset_ttl,
            workers=workers or os.cpu_count() or 1,
            directory=None if directory is None else Path(directory),
            max_bytes=max_bytes,
            max_age=max_age,
            webhook_attempts=webhook_attempts,
            templates=templates or {},
            seed=seed,
        )
        self._engine: Literal["auto", "plutoprint", "chromium"] = engine
        self._chromium_path = chromium_path
        self._allowed_hosts = tuple(allowed_hosts)
        self._renderer = renderer
        self._runners: list[web.AppRunner] = []
        self._state: Literal["new", "running", "closed"] = "new"
        self.service = Service(settings)
        """Everything behind the servers, for whoever needs to look inside."""

    def __repr__(self) -> str:
        return f"<Emulator {self.service.shapes.base_url or self._state}>"

    @property
    def base_url(self) -> str:
        """Origin of the API, without a version."""
        return self._when_running(self.service.shapes.base_url)

    @property
    def asset_url(self) -> str:
        """Origin of the assets."""
        return self._when_running(self.service.links.origin)

    @property
    def api_key(self) -> str:
        """A key that is let in."""
        return self.service.settings.api_keys[0]

    @property
    def engine_name(self) -> str:
        """Name and version of what renders."""
        return self._when_running(self._renderer.engine_name if self._renderer is not None else "")

    @property
    def faults(self) -> FaultBoard:
        """The fault switches."""
        return self.service.faults

    @property
    def seen(self) -> Seen:
        """Counters of what arrived."""
        return self.service.seen

    async def start(self) -> None:
        """Listen, and get the engine ready.

        Raises:
            OSError: A port is taken, or another emulator uses the directory.
            RenderError: The engine asked for is not there.
            RuntimeError: The emulator was started before.
        """
        if self._state != "new":
            raise RuntimeError("An emulator can be started once.")
        self._state = "running"
        try:
            await self._start()
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Stop listening, cancel renders and deliveries, end the engine, remove temporary files."""
        if self._state == "closed":
            return
        self._state = "closed"
        service = self.service
        await service.runner.aclose()
        await service.webhooks.aclose()
        service.feed.close()
        for runner in self._runners:
            await runner.cleanup()
        if self._renderer is not None:
            await self._renderer.aclose()
        await service.store.close()

    async def settle(self) -> None:
        """Wait until no job is pending and no webhook is under way. Jobs that are stuck for ever never settle."""
        await self.service.runner.settle()
        await self.service.webhooks.settle()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _start(self) -> None:
        service, settings = self.service, self.service.settings
        await service.store.open()
        # The asset origin comes first: the engine may read from there, so that earlier products can be merged.
        service.links.origin = await self._listen(asset_app(service), settings.asset_port)
        if self._renderer is None:
            self._renderer = self._make_renderer()
        await self._renderer.start()
        service.runner.start(self._renderer)
        service.shapes.base_url = await self._listen(_api_app(service), settings.port)
        logger.info("Emulator at %s renders with %s", service.shapes.base_url, self._renderer.engine_name)

    def _make_renderer(self) -> RendererLike:
        from .rendering import Renderer

        return Renderer(
            engine=self._engine,
            chromium_path=self._chromium_path,
            workers=self.service.settings.workers,
            allowed_hosts=(*self._allowed_hosts, self.service.links.origin.removeprefix("http://")),
        )

    async def _listen(self, app: web.Application, port: int) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN)
        await runner.setup()
        self._runners.append(runner)
        host = self.service.settings.host
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise OSError(error.errno, f"Cannot listen on {host} port {port}: {reason}") from error
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        shown = f"[{reachable}]" if ":" in reachable else reachable
        return f"http://{shown}:{runner.addresses[0][1]}"

    def _when_running(self, value: str) -> str:
        if self._state == "new":
            raise RuntimeError("The emulator was not started.")
        return value


def _api_app(service: Service) -> web.Application:
    app = web.Application(middlewares=[control, faults, gate], client_max_size=service.settings.max_upload)
    app[SERVICE] = service
    conversions.add_routes(app)
    for table in (api.routes, storage.routes, controls.routes, page.routes):
        app.add_routes(table)
    return app
