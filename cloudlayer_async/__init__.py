"""cloudlayer-async: HTML, addresses, templates and office documents into PDFs and images, through cloudlayer.io.

Start with `AsyncCloudlayer`. Everything public is here; nothing is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .batch import (
        AsyncBatch,
        BatchItem,
        BatchProgress,
        BatchReport,
        Outcome,
        read_manifest,
        show_progress,
        write_manifest,
    )
    from .blocking._batch import Batch
    from .blocking._client import Cloudlayer
    from .blocking._conversion import Conversion
    from .client import AsyncCloudlayer
    from .conversion import AsyncConversion, Document
    from .errors import (
        AmbiguousSubmissionError,
        ApiError,
        AssetExpiredError,
        AuthenticationError,
        BadRequestError,
        BatchStoppedError,
        CloudlayerError,
        ConfigError,
        ConnectionFailedError,
        DownloadError,
        JobFailedError,
        JobTimeoutError,
        JournalError,
        NotFoundError,
        PermissionDeniedError,
        RateLimitError,
        RequestTimeoutError,
        ServerError,
        ServiceUnavailableError,
        StorageNotAllowedError,
        UnexpectedResponseError,
        ValidationError,
    )
    from .models import (
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
    )
    from .options import (
        BasicAuth,
        Cookie,
        HeaderFooter,
        Margin,
        Preview,
        UserStorage,
        Viewport,
        WaitForSelector,
    )
    from .polling import PollSchedule
    from .requests import (
        ConversionRequest,
        DocxToHtml,
        DocxToPdf,
        HtmlToImage,
        HtmlToPdf,
        MergePdfs,
        PdfToDocx,
        TemplateToImage,
        TemplateToPdf,
        UrlToImage,
        UrlToPdf,
    )
    from .retry import RetryPolicy, Timeouts
    from .validation import UNSET
    from .webhooks import UnknownJobs, WebhookReceiver, parse_webhook, sign_webhook, verify_signature
    from .wire import from_dict, to_dict

__all__ = [
    "UNSET",
    "Account",
    "AmbiguousSubmissionError",
    "ApiError",
    "ApiStatus",
    "Asset",
    "AssetExpiredError",
    "AsyncBatch",
    "AsyncCloudlayer",
    "AsyncConversion",
    "Attempt",
    "AuthenticationError",
    "BadRequestError",
    "BasicAuth",
    "Batch",
    "BatchItem",
    "BatchProgress",
    "BatchReport",
    "BatchStoppedError",
    "Cloudlayer",
    "CloudlayerError",
    "ConfigError",
    "ConnectionFailedError",
    "Conversion",
    "ConversionRequest",
    "Cookie",
    "Document",
    "DocxToHtml",
    "DocxToPdf",
    "DownloadError",
    "HeaderFooter",
    "HtmlToImage",
    "HtmlToPdf",
    "Job",
    "JobFailedError",
    "JobStatus",
    "JobTimeoutError",
    "JournalError",
    "Limits",
    "Margin",
    "MergePdfs",
    "NotFoundError",
    "Outcome",
    "PdfToDocx",
    "PermissionDeniedError",
    "PollSchedule",
    "Preview",
    "RateLimitError",
    "RequestTimeoutError",
    "ResponseInfo",
    "RetryPolicy",
    "ServerError",
    "ServiceUnavailableError",
    "StorageConfig",
    "StorageNotAllowedError",
    "Template",
    "TemplateToImage",
    "TemplateToPdf",
    "Timeouts",
    "UnexpectedResponseError",
    "UnknownJobs",
    "UrlToImage",
    "UrlToPdf",
    "UserStorage",
    "ValidationError",
    "Viewport",
    "WaitForSelector",
    "WebhookReceiver",
    "from_dict",
    "parse_webhook",
    "read_manifest",
    "show_progress",
    "sign_webhook",
    "to_dict",
    "verify_signature",
    "write_manifest",
]

if not TYPE_CHECKING:  # checkers must see a misspelt name as an error, which a module __getattr__ would hide
    _ROOMS = {
        "batch": (
            "AsyncBatch",
            "BatchItem",
            "BatchProgress",
            "BatchReport",
            "Outcome",
            "read_manifest",
            "show_progress",
            "write_manifest",
        ),
        "blocking._batch": ("Batch",),
        "blocking._client": ("Cloudlayer",),
        "blocking._conversion": ("Conversion",),
        "client": ("AsyncCloudlayer",),
        "conversion": ("AsyncConversion", "Document"),
        "models": (
            "Account",
            "ApiStatus",
            "Asset",
            "Attempt",
            "Job",
            "JobStatus",
            "Limits",
            "ResponseInfo",
            "StorageConfig",
            "Template",
        ),
        "options": (
            "BasicAuth",
            "Cookie",
            "HeaderFooter",
            "Margin",
            "Preview",
            "UserStorage",
            "Viewport",
            "WaitForSelector",
        ),
        "polling": ("PollSchedule",),
        "requests": (
            "ConversionRequest",
            "DocxToHtml",
            "DocxToPdf",
            "HtmlToImage",
            "HtmlToPdf",
            "MergePdfs",
            "PdfToDocx",
            "TemplateToImage",
            "TemplateToPdf",
            "UrlToImage",
            "UrlToPdf",
        ),
        "retry": ("RetryPolicy", "Timeouts"),
        "validation": ("UNSET",),
        "webhooks": ("UnknownJobs", "WebhookReceiver", "parse_webhook", "sign_webhook", "verify_signature"),
        "wire": ("from_dict", "to_dict"),
    }
    _ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}
    _ROOM_OF |= {name: "errors" for name in __all__ if name.endswith("Error")}

    def __getattr__(name):
        room = _ROOM_OF.get(name)
        if room is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f".{room}", __name__), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})
