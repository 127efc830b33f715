"""The worker process: reads pieces of work from its standard input, one at a time, until that ends.

Run by `cloudlayer_async.emulator.rendering.pool` as ``python -m``; of no use alone.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

from . import frames, tasks
from .frames import Frame
from .model import RenderError

_MAX_MEMORY = 4 * 2**30
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until the parent closes the pipe or dies."""
    fonts, parent = sys.argv[1], int(sys.argv[2])
    _die_with(parent)
    _limit_memory()
    # The pipe is kept apart from standard output, where a library may print.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    tasks.prepare(fonts)
    worker = _Worker(sys.stdin.buffer, output)
    worker.send({"ready": True})
    while worker.serve_one():
        pass


class _Worker:
    def __init__(self, source: BinaryIO, output: BinaryIO) -> None:
        self._source = source
        self._output = output

    def serve_one(self) -> bool:
        frame = frames.read(self._source)
        if frame is None:
            return False
        # A thread of C, so it ends even an extension that never gives the interpreter back.
        faulthandler.dump_traceback_later(frame.head["limit"], exit=True)
        head, blobs = self._result(frame)
        self.send(head, blobs)
        faulthandler.cancel_dump_traceback_later()
        return True

    def send(self, head: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> None:
        for piece in frames.encode(head, blobs):
            self._output.write(piece)
        self._output.flush()

    def _result(self, frame: Frame) -> tuple[Mapping[str, Any], Sequence[bytes]]:
        task: Callable[[tasks.Call], Frame] = tasks.TASKS[frame.head["task"]]
        try:
            result = task(tasks.Call(frame.head["arguments"], frame.blobs, self._load))
        except RenderError as error:
            return {"error": str(error)}, ()
        except MemoryError:
            return {"error": "The document needs more memory than a conversion may use"}, ()
        except RecursionError:
            return {"error": "The document is nested too deep"}, ()
        except Exception as error:
            traceback.print_exc()
            return {"error": f"The engine failed: {type(error).__name__}: {error}"}, ()
        return result.head, result.blobs

    def _load(self, url: str) -> tuple[bytes, str, str]:
        self.send({"load": url})
        answer = frames.read(self._source)
        if answer is None:
            os._exit(1)
        content = answer.blobs[0] if answer.blobs else b""
        return content, answer.head.get("content_type", ""), answer.head.get("charset", "")


def _die_with(parent: int) -> None:
    """Have the kernel end this process with its parent; where that cannot be, the closed pipe ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
