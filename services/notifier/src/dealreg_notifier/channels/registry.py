"""The channels of an installation: each builder is asked; one that is not set up answers None."""

from collections.abc import Callable, Mapping, Sequence

from dealreg_notifier.channels import email
from dealreg_notifier.channels.port import Channel
from dealreg_notifier.settings import NotifierSettings

BUILDERS: Sequence[Callable[[NotifierSettings], Channel | None]] = (email.from_settings,)


def channels(settings: NotifierSettings) -> Mapping[str, Channel]:
    """Channel by name. Empty when none is set up: then the inbox alone tells people."""
    built = [channel for build in BUILDERS if (channel := build(settings)) is not None]
    return {channel.name: channel for channel in built}
