"""Signatures as Standard Webhooks 1.0.0 says, checked with its public vector and its own library."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from dealreg_notifier.channels.port import Contact, Outbound
from dealreg_notifier.channels.webhook import key_of, new_secret, payload, signed

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)


def test_the_standards_own_example() -> None:
    """From the specification and its reference implementations' tests."""
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        at,
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_secrets_are_of_the_standards_length_and_never_alike() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert 24 <= len(key_of(secret)) <= 64
    with pytest.raises(ValueError, match="whsec_"):
        key_of("whsec_?")


def outbound(**changes: Any) -> Outbound:
    values: dict[str, Any] = {
        "delivery_id": "dlv_1",
        "kind": "decision",
        "contact": Contact("", None, None),
        "title": "Protected",
        "text": "",
        "html": "",
        "created_at": NOW,
        "language": "en",
        "notification_id": "ntf_1",
        "recipient": "partner:acme",
        "subject": "reg_1",
        "body": "Your claim is protected.",
        "facts": {"zone": "UTC", "programme_name": "P", "registration_id": "reg_1"},
    }
    return Outbound(**(values | changes))


@given(title=st.text(), body=st.text(), count=st.integers(1, 2))
def test_the_standards_library_takes_what_is_signed(title: str, body: str, count: int) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in title + body):
        return  # no database holds them, so no notice does
    secrets = [new_secret() for _ in range(count)]
    content = payload(outbound(title=title, body=body))
    headers = signed("dlv_1", datetime.now(UTC), content, secrets)
    for secret in secrets:
        taken = Webhook(secret).verify(content, headers)
        assert taken["data"]["title"] == title
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(content, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets[0]).verify(content + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets[0]).verify(content, headers | {"webhook-id": "dlv_2"})


def test_the_body_is_the_notice_and_the_same_at_every_attempt() -> None:
    content = payload(outbound())
    assert content == payload(outbound())
    assert json.loads(content) == {
        "type": "dealreg.notice.decision",
        "timestamp": "2026-11-21T14:00:00.000000Z",
        "data": {
            "id": "ntf_1",
            "kind": "decision",
            "recipient": "partner:acme",
            "subject": "reg_1",
            "title": "Protected",
            "text": "Your claim is protected.",
            "facts": {"registration_id": "reg_1"},
            "created_at": "2026-11-21T14:00:00.000000Z",
        },
    }


def test_the_lines_in_the_documentation_verify() -> None:
    text = (Path(__file__).parents[3] / "docs/channels.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(text.split("```python\n")[1].split("```")[0], names)  # noqa: S102  (our own page)
    verified = names["verified"]
    old, new = new_secret(), new_secret()
    content = payload(outbound())
    headers = signed("dlv_1", datetime.now(UTC), content, [new, old])
    assert verified(old, headers, content)
    assert verified(new, headers, content)
    assert not verified(new_secret(), headers, content)
    assert not verified(new, headers, content + b" ")
    stale = signed("dlv_1", datetime.now(UTC) - timedelta(minutes=6), content, [new])
    assert not verified(new, stale, content)
