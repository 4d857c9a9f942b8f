"""The few ways tagtrail fails on purpose; `app.py` and `cli/` translate each of them once."""


class TagtrailError(Exception):
    """A failure whose message is one sentence for the person who asked."""


class ConfigurationError(TagtrailError):
    """The configuration cannot be used: the sentence names the key, the value and the cure."""


class StorageUnavailable(TagtrailError):
    """Nothing was stored; the same request may succeed later (HTTP 503)."""


class BadParameter(TagtrailError):
    """A question was asked with a parameter that cannot be understood (HTTP 400)."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class NotRecorded(TagtrailError):
    """The trail knows nothing of what was asked for (HTTP 404)."""


class Refused(TagtrailError):
    """The request was understood and contradicts what the trail knows (HTTP 422)."""


class NotDelivered(TagtrailError):
    """A channel did not take a message that somebody sent by hand."""


class Contradicted(TagtrailError):
    """The ledger is not what was signed of it; nothing more is signed until a person decides (docs/operating.md)."""
