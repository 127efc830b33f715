"""User storage: its calls, and its replies of many shapes, some refusals on HTTP 200 (contract section 5.5). Pure."""

from __future__ import annotations

from typing import Any

from .errors import StorageNotAllowedError
from .jsontext import WireFault, json_bytes
from .models import StorageConfig
from .protocol import ApiVersion, CallKind, HttpCall, Reply, path_segment, read_data, read_list
from .validation import nonempty, refuse, secret_text, web_address
from .verdict import error_message, refusal_of
from .wire import converter


def add_storage_call(
    version: ApiVersion,
    *,
    title: str,
    region: str,
    access_key_id: str,
    secret_access_key: str,
    bucket: str,
    endpoint: str | None,
) -> HttpCall:
    """The call that adds a bucket.

    Raises:
        ValidationError: A value is missing or blank, or the endpoint is no address.
    """
    secret = secret_text(secret_access_key, "add_storage.secret_access_key")
    if not secret.strip():
        refuse("add_storage.secret_access_key", secret, "a str that is not blank", secret=True)
    body = {
        "title": nonempty(title, "add_storage.title"),
        "region": nonempty(region, "add_storage.region"),
        "accessKeyId": nonempty(access_key_id, "add_storage.access_key_id"),
        "secretAccessKey": secret,
        "bucket": nonempty(bucket, "add_storage.bucket"),
    }
    if endpoint is not None:
        body["endpoint"] = web_address(endpoint, "add_storage.endpoint")
    return HttpCall(method="POST", path=f"/{version}/storage", kind=CallKind.WRITE, json=json_bytes(body))


def read_added(call: HttpCall, reply: Reply) -> StorageConfig | None:
    """What was added; None when the service says "success", or nothing at all, and no more.

    Raises:
        StorageNotAllowedError: The plan does not include it.
        ApiError: The service reports an error on HTTP 200.
        WireFault: The reply is none of the known shapes.
    """
    data = read_data(reply)
    _check_refusal(call, reply, data)
    if data is None:
        return None
    if isinstance(data, dict) and str(data.get("status", "")).strip().lower() == "success" and not data.get("id"):
        return None
    return converter.structure(data, StorageConfig)


def read_storage(reply: Reply, storage_id: str) -> StorageConfig:
    """One configuration, out of an object or a list (contract section 7, row 16)."""
    found = read_list(reply, StorageConfig)
    for item in found:
        if item.id == storage_id:
            return item
    raise WireFault("no storage of that id in the reply")


def delete_storage_call(version: ApiVersion, storage_id: str) -> HttpCall:
    """The call that removes a bucket's configuration."""
    path = f"/{version}/storage/{path_segment(storage_id, 'storage_id')}"
    return HttpCall(method="DELETE", path=path, kind=CallKind.WRITE)


def read_deleted(call: HttpCall, reply: Reply) -> None:
    """Nothing, when it was removed.

    Raises:
        ApiError: The service reports an error on HTTP 200.
    """
    try:
        data = read_data(reply)
    except WireFault:
        return  # the status said success, and there is nothing to read
    _check_refusal(call, reply, data)


def _check_refusal(call: HttpCall, reply: Reply, data: Any) -> None:
    if not isinstance(data, dict):
        return
    message = error_message(reply.body.decode("utf-8", "replace"))
    if data.get("allowed") is False:
        raise StorageNotAllowedError(message or "the plan does not include user storage", status=reply.status)
    if str(data.get("status", "")).strip().lower() in ("error", "failed"):
        raise refusal_of(call, reply, message or "the service reports an error")
