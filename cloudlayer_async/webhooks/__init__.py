"""Webhooks: reading what the service posts, proving who sent it, and waking whoever waits."""

from .limits import UnknownJobs
from .parsing import parse_webhook
from .receiver import WebhookReceiver
from .signing import sign_webhook, verify_signature

__all__ = ["UnknownJobs", "WebhookReceiver", "parse_webhook", "sign_webhook", "verify_signature"]
