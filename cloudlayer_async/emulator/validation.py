"""Judging a conversion's request: every value, and the combinations that the service refuses. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import attrs

from .checks import Check, Refusal, address, refuse, text
from .dialects import Dialect
from .endpoints import Endpoint, Group
from .gallery import Gallery
from .intake import Intake, parsed_object
from .options import MAX_BATCH, option_checks
from .records import StorageMode
from .rendering.model import RenderSpec

_INPUTS = frozenset({"url", "html", "template", "templateId", "data", "batch", "file"})
_REDACTED = frozenset({"html", "template", "cookies", "authentication", "password"})
_LONG_TEXT = 2000
_DEPTH = 30


@attrs.frozen(kw_only=True)
class Conversion:
    """A request that was found good."""

    spec: RenderSpec
    is_async: bool
    storage: StorageMode
    storage_id: str | None
    credits: int
    webhook: str | None
    name: str | None
    project_id: str | None
    filename: str
    inline: bool
    params: Mapping[str, Any]
    """The echo of the request in its job, secrets replaced."""


class Validator:
    """Judges requests as one dialect has it."""

    def __init__(self, dialect: Dialect, gallery: Gallery) -> None:
        self._dialect = dialect
        self._gallery = gallery
        self._checks: Mapping[Group, Mapping[str, Check]] = option_checks(dialect)

    def judge(self, endpoint: Endpoint, version: str, intake: Intake, *, storages: Collection[str]) -> Conversion:
        """Turn a request into a conversion.

        Args:
            endpoint: Which conversion.
            version: API version of the path; it decides what is default.
            intake: The request as read.
            storages: Ids of the account's storage configurations.

        Raises:
            Refusal: A value or a combination is refused; names the field.
        """
        options = {
            name: value
            for name, value in intake.options.items()
            if value is not None or name in ("emulateMediaType", "data")
        }
        self._check_values(endpoint, options)
        urls, batch = self._urls(endpoint, options)
        template = self._template(endpoint, options, intake)
        is_async, storage, storage_id = _mode(options, version, batch=batch, storages=storages)
        spec = RenderSpec(
            conversion=endpoint.job_type,
            options={name: value for name, value in options.items() if name not in _INPUTS},
            html=_decoded_html(options) if endpoint.source == "html" else None,
            urls=urls,
            template=template,
            data=options.get("data") or {},
            upload=self._upload(endpoint, intake, urls),
        )
        return Conversion(
            spec=spec,
            is_async=is_async,
            storage=storage,
            storage_id=storage_id,
            credits=len(urls) + 1 if batch else 1,
            webhook=options.get("webhook"),
            name=options.get("name"),
            project_id=options.get("projectId") or None,
            filename=options.get("filename") or "",
            inline=bool(options.get("inline")),
            params=redact(options),
        )

    def _check_values(self, endpoint: Endpoint, options: dict[str, Any]) -> None:
        if self._dialect.data_text and isinstance(options.get("data"), str):
            options["data"] = parsed_object(options["data"].encode(), "data")
        if self._dialect.storage_strings and options.get("storage") in ("true", "false"):
            options["storage"] = options["storage"] == "true"
        for group in endpoint.groups:
            for name, check in self._checks[group].items():
                if options.get(name) is not None:
                    check(options[name], name)

    def _urls(self, endpoint: Endpoint, options: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
        """Return the addresses, and whether they are a batch, which always runs asynchronously."""
        url, batch = options.get("url"), options.get("batch")
        match endpoint.source:
            case "html" | "template":
                return (), False
            case "file" if url is None:
                return (), False
            case "url" | "merge" if (url is None) == (batch is None):
                raise refuse("Exactly one of url and batch is required", "url")
        if url is not None:
            address(url, "url")
            return (url,), False
        return self._batch(batch), endpoint.source == "url"

    def _batch(self, batch: Any) -> tuple[str, ...]:
        urls = batch.get("urls") if isinstance(batch, dict) else batch
        form = "object" if isinstance(batch, dict) else "list"
        if not isinstance(urls, list) or form not in self._dialect.batch_forms:
            raise refuse("batch must be an object with an array urls", "batch")
        if not 1 <= len(urls) <= MAX_BATCH:
            raise refuse(f"batch.urls must hold 1 to {MAX_BATCH} addresses", "batch.urls")
        for index, url in enumerate(urls):
            address(url, f"batch.urls[{index}]")
        return tuple(urls)

    def _template(self, endpoint: Endpoint, options: Mapping[str, Any], intake: Intake) -> str | None:
        if endpoint.source != "template":
            return None
        if not isinstance(options.get("data"), dict):
            raise refuse("data is required, and must be an object", "data")
        template_id, inline = options.get("templateId"), options.get("template")
        given = [value for value in (template_id, inline, intake.template) if value is not None]
        if len(given) != 1:
            raise refuse("Exactly one of templateId and template is required", "templateId")
        if intake.template is not None:
            return intake.template
        if template_id is None:
            return _decoded_text(inline, "template")
        text(template_id, "templateId")
        source = self._gallery.source(template_id)
        if source is None:
            raise refuse("templateId is not the id of a template", "templateId")
        return source

    def _upload(self, endpoint: Endpoint, intake: Intake, urls: tuple[str, ...]) -> bytes | None:
        if endpoint.source != "file" or urls:
            return None
        if intake.upload is None:
            raise refuse("file is required", "file")
        if endpoint.signature not in intake.upload[:1024]:
            raise refuse(f"file must be {endpoint.upload_name}", "file")
        return intake.upload


def _mode(
    options: Mapping[str, Any], version: str, *, batch: bool, storages: Collection[str]
) -> tuple[bool, StorageMode, str | None]:
    """Decide between sync and async, and where the product goes; refuse what cannot be together."""
    is_async = batch or options.get("async", version == "v2")
    # A batch has nowhere to return its product but storage, so it brings storage along where the version has it off.
    storage = options.get("storage", version == "v2" or batch)
    if isinstance(storage, dict):
        if not is_async:
            raise refuse("User storage needs an asynchronous request", "storage")
        if storage["id"] not in storages:
            raise refuse("storage.id is not the id of a storage configuration", "storage.id")
        return is_async, "user", storage["id"]
    if storage:
        return is_async, "cloud", None
    if is_async:
        raise refuse("An asynchronous request needs storage", "storage")
    if options.get("webhook") is not None:
        raise refuse("A webhook needs storage", "webhook")
    if options.get("generatePreview"):
        raise refuse("generatePreview needs storage", "generatePreview")
    return is_async, "none", None


def _decoded_html(options: Mapping[str, Any]) -> str:
    if not options.get("html"):
        raise refuse("html is required", "html")
    return _decoded_text(options["html"], "html")


def _decoded_text(value: Any, field: str) -> str:
    text(value, field)
    try:
        return base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise refuse(f"{field} must be base64 of UTF-8 text", field) from error


def redact(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as a job shows them: inputs and secrets are replaced by ``...``."""
    shown: dict[str, Any] = {}
    for name, value in options.items():
        if name in _REDACTED:
            shown[name] = "..."
        elif name in ("url", "batch", "webhook"):
            shown[name] = _shown_addresses(value, keep_path=name != "webhook")
        else:
            shown[name] = _shortened(value)
    return shown


def _shown_addresses(value: Any, *, keep_path: bool) -> Any:
    """Remove what may be secret of addresses: user and password; with `keep_path` off, the path too."""
    if isinstance(value, list):
        return [_shown_addresses(member, keep_path=keep_path) for member in value]
    if isinstance(value, dict):
        return {key: _shown_addresses(member, keep_path=keep_path) for key, member in value.items()}
    if not isinstance(value, str):
        return "..."
    try:
        parts = urlsplit(value)
    except ValueError:
        return "..."
    host = parts.netloc.rpartition("@")[2]
    if not keep_path:
        return f"{parts.scheme}://{host}/..."
    user = "...@" if "@" in parts.netloc else ""
    return urlunsplit((parts.scheme, user + host, parts.path, parts.query, parts.fragment))


def _shortened(value: Any, depth: int = 0) -> Any:
    if depth > _DEPTH or (isinstance(value, str) and len(value) > _LONG_TEXT):
        return "..."
    if isinstance(value, dict):
        return {key: "..." if key in _REDACTED else _shortened(member, depth + 1) for key, member in value.items()}
    if isinstance(value, list):
        return [_shortened(member, depth + 1) for member in value]
    return value


__all__ = ["Conversion", "Refusal", "Validator", "redact"]
