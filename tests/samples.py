"""Replies, calls and requests that many tests need. The bodies are in `fixtures/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cloudlayer_async.protocol import ApiVersion, CallKind, HttpCall, Reply, conversion_call
from cloudlayer_async.requests import REQUEST_TYPES, BaseOptions
from cloudlayer_async.wire import inline_source

FIXTURES = Path(__file__).parent / "fixtures"

PAGE = "<h1>Hello</h1>"
ADDRESS = "https://site.example/page"

MINIMAL: dict[str, dict[str, Any]] = {
    "url_to_pdf": {"url": ADDRESS},
    "url_to_image": {"url": ADDRESS},
    "html_to_pdf": {"html": PAGE},
    "html_to_image": {"html": PAGE},
    "template_to_pdf": {"template_id": "plain-invoice"},
    "template_to_image": {"template_id": "plain-invoice"},
    "docx_to_pdf": {"file": b"PK-docx"},
    "docx_to_html": {"file": b"PK-docx"},
    "pdf_to_docx": {"file": b"%PDF-1.7"},
    "merge_pdfs": {"urls": [ADDRESS]},
}
"""The least each of the ten conversions needs."""


def fixture(name: str) -> Any:
    """The data of one file."""
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


def minimal(kind: str, **options: Any) -> Any:
    """A request of one kind with the least it needs, and `options`."""
    return REQUEST_TYPES[kind](**{**MINIMAL[kind], **options})


def submission(request: BaseOptions, version: ApiVersion = "v2", **settings: Any) -> HttpCall:
    """The call that submits a request, its own source read as the client reads it."""
    source = inline_source(request)
    if isinstance(source, Path):
        source = source.read_bytes()
    return conversion_call(
        request, version=version, source=source.encode() if isinstance(source, str) else source, **settings
    )


def sent(request: BaseOptions, version: ApiVersion = "v2", **settings: Any) -> dict[str, Any]:
    """The JSON object that a request sends, in the order of the wire."""
    body = submission(request, version, **settings).json
    assert body is not None
    data: dict[str, Any] = json.loads(body)
    return data


def call(kind: CallKind, **changes: Any) -> HttpCall:
    """A call of each kind."""
    method, path = {
        CallKind.READ: ("GET", "/v2/jobs/7Kq2"),
        CallKind.WRITE: ("DELETE", "/v2/storage/6d1c"),
        CallKind.CONVERSION: ("POST", "/v2/html/pdf"),
    }[kind]
    product = "pdf" if kind is CallKind.CONVERSION else None
    return HttpCall(**{"method": method, "path": path, "kind": kind, "product": product, **changes})


def reply(body: Any = b"", status: int = 200, **headers: str) -> Reply:
    """A reply; a body that is not bytes goes as JSON. `content_type="..."` is the header ``content-type``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
        named.setdefault("content-type", "application/json")
    return Reply(status=status, headers=named, body=body)
