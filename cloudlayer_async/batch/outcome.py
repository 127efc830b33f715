"""What became of one request of a batch."""

from __future__ import annotations

from pathlib import Path

import attrs

from ..conversion import Document
from ..errors import CloudlayerError
from ..models import Job
from ..requests import ConversionRequest


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one request: a document, or an error. Everything that is known of its job is here too."""

    index: int
    """The request's place in `requests`, from 0."""
    request: ConversionRequest
    """The request itself, as it was given."""
    key: str | None = None
    """The caller's key, when one was given with the request."""
    job: Job | None = None
    """Its job as last seen; None when none is known of. One resumed from a journal holds what the journal keeps."""
    document: Document | None = None
    """Its product; None when there is an error. With `save_to` the bytes are on disk, and read only when asked for."""
    path: Path | None = None
    """Where the product was saved, with `save_to`."""
    error: CloudlayerError | None = attrs.field(default=None, eq=False)
    """Why there is no document. `error.maybe_billed` and `error.job_id` say what it may have cost and what to resume."""

    @property
    def ok(self) -> bool:
        """Whether there is a document."""
        return self.error is None
