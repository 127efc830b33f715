"""Runs a program and ends it, and all it started, as soon as standard input ends: when the parent closes it or dies.

Run as a script, with nothing but the standard library. The program's own standard error is handed on.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE = 3.0


def main() -> int:
    """Run the command line's program; return its exit code."""
    if sys.platform == "linux":
        # The browser's orphans come to us, so that none is left undead where the first process reaps nobody.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)

    def end_with_parent() -> None:
        while os.read(0, 1024):
            pass
        _kill(child)

    threading.Thread(target=end_with_parent, daemon=True).start()
    code = child.wait()
    _kill(child)
    _reap()
    return code


def _kill(child: subprocess.Popen[bytes]) -> None:
    if not hasattr(os, "killpg"):
        child.kill()
        return
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _reap() -> None:
    if not hasattr(os, "waitpid"):
        return
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            time.sleep(0.005)


if __name__ == "__main__":
    sys.exit(main())
