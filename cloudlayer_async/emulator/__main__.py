"""``python -m cloudlayer_async.emulator``: the emulator in a terminal, until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cloudlayer-emulator",
        description="A local cloudlayer.io: the same wire protocol, real documents, no network, no cost.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=8787, help="port of the API, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument("--asset-port", type=int, default=0, help="port of the asset origin (default: a free one)")
    parser.add_argument(
        "--key", action="append", metavar="KEY", help="API key to let in, up to five times (default: made up)"
    )
    parser.add_argument("--engine", choices=("auto", "plutoprint", "chromium"), default="auto", help="what renders")
    parser.add_argument("--chromium-path", metavar="FILE", help="the browser to use instead of the one found")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="host whose pages may be rendered (default: none)",
    )
    parser.add_argument("--workers", type=int, help="renders at the same time (default: one for each processor)")
    parser.add_argument(
        "--dialect", default="", metavar="NAME[,NAME]", help="disputed shapes to use, or 'list' to name them"
    )
    parser.add_argument("--plan", choices=("limit", "usage"), default="limit", help="how the account is billed")
    parser.add_argument("--no-user-storage", action="store_true", help="play a plan without storage of one's own")
    parser.add_argument("--rate-limit", type=int, metavar="N", help="requests a minute for each key (default: any)")
    parser.add_argument(
        "--asset-ttl", type=float, default=3600.0, metavar="S", help="seconds for which asset URLs work"
    )
    parser.add_argument("--directory", type=Path, help="keep jobs and assets here for the next run")
    parser.add_argument("--max-bytes", type=int, default=1024**3, help="bytes of assets kept (default: 1 GiB)")
    parser.add_argument("--max-age", type=float, metavar="S", help="seconds for which jobs and assets are kept")
    parser.add_argument("--webhook-attempts", type=int, default=1, help="deliveries tried for one webhook (default: 1)")
    parser.add_argument(
        "--template",
        action="append",
        default=[],
        metavar="ID=FILE",
        help="a template of your own, as u-letter=letter.html",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="FAULT",
        help="switch a fault on, as 'status; status=503; count=2'",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the faults' chances")
    return parser


async def _serve(arguments: argparse.Namespace) -> None:
    from .faults import faults_from_header
    from .server import Emulator

    emulator = Emulator(
        host=arguments.host,
        port=arguments.port,
        asset_port=arguments.asset_port,
        api_keys=arguments.key,
        engine=arguments.engine,
        chromium_path=arguments.chromium_path,
        allowed_hosts=arguments.allow_host,
        workers=arguments.workers,
        dialect=arguments.dialect,
        plan=arguments.plan,
        user_storage=not arguments.no_user_storage,
        rate_limit=arguments.rate_limit,
        asset_ttl=arguments.asset_ttl,
        directory=arguments.directory,
        max_bytes=arguments.max_bytes,
        max_age=arguments.max_age,
        webhook_attempts=arguments.webhook_attempts,
        templates=arguments.templates,
        seed=arguments.seed,
    )
    for text in arguments.fault:
        for fault in faults_from_header(text):
            emulator.faults.switch_on(fault)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no handlers on the loop; Ctrl-C arrives there as KeyboardInterrupt.
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    async with emulator:
        print(f"cloudlayer emulator ready at {emulator.base_url} with key {emulator.api_key}", flush=True)
        await stop.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the emulator until SIGINT or SIGTERM; return the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.dialect == "list":
        from .dialects import GENERATIONS, SWITCHES

        print("\n".join([*GENERATIONS, *SWITCHES]))
        return 0
    if any("=" not in pair for pair in arguments.template):
        parser.error("--template takes ID=FILE")
    from .rendering.model import RenderError

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        files = dict(pair.split("=", 1) for pair in arguments.template)
        arguments.templates = {id_: Path(file).read_text(encoding="utf-8") for id_, file in files.items()}
        asyncio.run(_serve(arguments))
    except (ValueError, OSError, RenderError) as error:
        print(f"cloudlayer-emulator: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
