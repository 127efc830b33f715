"""The interpreter's exit with a client left open at module level: no hang, no complaint."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers import Service

from .conftest import Gate, run_script

BEGIN = "from cloudlayer_async import Cloudlayer\ncl = Cloudlayer()\nassert cl.get_status().ok\n"


@pytest.mark.parametrize(
    "last",
    [
        "",
        "cl.close()",
        "jobs = cl.watch_job('7Kq2'); next(jobs)",
        "stream = cl.attach('7Kq2').stream(); chunks = stream.__enter__(); next(chunks)",
        "import atexit; atexit.register(lambda: print(cl.get_status().ok))",
        "import atexit; atexit.register(cl.close)",
        "import threading; threading.Thread(target=cl.get_status).start()",
        "cl.me = cl",
    ],
)
def test_no_hang(service: Service, tmp_path: Path, last: str) -> None:
    run_script(BEGIN + last, service, tmp_path, timeout=20)


def test_a_daemon_thread_in_a_call_does_not_hold_it_up(service: Service, tmp_path: Path, gate: Gate) -> None:
    code = BEGIN + (
        "import threading\n"
        "from cloudlayer_async import ConfigError\n"
        "def call():\n"
        "    began.set()\n"
        "    try:\n        cl.get_account()\n"
        "    except ConfigError:\n        pass\n"
        "began = threading.Event()\n"
        "threading.Thread(target=call, daemon=True).start()\n"
        "began.wait()\n"
    )
    run_script(code, service, tmp_path, timeout=20)


def test_an_exit_by_exception(service: Service, tmp_path: Path) -> None:
    run_script(BEGIN + "import sys; sys.exit(0)", service, tmp_path, timeout=20)


def test_a_client_never_used(service: Service, tmp_path: Path) -> None:
    run_script("from cloudlayer_async import Cloudlayer\ncl = Cloudlayer()", service, tmp_path, timeout=20)
