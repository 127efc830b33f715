"""User storage: what is sent, and replies of many shapes, some of them refusals on HTTP 200 (contract section 5.5)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from samples import call, fixture, reply

from cloudlayer_async import ApiError, StorageConfig, StorageNotAllowedError, ValidationError
from cloudlayer_async.jsontext import WireFault
from cloudlayer_async.protocol import CallKind
from cloudlayer_async.storage import add_storage_call, delete_storage_call, read_added, read_deleted, read_storage

BUCKET: dict[str, Any] = {
    "title": "Spaces FRA",
    "region": "us-east-1",
    "access_key_id": "AKEXAMPLE",
    "secret_access_key": "not-a-real-secret",
    "bucket": "docs-out",
    "endpoint": "https://fra1.storage.example.net",
}
ADD = call(CallKind.WRITE, method="POST", path="/v2/storage")


def test_a_bucket_is_sent_under_the_wire_names() -> None:
    made = add_storage_call("v1", **BUCKET)
    assert (made.method, made.path, made.kind) == ("POST", "/v1/storage", CallKind.WRITE)
    assert json.loads(made.json or b"") == fixture("storage_create_request")
    assert "endpoint" not in json.loads(add_storage_call("v2", **{**BUCKET, "endpoint": None}).json or b"")
    assert "not-a-real-secret" not in repr(made)


@pytest.mark.parametrize("name", BUCKET)
@pytest.mark.parametrize("value", ["", "  ", 5, b"hunter2", "hunter2\ud800", None, ["hunter2"]])
def test_what_a_bucket_cannot_be_is_refused_by_name(name: str, value: Any) -> None:
    if (name, value) == ("endpoint", None):
        return
    with pytest.raises(ValidationError) as caught:
        add_storage_call("v2", **{**BUCKET, name: value})
    assert caught.value.field == name
    if name == "secret_access_key":
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("endpoint", ["fra1.storage.example.net", "ftp://x.example", "https://"])
def test_an_endpoint_is_an_address(endpoint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        add_storage_call("v2", **{**BUCKET, "endpoint": endpoint})
    assert caught.value.field == "endpoint"


@pytest.mark.parametrize(("name", "field"), [("6d1c", "6d1c"), ("a/b?c", "a%2Fb%3Fc"), ("é", "%C3%A9")])
def test_a_bucket_is_removed_by_its_encoded_id(name: str, field: str) -> None:
    made = delete_storage_call("v2", name)
    assert (made.method, made.path, made.kind) == ("DELETE", f"/v2/storage/{field}", CallKind.WRITE)
    with pytest.raises(ValidationError):
        delete_storage_call("v2", "..")


@pytest.mark.parametrize(
    ("body", "added"),
    [
        (
            fixture("storage_create_id_title"),
            StorageConfig(id="6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a03", title="New bucket"),
        ),
        (
            fixture("storage_detail_full"),
            StorageConfig(
                id="6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a01", title="Archive S3", uid="own_5521", data="U2FsdGVkX1+opaque"
            ),
        ),
        (fixture("storage_create_status"), None),
        ({"status": " Success "}, None),
        ({"id": "a", "status": "success"}, StorageConfig(id="a", extra={"status": "success"})),
        (b"", None),
        ({"id": "a", "allowed": True}, StorageConfig(id="a", extra={"allowed": True})),
    ],
)
def test_the_shapes_of_what_was_added(body: Any, added: StorageConfig | None) -> None:
    assert read_added(ADD, reply(body, 201)) == added


def test_a_plan_without_storage_is_an_error_on_http_200() -> None:
    with pytest.raises(StorageNotAllowedError) as caught:
        read_added(ADD, reply(fixture("storage_not_allowed"), 200))
    assert str(caught.value) == "Custom storage is not part of this plan."
    assert caught.value.status == 200
    with pytest.raises(StorageNotAllowedError):
        read_added(ADD, reply({"allowed": False}, 200))
    with pytest.raises(StorageNotAllowedError):
        read_deleted(ADD, reply({"allowed": False, "id": "x"}, 200))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (fixture("storage_create_status_error"), "the service reports an error"),
        (fixture("storage_delete_error_http200"), "storage configuration not found"),
        ({"status": "FAILED", "message": ["a", "b"]}, "a; b"),
        ({"status": "error", "id": "x"}, "the service reports an error"),
    ],
)
@pytest.mark.parametrize("read", [read_added, read_deleted])
def test_an_error_on_http_200_is_an_error(read: Any, body: Any, words: str) -> None:
    with pytest.raises(ApiError) as caught:
        read(ADD, reply(body, 200))
    assert (caught.value.message, caught.value.status, caught.value.maybe_billed) == (words, 200, False)
    assert caught.value.request == "POST /v2/storage"


@pytest.mark.parametrize("body", [{}, [], 5, "success", {"title": "x"}, {"id": None}, b"<html>", b"{"])
def test_what_is_none_of_these_is_a_wire_fault(body: Any) -> None:
    with pytest.raises(WireFault):
        read_added(ADD, reply(body, 201))


@pytest.mark.parametrize("body", [b"", b" ", fixture("storage_delete_status"), [], b"<html>ok", b"OK", {}, None, 5])
def test_a_removal_needs_no_words(body: Any) -> None:
    assert read_deleted(ADD, reply(body, 200)) is None


@pytest.mark.parametrize("name", ["storage_detail_full", "storage_detail_short", "storage_list"])
def test_one_bucket_out_of_an_object_or_a_list(name: str) -> None:
    found = read_storage(reply(fixture(name)), "6d1c0b7e-0f7e-4f57-9d0a-1f6f7a1c0a01")
    assert found.title == "Archive S3"


@pytest.mark.parametrize("body", [[], {"id": "other"}, b"", {"data": None}, fixture("storage_list")])
def test_a_bucket_that_is_not_in_the_reply_is_a_wire_fault(body: Any) -> None:
    with pytest.raises(WireFault):
        read_storage(reply(body), "6d1c")


def test_a_bucket_shows_nothing_of_its_configuration() -> None:
    assert "hunter2" not in repr(StorageConfig(id="a", data="hunter2"))
