"""``python -m cloudlayer_async.emulator``: the emulator in a terminal, until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

_PROGRAM = "cloudlayer-emulator"
_EPILOG = """\
Then, in another terminal:
  export CLOUDLAYER_BASE_URL=http://127.0.0.1:8787 CLOUDLAYER_API_KEY=cl-...   # the key it printed
  python your_program.py
and open http://127.0.0.1:8787 in a browser to see jobs, documents, webhooks and fault switches.
"""


def _at_least(minimum: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if int(text) < minimum:
            raise argparse.ArgumentTypeError(f"must be at least {minimum}")
        return int(text)

    return number


def port(text: str) -> int:
    """Read a port; 0 stands for any."""
    if not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("must be between 0 and 65535")
    return int(text)


def seconds(text: str) -> float:
    """Read a duration."""
    if not 0 <= float(text) < float("inf"):
        raise argparse.ArgumentTypeError("must be a number of seconds")
    return float(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="A local cloudlayer.io: the same wire protocol, real documents, no network, no cost.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument_group("where it listens, and whom it lets in").add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, for this machine alone)")
    add("--port", type=port, default=8787, metavar="N", help="port of the API, 0 for a free one (default: %(default)s)")
    add("--asset-port", type=port, default=0, metavar="N", help="port of the asset origin (default: a free one)")
    add("--key", action="append", help="API key to let in, up to five times (default: one is made up and printed)")
    add = parser.add_argument_group("rendering").add_argument
    add(
        "--engine",
        choices=("auto", "plutoprint", "chromium"),
        default="auto",
        help="what renders (default: Chromium where it is found, else plutoprint)",
    )
    add("--chromium-path", metavar="FILE", help="the browser to use instead of the one found")
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="host, or host:port, that pages may be loaded from (default: none)",
    )
    add("--workers", type=_at_least(1), metavar="N", help="renders at the same time (default: one for each processor)")
    add("--template", action="append", default=[], metavar="ID=FILE", help="a template of yours: u-letter=letter.html")
    add = parser.add_argument_group("the service it plays").add_argument
    add("--dialect", default="", metavar="NAME[,NAME]", help="disputed shapes to use; 'list' names them")
    add("--plan", choices=("limit", "usage"), default="limit", help="how the account is billed (default: %(default)s)")
    add("--no-user-storage", action="store_true", help="play a plan without storage of one's own")
    add("--rate-limit", type=_at_least(1), metavar="N", help="requests a minute for each key (default: any number)")
    add(
        "--asset-ttl",
        type=seconds,
        default=3600.0,
        metavar="S",
        help="seconds for which asset URLs work (default: an hour)",
    )
    add("--webhook-attempts", type=_at_least(1), default=1, metavar="N", help="deliveries tried (default: 1)")
    add = parser.add_argument_group("keeping").add_argument
    add(
        "--directory",
        type=Path,
        metavar="DIR",
        help="keep jobs and assets here for the next run (default: keep nothing)",
    )
    add("--max-bytes", type=_at_least(1), default=1024**3, metavar="N", help="bytes of assets kept (default: 1 GiB)")
    add("--max-age", type=seconds, metavar="S", help="seconds for which jobs and assets are kept (default: no limit)")
    add = parser.add_argument_group("faults").add_argument
    add(
        "--fault",
        action="append",
        default=[],
        metavar="FAULT",
        help="switch a fault on: 'status; status=503; on=conversions; count=2'",
    )
    add("--seed", type=int, default=0, metavar="N", help="of the faults' chances (default: 0)")
    return parser


async def _serve(arguments: argparse.Namespace) -> None:
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
    for fault in arguments.faults:
        emulator.faults.switch_on(fault)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows has no handlers on the loop; Ctrl-C arrives there as KeyboardInterrupt.
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    async with emulator:
        print(f"cloudlayer emulator ready at {emulator.base_url} with key {emulator.api_key}")
        print(f"It renders with {emulator.engine_name}; open it in a browser to watch. Ctrl-C ends it.", flush=True)
        await stop.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the emulator until SIGINT or SIGTERM; return the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        return _run(parser, arguments)
    except ImportError as error:
        print(f"{_PROGRAM} needs its extra: pip install 'cloudlayer-async[emulator]' ({error})", file=sys.stderr)
        return 1


def _run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> int:
    from .dialects import GENERATIONS, SWITCHES
    from .faults import faults_from_header
    from .rendering.model import RenderError

    if arguments.dialect == "list":
        print("\n".join([*GENERATIONS, *SWITCHES]))
        return 0
    if any("=" not in pair for pair in arguments.template):
        parser.error("argument --template: takes ID=FILE")
    arguments.faults = []
    for text in arguments.fault:
        try:
            arguments.faults += faults_from_header(text)
        except ValueError as error:
            parser.error(f"argument --fault: {text!r}: {error}")
    try:
        files = dict(pair.split("=", 1) for pair in arguments.template)
        arguments.templates = {id_: Path(file).read_text(encoding="utf-8") for id_, file in files.items()}
        asyncio.run(_serve(arguments))
    except OSError as error:
        reason = f"{error.strerror}: {error.filename}" if error.filename else error.strerror or str(error)
        hint = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        print(f"{_PROGRAM}: {reason}{hint}", file=sys.stderr)
        return 1
    except (ValueError, RenderError) as error:
        print(f"{_PROGRAM}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
