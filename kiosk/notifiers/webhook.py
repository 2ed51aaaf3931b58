"""Sends notices to an HTTPS endpoint, one POST each, signed by Standard Webhooks (https://www.standardwebhooks.com).

    webhook-id          the notice's id: the same when it is sent again, so that the receiver recognises a repetition
    webhook-timestamp   time of this sending, seconds since 1970: a receiver refuses old ones
    webhook-signature   "v1," and base64 of HMAC-SHA256 over "id.timestamp.body" under the shared secret

The body is the notice as JSON. Ready receivers exist in many languages.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from kiosk.domain.errors import NoticeRefusedError, NotifierError
from kiosk.domain.notices import Notice
from kiosk.notifiers.secrets import read_secret, untrusted

if TYPE_CHECKING:
    import urllib3

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
NEVER = frozenset({400, 410, 413, 415, 422})
"""Status codes that refuse the notice itself, so a next try would fail too. Any other failure may be temporary."""
MIN_KEY = 24
"""Shortest key in bytes, from the standard."""

_NOTICE: TypeAdapter[Notice] = TypeAdapter(Notice)


class WebhookNotifier:
    """POSTs each notice. Any status from 200 to 299 confirms it. Redirects are not followed."""

    remote = True

    class Options(BaseModel):
        """[notifiers.NAME] with kind = "webhook"."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        url: str
        """An https address; http only to this machine itself."""
        secret_file: Path
        """File with the shared secret: "whsec_" and base64 of 24 bytes or more."""
        ca_file: Path | None = None
        """Certificates to trust instead of the system's."""
        timeout: Annotated[float, Field(gt=0, le=60)] = 10.0
        """Seconds to wait for a connection, and then for an answer."""

        @model_validator(mode="after")
        def _safe(self) -> Self:
            parts = urlsplit(self.url)
            if parts.scheme not in {"https", "http"} or not parts.hostname:
                raise ValueError("url is not like https://host/path")
            if parts.scheme == "http" and parts.hostname not in LOOPBACK:
                raise ValueError("url must begin with https:// unless it is on this machine")
            if parts.username is not None:
                raise ValueError("url must not hold a password: the signature says who is calling")
            return self

    def __init__(self, options: Options) -> None:
        self._options = options
        self._key = b""
        self._pool: urllib3.PoolManager | None = None

    def check(self) -> None:
        """Raises NotifierError when the library, the secret or the certificates are missing."""
        try:
            import urllib3  # noqa: PLC0415 - lazy import: only this notifier needs it
        except ImportError as error:
            raise NotifierError("the webhook notifier needs the package urllib3: pip install urllib3") from error
        options = self._options
        self._key = key_of(read_secret(options.secret_file), options.secret_file)
        if options.ca_file is not None and not options.ca_file.is_file():
            raise NotifierError(f"{options.ca_file}: there is no such file with certificates")
        self._pool = urllib3.PoolManager(
            ca_certs=None if options.ca_file is None else str(options.ca_file),
            cert_reqs="CERT_REQUIRED",
            timeout=urllib3.Timeout(connect=options.timeout, read=options.timeout),
            retries=False,  # kiosk-notify itself tries again, from its outbox
        )

    def notify(self, notice: Notice) -> None:
        """Raises NotifierError, NoticeRefusedError."""
        import urllib3  # noqa: PLC0415

        # Only a checkpoint's own notice has that key: receivers of before know the others.
        without = None if notice.checkpoint else {"checkpoint"}
        url, body = self._options.url, _NOTICE.dump_json(notice, exclude=without)
        if self._pool is None:
            raise NotifierError("the webhook notifier was not checked, or is closed")
        try:
            # The answer's body is not read: it could be endless, and only the status matters.
            answer = self._pool.request(
                "POST", url, body=body, headers=self._headers(notice.id, body), preload_content=False
            )
            answer.close()
        except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
            raise NotifierError(f"{url}: {untrusted(error) or f'no answer: {error}'}") from error
        if answer.status in NEVER:
            raise NoticeRefusedError(f"{url}: answered {answer.status}")
        if not 200 <= answer.status < 300:
            raise NotifierError(f"{url}: answered {answer.status}")

    def close(self) -> None:
        """Never raises."""
        if self._pool is not None:
            self._pool.clear()
        self._pool = None

    def _headers(self, notice_id: str, body: bytes) -> dict[str, str]:
        timestamp = int(time.time())
        return {
            "content-type": "application/json",
            "user-agent": "face-kiosk",
            "webhook-id": notice_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._key, notice_id, timestamp, body),
        }


def key_of(secret: str, source: Path) -> bytes:
    """The key's bytes from the text "whsec_...". Raises NotifierError for any other text; the error does not show
    it."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if len(key) < MIN_KEY or not secret.startswith("whsec_"):
        raise NotifierError(
            f"{source}: not a webhook secret (whsec_ and base64 of {MIN_KEY} bytes or more): "
            "make one with: echo whsec_$(openssl rand -base64 32)"
        )
    return key


def sign(key: bytes, notice_id: str, timestamp: int, body: bytes) -> str:
    """The value of webhook-signature (Standard Webhooks, symmetric signatures)."""
    message = f"{notice_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode("ascii")
