"""Ready-made ways to show a batch's progress: a line in a terminal (the `progress` extra), a line in a notebook."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TextIO

from .progress import BatchProgress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

ShowProgress = Callable[[BatchProgress], None]


def show_progress(stream: TextIO | None = None) -> ShowProgress:
    """Something for ``on_progress=`` that shows a batch's progress where one can see it, and is silent elsewhere.

    In a notebook it is a line below the cell; in a terminal a bar (with rich, from the extra `progress`) or, without
    rich, a line that is written over. When the output goes to a file or a pipe nothing is written.

    Args:
        stream: Where to write; standard error when not given.
    """
    if stream is None and _in_notebook():
        return NotebookProgress()
    output = stream or sys.stderr
    if output is None or not output.isatty():  # a program without a console has no standard error
        return _nothing
    try:
        return TerminalProgress(output)
    except ImportError:
        return _LineProgress(output)


def _nothing(progress: BatchProgress) -> None:
    """Shows nothing."""


def _in_notebook() -> bool:
    # Only a program that IPython runs has it loaded already.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return any(cls.__name__ == "ZMQInteractiveShell" for cls in type(shell).__mro__)  # Colab's is derived from it


class TerminalProgress:
    """A bar with counts, made by rich. Silent when the stream is no terminal.

    Args:
        stream: Where to write; standard error when not given.

    Raises:
        ImportError: rich is not installed: ``pip install cloudlayer-async[progress]``.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        self._bar: Progress | None = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=20),
            TextColumn("{task.description}"),
            console=Console(file=stream or sys.stderr),
            transient=True,
        )
        self._task: TaskID | None = None

    def __call__(self, progress: BatchProgress) -> None:
        """Shows one more step; the last one takes the bar away."""
        bar = self._bar
        if bar is None or not bar.console.is_terminal:
            return
        if self._task is None:
            self._task = bar.add_task("", total=None)
            bar.start()
        bar.update(self._task, total=progress.total, completed=progress.done, description=str(progress))
        if progress.finished:
            bar.stop()
            bar.console.print(str(progress), highlight=False)
            self._bar = None


class _LineProgress:
    """A line that is written over, for terminals without rich."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, progress: BatchProgress) -> None:
        # Cut to the terminal's width: a line that wraps cannot be written over.
        line = str(progress)[: max(10, shutil.get_terminal_size().columns - 1)]
        self._stream.write(f"\r\x1b[K{progress}\n" if progress.finished else f"\r\x1b[K{line}")
        self._stream.flush()


class NotebookProgress:
    """A line below a notebook's cell, kept up to date.

    Raises:
        ImportError: There is no IPython, so this is no notebook.
    """

    def __init__(self) -> None:
        # Any: not every IPython has types, and it is no dependency of ours.
        self._display: Any = import_module("IPython.display")
        self._handle: Any = None

    def __call__(self, progress: BatchProgress) -> None:
        """Shows one more step."""
        line = self._display.Pretty(str(progress))
        if self._handle is None:
            self._handle = self._display.display(line, display_id=True)
        else:
            self._handle.update(line)
