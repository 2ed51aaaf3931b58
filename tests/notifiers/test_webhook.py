"""The webhook against a real web server: signed, and patient with whatever answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from kiosk.domain.errors import NoticeRefusedError, NotifierError
from kiosk.domain.notices import Notice
from kiosk.notifiers.webhook import WebhookNotifier, key_of, sign

if TYPE_CHECKING:
    from tests.far_side import Certificates, Endpoint

KEY = bytes(range(32))
NOTICE = Notice("n1", "door.forced_open", "main", datetime(2026, 3, 1, 7, 30, tzinfo=UTC), urgent=True, reason="x")


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[Callable[..., WebhookNotifier]]:
    made: list[WebhookNotifier] = []

    def make(url: str, **keys: object) -> WebhookNotifier:
        secret = tmp_path / "secret"
        secret.write_text("whsec_" + base64.b64encode(KEY).decode() + "\n")
        secret.chmod(0o600)
        options = {"url": url, "secret_file": secret, "timeout": 5, **keys}
        made.append(WebhookNotifier(WebhookNotifier.Options.model_validate(options)))
        made[-1].check()
        return made[-1]

    yield make
    for notifier in made:
        notifier.close()


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Path("x"))
    signed = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_arrives_can_be_verified(webhook: Callable[..., WebhookNotifier], endpoint: Endpoint) -> None:
    before = int(time.time())
    webhook(endpoint.url).notify(NOTICE)
    (request,) = endpoint.requests
    assert request.path == "/door"
    timestamp = request.headers["webhook-timestamp"]
    assert before <= int(timestamp) <= time.time()
    message = f"{request.headers['webhook-id']}.{timestamp}.".encode() + request.body
    good = base64.b64encode(hmac.new(KEY, message, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{good}"
    assert json.loads(request.body) == {
        "id": "n1",
        "kind": "door.forced_open",
        "door": "main",
        "wall_at": "2026-03-01T07:30:00Z",
        "urgent": True,
        "grant_id": None,
        "subject_id": None,
        "name": None,
        "reason": "x",
        "count": 0,
    }


@pytest.mark.parametrize("status", [301, 302, 307, 401, 404, 408, 429, 500, 503])
def test_an_answer_that_may_pass_is_tried_again(
    webhook: Callable[..., WebhookNotifier], endpoint: Endpoint, status: int
) -> None:
    endpoint.status = status
    notifier = webhook(endpoint.url)
    with pytest.raises(NotifierError, match=str(status)) as failed:
        notifier.notify(NOTICE)
    assert not isinstance(failed.value, NoticeRefusedError)
    endpoint.status = 200
    notifier.notify(NOTICE)
    assert endpoint.ids == ["n1", "n1"], "each try once, and no redirect followed"


@pytest.mark.parametrize("status", [400, 410, 413, 415, 422])
def test_an_answer_that_refuses_the_notice_is_reported_as_such(
    webhook: Callable[..., WebhookNotifier], endpoint: Endpoint, status: int
) -> None:
    endpoint.status = status
    with pytest.raises(NoticeRefusedError, match=str(status)):
        webhook(endpoint.url).notify(NOTICE)


def test_a_webhook_answer_that_is_garbage_is_an_error(
    webhook: Callable[..., WebhookNotifier], endpoint: Endpoint
) -> None:
    endpoint.garbage = True
    with pytest.raises(NotifierError, match="no answer"):
        webhook(endpoint.url).notify(NOTICE)


def test_an_endpoint_that_does_not_answer_is_an_error(
    webhook: Callable[..., WebhookNotifier], endpoint: Endpoint
) -> None:
    endpoint.slow.clear()
    with pytest.raises(NotifierError, match="timed out"):
        webhook(endpoint.url, timeout=0.2).notify(NOTICE)


def test_a_webhook_checks_the_servers_certificate(
    webhook: Callable[..., WebhookNotifier], secure_endpoint: Endpoint, certificates: Certificates
) -> None:
    webhook(secure_endpoint.url, ca_file=certificates.certificate).notify(NOTICE)
    assert secure_endpoint.ids == ["n1"]
    with pytest.raises(NotifierError, match="not trusted"):
        webhook(secure_endpoint.url).notify(NOTICE)
    assert secure_endpoint.ids == ["n1"]


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "ftp://example.org/", "example.org", "https:///x", "https://user:password@example.org/"],
)
def test_unsafe_webhook_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        WebhookNotifier.Options.model_validate({"url": url, "secret_file": "s"})


@pytest.mark.parametrize(
    "secret", ["", "password", "whsec_", "whsec_???", "whsec_" + base64.b64encode(b"short").decode()]
)
def test_wrong_webhook_secrets_are_refused(
    webhook: Callable[..., WebhookNotifier], tmp_path: Path, secret: str
) -> None:
    path = tmp_path / "other"
    path.write_text(secret)
    path.chmod(0o600)
    with pytest.raises(NotifierError, match="secret") as failed:
        webhook("https://example.org/", secret_file=path)
    assert "short" not in str(failed.value)
