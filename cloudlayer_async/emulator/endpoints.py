"""The conversions that the service offers: path, input, and the options each understands. Data only."""

from __future__ import annotations

from typing import Literal

import attrs

Source = Literal["url", "html", "template", "file", "merge"]
Group = Literal["base", "browser", "pdf", "image", "url"]


@attrs.frozen(kw_only=True)
class Endpoint:
    """One conversion."""

    path: str
    """After the version, as in ``html/pdf``."""
    job_type: str
    source: Source
    groups: tuple[Group, ...]
    """Groups of options whose values are checked; everything else passes unchecked."""
    takes_get: bool = False
    signature: bytes = b""
    """What an uploaded file has near its start."""
    upload_name: str = ""
    """What such a file is called in a refusal."""


def _endpoint(
    path: str, source: Source, *groups: Group, get: bool = False, signature: bytes = b"", upload: str = ""
) -> Endpoint:
    job_type = "merge-pdf" if source == "merge" else path.replace("/", "-")
    return Endpoint(
        path=path,
        job_type=job_type,
        source=source,
        groups=("base", *groups),
        takes_get=get,
        signature=signature,
        upload_name=upload,
    )


_ZIP = b"PK\x03\x04"
_PDF = b"%PDF-"

ENDPOINTS: tuple[Endpoint, ...] = (
    _endpoint("url/pdf", "url", "browser", "pdf", "url", get=True),
    _endpoint("url/image", "url", "browser", "image", "url", get=True),
    _endpoint("html/pdf", "html", "browser", "pdf"),
    _endpoint("html/image", "html", "browser", "image"),
    _endpoint("template/pdf", "template", "browser", "pdf"),
    _endpoint("template/image", "template", "browser", "image"),
    _endpoint("docx/pdf", "file", signature=_ZIP, upload="a Word document"),
    _endpoint("docx/html", "file", signature=_ZIP, upload="a Word document"),
    _endpoint("pdf/docx", "file", signature=_PDF, upload="a PDF"),
    _endpoint("pdf/merge", "merge", "url"),
)
