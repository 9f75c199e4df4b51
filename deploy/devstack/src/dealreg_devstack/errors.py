"""What can go wrong with the devstack, told apart because callers answer differently.

A part that this platform lacks may be left out with a word; a part that is there and does not
work must never be.
"""


class DevstackUnavailable(Exception):
    """This machine lacks a part: no wheel, no Java, no download. One line says which."""


class DevstackFailed(Exception):
    """A part is there and did not do its work: it would not start, stop or answer."""
