"""Reading a conversion's request, whatever it is encoded in, into one form. No judgement of values here."""

from __future__ import annotations

import json
from typing import Any

import attrs
from aiohttp import BodyPartReader, web

from .checks import Refusal
from .dialects import Dialect
from .endpoints import Endpoint
from .options import TEXT_OPTIONS
from .settings import Settings

_GET_OPTIONS = ("url", "timeout")


@attrs.frozen(kw_only=True)
class Intake:
    """What was sent: the options under their wire names, and files apart."""

    options: dict[str, Any]
    upload: bytes | None = attrs.field(default=None, repr=False)
    template: str | None = attrs.field(default=None, repr=False)
    """A template's source sent as a file, not base64."""


async def read_request(request: web.Request, endpoint: Endpoint, settings: Settings) -> Intake:
    """Read a conversion's request.

    Raises:
        Refusal: It cannot be read (400) or is too large (413).
    """
    if request.method == "GET":
        return Intake(
            options={name: _decoded(name, request.query[name]) for name in _GET_OPTIONS if name in request.query}
        )
    if request.content_type == "multipart/form-data":
        if endpoint.source not in ("file", "template"):
            raise Refusal(400, "The request body must be JSON")
        return await _read_form(request, endpoint, settings)
    if endpoint.source == "file" and endpoint.path != "docx/pdf":
        raise Refusal(400, "file is required, as multipart/form-data", "file")
    return Intake(options=await read_json(request, settings))


async def read_json(request: web.Request, settings: Settings) -> dict[str, Any]:
    """Read a JSON object from the body.

    Raises:
        Refusal: It is not JSON, not an object (400), or too large (413).
    """
    if request.content_type != "application/json" and not request.content_type.endswith("+json"):
        raise Refusal(400, "The Content-Type must be application/json")
    if (request.content_length or 0) > settings.max_json:
        raise _too_large(settings.max_json)
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > settings.max_json:
            raise _too_large(settings.max_json)
    return parsed_object(bytes(body), "The request body")


def parsed_object(body: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        Refusal: It is something else; `what` names it.
    """
    try:
        parsed = _loads(_utf8(body, what))
    except ValueError as error:
        raise Refusal(400, f"{what} is not valid JSON") from error
    if not isinstance(parsed, dict):
        raise Refusal(400, f"{what} must be a JSON object")
    return parsed


async def _read_form(request: web.Request, endpoint: Endpoint, settings: Settings) -> Intake:
    fields: dict[str, bytes] = {}
    upload: bytes | None = None
    left = settings.max_upload
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise Refusal(400, "Nested multipart parts are not taken")
            content = bytearray()
            while chunk := await part.read_chunk(2**16):
                left -= len(chunk)
                if left < 0:
                    raise _too_large(settings.max_upload)
                content += chunk
            if part.name == "file" and endpoint.source == "file":
                if part.filename is None:
                    raise Refusal(400, "file must be sent with a filename", "file")
                upload = bytes(content)
            elif part.name:
                fields[part.name] = bytes(content)
    except web.HTTPRequestEntityTooLarge as error:
        raise _too_large(settings.max_upload) from error
    except ValueError as error:
        raise Refusal(400, "The multipart body cannot be read") from error
    template = fields.pop("template", None) if endpoint.source == "template" else None
    return Intake(
        options=_form_options(fields, endpoint, settings.dialect),
        upload=upload,
        template=None if template is None else _utf8(template, "template"),
    )


def _form_options(fields: dict[str, bytes], endpoint: Endpoint, dialect: Dialect) -> dict[str, Any]:
    """Gather a form's options: JSON in a part of its own, or a field for each, as the dialect takes them."""
    options: dict[str, Any] = {}
    encodings = dialect.upload_options | ({"options"} if endpoint.source == "template" else frozenset())
    for part in ("options", "json"):
        if part in fields and part in encodings:
            options.update(parsed_object(fields.pop(part), part))
    data = fields.pop("data", None)
    if data is not None:
        options["data"] = parsed_object(data, "data")
    for name, content in fields.items():
        if "flat" in encodings or name == "templateId":
            options[name] = _decoded(name, _utf8(content, name))
    return options


def _decoded(name: str, content: str) -> Any:
    if name in TEXT_OPTIONS:
        return content
    try:
        return _loads(content)
    except ValueError:
        return content


def _loads(content: str) -> Any:
    try:
        return json.loads(content, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _utf8(content: bytes, what: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(400, f"{what} is not UTF-8 text") from error


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"The request body must not be larger than {limit} bytes")
