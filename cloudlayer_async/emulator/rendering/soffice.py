"""LibreOffice, where it is installed: DOCX to PDF with the document's own look."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from . import processes
from .model import RenderError

_NAMES = ("soffice", "libreoffice")


def find() -> str | None:
    """Return LibreOffice's command, or None."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


async def to_pdf(command: str, document: bytes) -> bytes:
    """Convert a DOCX. Cancelling kills LibreOffice.

    Args:
        command: What `find` returned.
        document: The DOCX.

    Raises:
        RenderError: LibreOffice cannot read it.
    """
    with tempfile.TemporaryDirectory(prefix="cloudlayer-office-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        source = folder / "document.docx"
        source.write_bytes(document)
        process = await processes.start(
            command,
            # A profile of its own: two that share one refuse to run side by side.
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            "--headless",
            "--norestore",
            "--convert-to",
            "pdf",
            "--outdir",
            str(folder),
            str(source),
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await process.wait()
        finally:
            await processes.end(process)
        product = folder / "document.pdf"
        if not product.is_file():
            raise RenderError("LibreOffice cannot convert this document")
        return product.read_bytes()
