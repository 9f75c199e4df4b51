"""The headers that our messages carry beside their value.

The value of an event repeats them; a tombstone has no value, so its version stands here alone.
"""

KEY_VERSION = "keyversion"
CONTENT_TYPE = "content-type"
CLOUDEVENTS_JSON = "application/cloudevents+json; charset=UTF-8"


def event_headers(version: int) -> tuple[tuple[str, str], ...]:
    """Headers of an event in the CloudEvents structured mode."""
    return ((CONTENT_TYPE, CLOUDEVENTS_JSON), (KEY_VERSION, str(version)))


def tombstone_headers(version: int) -> tuple[tuple[str, str], ...]:
    """Headers of a message without a value."""
    return ((KEY_VERSION, str(version)),)


def key_version(headers: tuple[tuple[str, str], ...]) -> int | None:
    """The version that the headers name; None without one that can be read."""
    for name, value in headers:
        if name == KEY_VERSION and value.isascii() and value.isdigit() and int(value) > 0:
            return int(value)
    return None
