"""Models as objects: values, properties, an open enum."""

from __future__ import annotations

import copy
import enum
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from samples import fixture

from cloudlayer_async import (
    Account,
    ApiStatus,
    Asset,
    Attempt,
    Job,
    JobStatus,
    Limits,
    ResponseInfo,
    StorageConfig,
    Template,
    from_dict,
)

MADE: list[Any] = [
    from_dict(Job, fixture("job_success_full")),
    from_dict(Job, fixture("job_unknown_status_and_fields")),
    from_dict(Asset, fixture("asset_full")),
    from_dict(Account, fixture("account_with_type_counters")),
    from_dict(ApiStatus, fixture("status_ok_trailing_space")),
    from_dict(StorageConfig, fixture("storage_detail_full")),
    from_dict(Template, fixture("template_detail")),
    ResponseInfo(status=200, headers={"a": "b"}),
    Limits(rate_limit=60),
    Attempt(request="GET /v2/jobs", number=1),
]


@pytest.mark.parametrize("model", MADE, ids=lambda model: type(model).__name__)
def test_models_are_values(model: Any) -> None:
    for again in (attrs.evolve(model), copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert again == model
        assert hash(again) == hash(model)
    assert {model: 1}[copy.copy(model)] == 1
    assert model != attrs.evolve(model, **{attrs.fields(type(model))[0].name: "other"})
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(model, attrs.fields(type(model))[0].name, "x")
    with pytest.raises(AttributeError):
        model.no_such_field = 1
    with pytest.raises(TypeError):
        type(model)(*attrs.astuple(model, recurse=False))


def test_models_with_other_extras_are_not_equal() -> None:
    assert from_dict(Job, {"id": "a", "x": 1}) != from_dict(Job, {"id": "a", "x": 2})


DESIGN_FIELDS: dict[Any, str] = {
    Job: "id status raw_status type name timestamp asset_url preview_url asset_id project_id uid size process_time worker "
    "params error self_url api_key_used api_credit_cost process_time_cost bandwidth_cost total_cost extra",
    ResponseInfo: "status worker worker_job_id cluster_id bandwidth process_time calls_remaining charged_time "
    "bandwidth_cost process_time_cost api_credit_cost rate_limit rate_limit_remaining rate_limit_reset headers",
}


@pytest.mark.parametrize("cls", DESIGN_FIELDS)
def test_fields_are_the_designs(cls: Any) -> None:
    assert {field.name for field in attrs.fields(cls)} == set(DESIGN_FIELDS[cls].split())


@pytest.mark.parametrize("word", ["archived", "", "PENDING", "日本", "a b"])
def test_job_status_is_open(word: str) -> None:
    status = JobStatus(word)
    assert isinstance(status, JobStatus)
    assert status == word == status.value == str(status) == f"{status}"
    assert status == JobStatus(word)
    assert hash(status) == hash(JobStatus(word))
    assert status not in list(JobStatus)
    assert json.dumps(status) == json.dumps(word)
    for again in (copy.deepcopy(status), pickle.loads(pickle.dumps(status))):
        assert again == status
        assert type(again) is JobStatus
    assert word in repr(status)


def test_job_status_is_a_string_enum_of_three() -> None:
    assert [status.value for status in JobStatus] == ["pending", "success", "error"]
    assert issubclass(JobStatus, enum.StrEnum)
    assert JobStatus("success") is JobStatus.SUCCESS
    for wrong in (5, None, b"success"):
        with pytest.raises(ValueError):
            JobStatus(wrong)


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        (JobStatus.PENDING, (True, False, False)),
        (JobStatus.SUCCESS, (False, True, False)),
        (JobStatus.ERROR, (False, False, True)),
        (JobStatus("archived"), (False, False, False)),
    ],
)
def test_what_a_job_says_of_itself(status: JobStatus, flags: tuple[bool, bool, bool]) -> None:
    job = Job(id="x", status=status)
    assert (job.is_pending, job.is_success, job.is_error) == flags


@pytest.mark.parametrize(("word", "ok"), [("ok", True), ("OK", True), ("okay", False), ("", False), ("down", False)])
def test_ok(word: str, ok: bool) -> None:
    assert ApiStatus(status=word).ok is ok


def test_an_attempt_left_unless_it_says_otherwise() -> None:
    attempt = Attempt(request="GET /v2/jobs", number=1)
    assert (attempt.sent, attempt.status, attempt.error, attempt.elapsed, attempt.retry_in) == (
        True,
        None,
        None,
        0.0,
        None,
    )


def test_timestamps_know_their_zone() -> None:
    job = from_dict(Job, {"id": "x", "timestamp": "2026-01-01T02:00:00+02:00"})
    assert job.timestamp == datetime(2026, 1, 1, tzinfo=UTC)
    assert job.timestamp is not None
    assert job.timestamp.tzinfo is UTC
