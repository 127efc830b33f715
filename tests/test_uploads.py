"""Forms as they leave: parsed back by parsers that are not ours, rewound for a repeat, streamed in constant memory."""

from __future__ import annotations

import asyncio
import email
import email.policy
import io
import json
import os
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from conftest import Connect
from servers import JOB, Exchange, RawServer, Service, Step, hang_up, http, reply

from cloudlayer_async import (
    AmbiguousSubmissionError,
    AsyncCloudlayer,
    ConnectionFailedError,
    DocxToPdf,
    Margin,
    Preview,
    RateLimitError,
    UserStorage,
    ValidationError,
)

pytestmark = pytest.mark.usefixtures("no_complaints", "no_environment")

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


class Form:
    """A form as aiohttp's server reads it."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, str | bytes, str | None, str | None]] = []
        """Name, content, filename, content type, in order."""

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                self.fields.append((name, value.file.read(), value.filename, value.content_type))
            else:
                self.fields.append((name, value, None, None))
        return web.json_response(JOB, status=202)


@pytest.fixture
def form(service: Service) -> Form:
    """The form that the service gets."""
    form = Form()
    for line in ("docx/pdf", "docx/html", "pdf/docx", "template/pdf", "template/image"):
        service.answers(f"POST /v2/{line}", form)
    return form


class Pipe(io.RawIOBase):
    """A stream that only goes forward."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(buffer)


# --- what arrives ---------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_document_alone(form: Form, client: AsyncCloudlayer) -> None:
    await client.docx_to_pdf(b"PK\x03\x04 docx")
    assert form.fields == [("file", b"PK\x03\x04 docx", "document.docx", DOCX)]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "name", "filename", "content_type"),
    [
        ("docx_to_pdf", "letter.docx", "letter.docx", DOCX),
        ("docx_to_html", "LETTER.DOCX", "LETTER.DOCX", DOCX),
        ("pdf_to_docx", "a.pdf", "a.pdf", "application/pdf"),
        ("pdf_to_docx", "noextension", "document.pdf", "application/pdf"),
        ("docx_to_pdf", "old.doc", "old.doc", "application/octet-stream"),
        ("docx_to_pdf", "Zürich № 7 — 報告.docx", "Zürich № 7 — 報告.docx", DOCX),
        ("docx_to_pdf", "100%25 a;b=c.docx", "100%25 a;b=c.docx", DOCX),
    ],
)
async def test_a_file_keeps_its_name(
    method: str, name: str, filename: str, content_type: str, form: Form, client: AsyncCloudlayer, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(b"content")
    await getattr(client, method)(path)
    with path.open("rb") as file:
        await getattr(client, method)(file)
    await getattr(client, method)(str(path))
    assert form.fields == [("file", b"content", filename, content_type)] * 3


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ['say "hi".docx', "back\\slash.docx", "line\nbreak\r\n.docx", "\udcff.docx"])
async def test_a_name_that_would_break_the_form_does_not(
    name: str, form: Form, client: AsyncCloudlayer, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(b"content")
    await client.docx_to_pdf(path, name="n")
    assert [(field[0], field[1]) for field in form.fields] == [("name", "n"), ("file", b"content")]
    filename = form.fields[-1][2]
    assert filename is not None
    assert filename.endswith(".docx")


OPTIONS: dict[str, Any] = {
    "name": "Zürich",
    "timeout": 45_000,
    "inline": False,
    "storage": UserStorage("6d1c"),
    "generate_preview": Preview(width=5),
    "extra": {"newOption": [1, None, "ü"]},
}
SENT: dict[str, Any] = {
    "name": "Zürich",
    "timeout": 45_000,
    "inline": False,
    "storage": {"id": "6d1c"},
    "generatePreview": {"width": 5, "type": "webp", "quality": 80},
    "newOption": [1, None, "ü"],
}


@pytest.mark.asyncio
async def test_options_go_beside_it_as_fields(form: Form, client: AsyncCloudlayer) -> None:
    await client.docx_to_pdf(b"docx", **OPTIONS)
    *fields, file = form.fields
    assert file[0] == "file"
    sent = {name: value for name, value, _, _ in fields}
    assert sent.pop("name") == "Zürich"
    assert {name: json.loads(value) for name, value in sent.items()} == {k: v for k, v in SENT.items() if k != "name"}
    assert sent["inline"] == "false"
    assert sent["timeout"] == "45000"


@pytest.mark.asyncio
@pytest.mark.parametrize("part", ["options", "json"])
async def test_options_go_beside_it_in_one_part(part: Any, form: Form, service: Service, connect: Connect) -> None:
    client = await connect(service.url, upload_options=part)
    await client.docx_to_pdf(b"docx", **OPTIONS)
    await client.docx_to_pdf(b"docx")
    (options, file, alone) = form.fields
    assert options[0] == part
    assert json.loads(options[1]) == SENT
    assert file[0] == alone[0] == "file"


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["template_to_pdf", "template_to_image"])
async def test_a_template_file(kind: str, form: Form, client: AsyncCloudlayer, tmp_path: Path) -> None:
    path = tmp_path / "Rechnung ü.njk"
    path.write_bytes("<p>{{ größe }}</p>".encode())
    data = {"größe": None, "__auto_calculate": False, "big": 2**70, "items": [{"b": 1, "a": 2}]}
    await getattr(client, kind)(template=path, data=data, landscape=True, name="n")
    by_name = {field[0]: field for field in form.fields}
    assert sorted(by_name) == ["data", "options", "template"]
    assert json.loads(by_name["options"][1]) == {"landscape": True, "name": "n"}
    assert by_name["template"][1] == path.read_bytes()
    assert by_name["template"][2] == "Rechnung ü.njk"
    sent = json.loads(by_name["data"][1])
    assert sent == data
    assert list(sent) == list(data)
    assert by_name["data"][3] == "application/json"


@pytest.mark.asyncio
async def test_an_inline_template_is_no_form(service: Service, client: AsyncCloudlayer) -> None:
    service.answers("POST /v2/template/pdf", JOB, status=202)
    await client.template_to_pdf(template="<p>{{ x }}</p>", data={"x": None}, margin=Margin(top=1))
    body = service.requests[0].json()
    assert body == {"template": "PHA+e3sgeCB9fTwvcD4=", "data": {"x": None}, "margin": {"top": 1}}


@pytest.mark.asyncio
async def test_another_parser_reads_the_same(service: Service, client: AsyncCloudlayer, tmp_path: Path) -> None:
    """The standard library's mail parser, which knows nothing of browsers."""
    service.answers("POST /v2/docx/pdf", JOB, status=202)
    content = bytes(range(256)) * 3 + b"\r\n--\r\n"
    await client.docx_to_pdf(content, name="x y", delay=20)
    (request,) = service.requests
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + request.body, policy=email.policy.HTTP)
    parts = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}
    assert parts["name"].get_payload(decode=True) == b"x y"
    assert parts["delay"].get_payload(decode=True) == b"20"
    assert parts["file"].get_payload(decode=True) == content
    assert parts["file"].get_filename() == "document.docx"
    assert int(request.headers["Content-Length"]) == len(request.body)


# --- files of the caller --------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_file_is_read_from_where_it_stands_and_never_closed(form: Form, client: AsyncCloudlayer) -> None:
    file = io.BytesIO(b"skip|content")
    file.seek(5)
    await client.docx_to_pdf(file)
    assert form.fields[0][1] == b"content"
    assert not file.closed
    assert file.tell() == 12
    with pytest.raises(ValidationError, match="rewind") as caught:
        await client.docx_to_pdf(file)
    assert caught.value.field == "file"


@pytest.mark.asyncio
async def test_files_of_many_makes(form: Form, client: AsyncCloudlayer, tmp_path: Path) -> None:
    with (
        tempfile.TemporaryFile() as one,
        tempfile.SpooledTemporaryFile() as two,
        tempfile.NamedTemporaryFile() as three,
    ):
        for file in (one, two, three):
            file.write(b"content")
            file.seek(0)
            await client.docx_to_pdf(file)  # type: ignore[arg-type]
            assert not file.closed

    class Odd:
        """Reads, tells and seeks; its seek answers nothing."""

        def __init__(self) -> None:
            self.file = io.BytesIO(b"content")

        def read(self, size: int = -1) -> bytes:
            return self.file.read(size)

        def tell(self) -> int:
            return self.file.tell()

        def seek(self, *place: int) -> None:
            self.file.seek(*place)

    await client.docx_to_pdf(Odd())  # type: ignore[arg-type]
    assert [field[1] for field in form.fields] == [b"content"] * 4


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("source", ["path", "bytes", "file", "middle of a file"])
async def test_a_repeat_sends_the_same_bytes(source: str, connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(b"0123456789" * 100_000)
    with path.open("rb") as file:
        if source == "middle of a file":
            file.seek(400_000)
        content: Any = {"path": path, "bytes": path.read_bytes()}.get(source, file)
        async with RawServer(reply(429), reply(503, retry_after="0"), reply(202, JOB)) as server:
            client = await connect(server.url)
            await client.docx_to_pdf(content)
    sizes = {len(request.body) for request in server.requests}
    assert len(server.requests) == 3
    assert len(sizes) == 1
    expected = 600_000 if source == "middle of a file" else 1_000_000
    for request in server.requests:
        assert request.body.split(b"\r\n\r\n", 1)[1][:expected] == path.read_bytes()[-expected:]


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_what_cannot_be_rewound_gets_one_attempt(connect: Connect) -> None:
    async with RawServer(reply(429, retry_after="0")) as server:
        client = await connect(server.url)
        with pytest.raises(RateLimitError) as caught:
            await client.docx_to_pdf(io.BufferedReader(Pipe(b"x" * 600_000)))
        assert "asks to wait" not in str(caught.value)
        assert len(server.requests) == 1
        assert server.requests[0].headers["Transfer-Encoding"] == "chunked"
        assert b"x" * 600_000 in server.requests[0].body
        client = await connect("http://127.0.0.1:1")
        with pytest.raises(ConnectionFailedError) as failed:
            await client.docx_to_pdf(io.BufferedReader(Pipe(b"x")))
    assert len(failed.value.history) == 1


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
async def test_a_file_that_is_gone_at_the_repeat(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(b"content")

    async def refuse(exchange: Exchange) -> None:
        await exchange.request()
        path.unlink()
        await exchange.send(http(429))

    async with RawServer(refuse) as server:
        client = await connect(server.url)
        with pytest.raises(ValidationError, match="cannot be read") as caught:
            await client.docx_to_pdf(path)
    assert caught.value.field == "file"
    assert not caught.value.maybe_billed
    assert len(server.requests) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["shorter", "raises", "closed", "text", "none"])
async def test_a_file_that_cannot_be_read_to_its_end(how: str, connect: Connect) -> None:
    """Part of the request left, so the outcome counts as unknown; but it is said what happened."""

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> Any:
            data = super().read(size)
            if self.tell() > 300_000:
                match how:
                    case "shorter":
                        return b""
                    case "raises":
                        raise OSError(5, "Input/output error")
                    case "closed":
                        raise ValueError("I/O operation on closed file")
                    case "text":
                        return "text"
                    case "none":
                        return None
            return data

    async def step(exchange: Exchange) -> None:
        await exchange.request()

    async with RawServer(step) as server:
        client = await connect(server.url)
        with pytest.raises(AmbiguousSubmissionError, match="the file") as caught:
            await client.docx_to_pdf(Failing(b"x" * 1_000_000))
        await server.hung_up.wait()
    assert server.requests == []
    assert server.begun == 1
    assert caught.value.__context__ is None


@pytest.mark.asyncio
async def test_a_file_that_grows_is_sent_as_long_as_it_was(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(b"x" * 600_000)

    async def step(exchange: Exchange) -> None:
        with path.open("ab") as file:
            file.write(b"more")
        await reply(202, JOB)(exchange)

    async with RawServer(step) as server:
        client = await connect(server.url)
        await client.docx_to_pdf(path)
    assert b"more" not in server.requests[0].body


@pytest.mark.asyncio
async def test_an_upload_that_is_refused_half_way(connect: Connect, tmp_path: Path) -> None:
    """The server answers before it has read everything, and hangs up: its word counts where it arrives."""

    async def refuse(exchange: Exchange) -> None:
        await exchange.head()
        await exchange.send(http(413, {"message": "too much"}, connection="close"))
        await exchange.gone()

    path = tmp_path / "big.docx"
    with path.open("wb") as file:
        file.truncate(30_000_000)
    async with RawServer(refuse) as server:
        client = await connect(server.url)
        with pytest.raises(Exception, match="too much") as caught:
            await client.docx_to_pdf(path)
    assert caught.value.status == 413  # type: ignore[attr-defined]
    assert server.requests == []


@pytest.mark.asyncio
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("step", [hang_up])
async def test_an_upload_is_not_sent_twice(step: Step, connect_any: Connect, tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(b"x" * 400_000)
    async with RawServer(step) as server:
        client = await connect_any(server.url)
        with pytest.raises(AmbiguousSubmissionError):
            await client.submit(DocxToPdf(path))
    assert len(server.requests) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("source", ["path", "file", "pipe"])
async def test_a_large_upload_is_streamed(source: str, connect: Connect, tmp_path: Path) -> None:
    size = 60_000_000
    path = tmp_path / "big.docx"
    with path.open("wb") as file:
        file.truncate(size)
    taken = 0

    async def swallow(exchange: Exchange) -> None:
        nonlocal taken
        head = await exchange.head()
        expected = int(head.headers.get("Content-Length", "0"))
        while True:
            taken += len(exchange._buffer)
            done = taken >= expected if expected else exchange._buffer.endswith(b"\r\n0\r\n\r\n")
            exchange._buffer.clear()
            if done:
                break
            await exchange._more()
        await exchange.send(http(202, JOB))

    async with RawServer(swallow) as server:
        client = await connect(server.url)
        with path.open("rb") as file:
            content: Any = {"path": path, "file": file}.get(source, io.BufferedReader(_OneWay(file)))
            tracemalloc.start()
            try:
                await client.docx_to_pdf(content)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert taken > size
    assert peak < 6_000_000


class _OneWay(io.RawIOBase):
    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = os.read(self._file.fileno(), len(buffer))
        buffer[: len(data)] = data
        return len(data)


@pytest.mark.asyncio
async def test_two_uploads_of_one_request_at_once(service: Service, client: AsyncCloudlayer) -> None:
    """A request made of bytes or of a path may be submitted any number of times, also at once."""
    form = Form()
    service.answers("POST /v2/docx/pdf", form)
    request = DocxToPdf(b"x" * 700_000)
    await asyncio.gather(*(client.submit(request) for _ in range(5)))
    assert [len(field[1]) for field in form.fields] == [700_000] * 5
