"""The URLs of the asset origin: signed, and good for a limited time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from urllib.parse import quote, urlencode

from .records import Asset, StoredFile


class Links:
    """Makes and checks asset URLs. Each call for a URL gives a fresh one."""

    def __init__(self, *, ttl: float | None, public: bool) -> None:
        self._secret = secrets.token_bytes(32)
        self._ttl = ttl
        self._public = public
        self.origin = ""
        """Known once the asset server listens."""

    def asset(self, asset: Asset) -> str | None:
        """Return where the product can be had now."""
        return asset.external_url or self._url(asset.id, asset.file)

    def preview(self, asset: Asset) -> str | None:
        """Return where the preview can be had now, if there is one."""
        return asset.external_preview_url or self._url(asset.id, asset.preview)

    def allows(self, path: str, expiry: str, signature: str) -> bool:
        """Tell whether the query of a request for a path (decoded) is one that was made here and still holds."""
        if self._public:
            return True
        if not hmac.compare_digest(self._sign(path, expiry).encode(), signature.encode("utf-8", "replace")):
            return False
        return not expiry or int(expiry) > time.time_ns()

    def _url(self, asset_id: str, file: StoredFile | None) -> str | None:
        if file is None:
            return None
        path = f"/{asset_id}/{file.name}"
        url = self.origin + quote(path)
        if self._public:
            return url
        expiry = "" if self._ttl is None else str(time.time_ns() + int(self._ttl * 1e9))
        query = {"sig": self._sign(path, expiry), **({"exp": expiry} if expiry else {})}
        return f"{url}?{urlencode(query)}"

    def _sign(self, path: str, expiry: str) -> str:
        return hmac.new(self._secret, f"{path}\n{expiry}".encode(), hashlib.sha256).hexdigest()[:32]
