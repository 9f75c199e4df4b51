"""Settings that cannot work stop the start with a sentence."""

import pytest

from dealreg_notifier.channels.registry import channels
from dealreg_notifier.settings import NotifierSettings
from dealreg_shared.config import ConfigurationError, load
from dealreg_shared.outbound import OutboundClient

POSTED = ["slack", "teams", "webhook"]


def test_without_a_mail_server_there_is_no_mail() -> None:
    assert sorted(channels(load(NotifierSettings), OutboundClient())) == POSTED


def test_a_mail_server_and_a_sender_are_a_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEALREG_NOTIFIER_SMTP_HOST", "localhost")
    monkeypatch.setenv("DEALREG_NOTIFIER_SMTP_FROM", "Desk <desk@example.org>")
    monkeypatch.setenv("DEALREG_NOTIFIER_SMTP_USER", "desk")
    monkeypatch.setenv("DEALREG_NOTIFIER_SMTP_PASSWORD", "hush")
    settings = load(NotifierSettings)
    assert sorted(channels(settings, OutboundClient())) == sorted(["email", *POSTED])
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"host": "localhost"}, "DEALREG_NOTIFIER_SMTP_FROM must be an address"),
        ({"host": "localhost", "from": "nobody"}, "must be an address"),
        ({"from": "a@example.org"}, "no mail server is named"),
        ({"host": "h", "from": "a@example.org", "user": "u"}, "go together"),
        ({"host": "h", "from": "a@example.org", "port": "0"}, "DEALREG_NOTIFIER_SMTP_PORT"),
    ],
)
def test_what_cannot_work_is_said(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], sentence: str
) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"DEALREG_NOTIFIER_SMTP_{name.upper()}", value)
    with pytest.raises(ConfigurationError, match=sentence):
        load(NotifierSettings)
