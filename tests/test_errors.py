"""Errors: one tree, plain data, through pickle and copy whole, without secrets."""

from __future__ import annotations

import copy
import inspect
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest

import cloudlayer_async
from cloudlayer_async import (
    AmbiguousSubmissionError,
    ApiError,
    AssetExpiredError,
    Attempt,
    AuthenticationError,
    BadRequestError,
    BatchStoppedError,
    CloudlayerError,
    ConfigError,
    ConnectionFailedError,
    DownloadError,
    Job,
    JobFailedError,
    JobStatus,
    JobTimeoutError,
    JournalError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTimeoutError,
    ResponseInfo,
    ServerError,
    ServiceUnavailableError,
    StorageNotAllowedError,
    UnexpectedResponseError,
    ValidationError,
)

TREE: dict[Any, tuple[type, ...]] = {
    CloudlayerError: (Exception,),
    ConfigError: (CloudlayerError, ValueError),
    ValidationError: (CloudlayerError, ValueError),
    ConnectionFailedError: (CloudlayerError, ConnectionError),
    RequestTimeoutError: (CloudlayerError, TimeoutError),
    AmbiguousSubmissionError: (CloudlayerError,),
    ApiError: (CloudlayerError,),
    BadRequestError: (ApiError,),
    AuthenticationError: (ApiError,),
    PermissionDeniedError: (ApiError,),
    NotFoundError: (ApiError,),
    RateLimitError: (ApiError,),
    ServerError: (ApiError,),
    ServiceUnavailableError: (ServerError,),
    UnexpectedResponseError: (CloudlayerError,),
    JobFailedError: (CloudlayerError,),
    JobTimeoutError: (CloudlayerError, TimeoutError),
    DownloadError: (CloudlayerError,),
    AssetExpiredError: (DownloadError,),
    StorageNotAllowedError: (CloudlayerError,),
    BatchStoppedError: (CloudlayerError,),
    JournalError: (CloudlayerError,),
}
APART = [
    # Catching one must not catch the other.
    (ValidationError, ConfigError),
    (AmbiguousSubmissionError, ApiError),
    (AmbiguousSubmissionError, ConnectionError),
    (AmbiguousSubmissionError, TimeoutError),
    (UnexpectedResponseError, ApiError),
    (UnexpectedResponseError, ValueError),
    (StorageNotAllowedError, ApiError),
    (ConnectionFailedError, TimeoutError),
    (RequestTimeoutError, ConnectionError),
    (JobTimeoutError, RequestTimeoutError),
    (DownloadError, ApiError),
    (DownloadError, OSError),
    (JournalError, OSError),
]

INFO = ResponseInfo(status=503, worker="w1", bandwidth=5, headers={"retry-after": "5"})
HISTORY = (
    Attempt(request="POST /v2/html/pdf", number=1, status=503, elapsed=0.5, retry_in=5.0),
    Attempt(request="POST /v2/html/pdf", number=2, error="ConnectionResetError", sent=False),
)
JOB = Job(
    id="7Kq2",
    status=JobStatus("archived"),
    raw_status="archived",
    timestamp=datetime(2026, 1, 1, tzinfo=UTC),
    error="Navigation timeout",
    asset_url="https://assets.example/x.pdf?sig=hunter2",
    api_key_used="cl-hunter2",
    params={"html": "hunter2"},
    extra={"new": [1]},
)
CALL: dict[str, Any] = {"request": "POST /v2/html/pdf", "history": HISTORY}
API: dict[str, Any] = {
    **CALL,
    "status": 503,
    "body": "b",
    "info": INFO,
    "retry_after": 5.0,
    "maybe_billed": True,
    "job_id": "j",
}

FULL: dict[Any, CloudlayerError] = {
    CloudlayerError: CloudlayerError("words", maybe_billed=True, job_id="j"),
    ConfigError: ConfigError("words", maybe_billed=True, job_id="j"),
    ValidationError: ValidationError("words", field="html"),
    ConnectionFailedError: ConnectionFailedError("words", **CALL, maybe_billed=True, job_id="j"),
    RequestTimeoutError: RequestTimeoutError("words", **CALL, maybe_billed=True, job_id="j"),
    AmbiguousSubmissionError: AmbiguousSubmissionError("words", **CALL, status=502, info=INFO, name="march"),
    **{cls: cls("words", **API) for cls in TREE if issubclass(cls, ApiError)},
    UnexpectedResponseError: UnexpectedResponseError(
        "words", **CALL, path="$.id", status=202, body="b", info=INFO, maybe_billed=True, job_id="j"
    ),
    JobFailedError: JobFailedError(JOB),
    JobTimeoutError: JobTimeoutError("7Kq2", JOB, waited=5.0),
    DownloadError: DownloadError("words", job_id="j", maybe_billed=False),
    AssetExpiredError: AssetExpiredError("words", job_id="j"),
    StorageNotAllowedError: StorageNotAllowedError("words", status=200),
    BatchStoppedError: BatchStoppedError("words", report={"settled": 5}, maybe_billed=True),
    JournalError: JournalError("words", maybe_billed=True, job_id="j"),
}


def test_the_tree_is_the_designs() -> None:
    public = {
        value
        for name in cloudlayer_async.__all__
        if isinstance(value := getattr(cloudlayer_async, name), type) and issubclass(value, BaseException)
    }
    assert public == set(TREE) == set(FULL)
    for cls, bases in TREE.items():
        assert issubclass(cls, bases)
        for base in bases:
            assert issubclass(cls, base)
        # Nothing of ours above it but what the design says.
        ours = {ancestor for ancestor in cls.__mro__ if ancestor in TREE and ancestor is not cls}
        assert ours == {ancestor for base in bases for ancestor in base.__mro__ if ancestor in TREE}
    for one, other in APART:
        assert not issubclass(one, other)
        assert not issubclass(other, one)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("cls", TREE)
def test_every_error_pickles_whole(cls: Any, protocol: int) -> None:
    error = FULL[cls]
    _assert_same(pickle.loads(pickle.dumps(error, protocol)), error)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("cls", TREE)
def test_every_error_copies_whole(cls: Any, duplicate: Any) -> None:
    _assert_same(duplicate(FULL[cls]), FULL[cls])


def _assert_same(again: Any, error: CloudlayerError) -> None:
    assert type(again) is type(error)
    assert again is not error
    assert vars(again) == vars(error)
    assert again.args == error.args
    assert str(again) == str(error)
    assert repr(again) == repr(error)
    assert vars(error).keys() >= {"maybe_billed", "job_id"}
    assert (again.maybe_billed, again.job_id) == (error.maybe_billed, error.job_id)


def test_full_means_full() -> None:
    for cls, error in FULL.items():
        unset = {name for name, value in vars(error).items() if value in (None, "", (), False)}
        assert unset <= {"maybe_billed", "job_id"}, cls
        assert unset == set() or cls in (
            *(ValidationError, AmbiguousSubmissionError, DownloadError, StorageNotAllowedError, BatchStoppedError),
        )


def test_notes_survive() -> None:
    error = ConnectionFailedError("words", **CALL)
    error.add_note("seen by the batch")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["seen by the batch"]


def test_a_subclass_of_a_users_own_pickles() -> None:
    assert vars(pickle.loads(pickle.dumps(OwnError("words", **API)))) == vars(OwnError("words", **API))


class OwnError(RateLimitError):
    """At module level, where pickle finds it."""


@pytest.mark.parametrize(
    ("error", "billed", "job_id"),
    [
        (CloudlayerError("x"), False, None),
        (ConfigError("x"), False, None),
        (ValidationError("x", field="html"), False, None),
        (ConnectionFailedError("x"), False, None),
        (RequestTimeoutError("x"), False, None),
        (AmbiguousSubmissionError("x"), True, None),
        (BadRequestError("x", status=400), False, None),
        (UnexpectedResponseError("x"), False, None),
        (JobFailedError(JOB), True, "7Kq2"),
        (JobFailedError(Job(id="", status=JobStatus.ERROR)), True, None),
        (JobTimeoutError("7Kq2"), True, "7Kq2"),
        (DownloadError("x", job_id="7Kq2"), True, "7Kq2"),
        (AssetExpiredError("x"), True, None),
        (StorageNotAllowedError("x"), False, None),
        (BatchStoppedError("x", report=None), False, None),
        (JournalError("x"), False, None),
    ],
)
def test_every_error_answers_the_two_questions(error: CloudlayerError, billed: bool, job_id: str | None) -> None:
    assert (error.maybe_billed, error.job_id) == (billed, job_id)


def test_every_error_has_an_answer_on_its_class_too() -> None:
    assert (CloudlayerError.maybe_billed, CloudlayerError.job_id) == (False, None)
    assert all(inspect.getdoc(cls) for cls in TREE)


def test_no_secret_is_in_what_an_error_shows() -> None:
    for error in FULL.values():
        assert "hunter2" not in str(error)
        assert "hunter2" not in repr(error)
        assert "hunter2" not in repr(vars(error))


def test_what_messages_say() -> None:
    assert str(FULL[RateLimitError]) == "HTTP 503: words (POST /v2/html/pdf) after 2 attempts"
    assert str(FULL[ConnectionFailedError]) == "words (POST /v2/html/pdf) after 2 attempts"
    assert str(BadRequestError("words", status=400)) == "HTTP 400: words"
    assert str(FULL[JobFailedError]) == "job '7Kq2' failed: Navigation timeout"
    assert "attach(job_id)" in str(FULL[JobTimeoutError])
    assert "still archived after 5.0 s" in str(FULL[JobTimeoutError])
    assert "never seen" in str(JobTimeoutError("7Kq2"))


def test_a_jobs_own_words_are_kept_short() -> None:
    job = Job(id="x" * 1000, status=JobStatus.ERROR, error="\x1b[31m\r\n" + "x" * 10_000_000)
    error = JobFailedError(job)
    assert len(str(error)) < 700
    assert str(error).isprintable()
    assert error.job.error == job.error
    assert "gave no reason" in str(JobFailedError(Job(id="x", status=JobStatus.ERROR, error=" \n")))
