"""The channels of an installation: each builder is asked; one that is not set up answers None."""

from collections.abc import Callable, Mapping, Sequence

from dealreg_notifier.channels import email, slack, teams, webhook
from dealreg_notifier.channels.port import Channel
from dealreg_notifier.settings import NotifierSettings
from dealreg_shared.outbound import OutboundClient

BUILDERS: Sequence[Callable[[NotifierSettings, OutboundClient], Channel | None]] = (
    email.from_settings,
    webhook.from_settings,
    slack.from_settings,
    teams.from_settings,
)


def channels(settings: NotifierSettings, outbound: OutboundClient) -> Mapping[str, Channel]:
    """Channel by name. Without a mail server the inbox and people's own endpoints tell them."""
    built = [channel for build in BUILDERS if (channel := build(settings, outbound)) is not None]
    return {channel.name: channel for channel in built}
