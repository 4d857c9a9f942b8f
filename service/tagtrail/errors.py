"""The errors that tagtrail raises on purpose; `api`, `web` and `cli` each translate them in one place."""


class TagtrailError(Exception):
    """A failure whose message is one sentence for the caller."""


class ConfigurationError(TagtrailError):
    """The configuration cannot be used: the sentence names the key, the value and the cure."""


class StorageUnavailable(TagtrailError):
    """Nothing was stored; the same request may succeed later (HTTP 503)."""


class BadParameter(TagtrailError):
    """A parameter of the query cannot be understood (HTTP 400)."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class NotRecorded(TagtrailError):
    """The trail has no such thing (HTTP 404)."""


class Refused(TagtrailError):
    """The request is valid but contradicts the trail (HTTP 422)."""


class NotDelivered(TagtrailError):
    """A channel did not accept a message that was sent by hand."""


class Contradicted(TagtrailError):
    """The ledger contradicts its checkpoints; nothing is signed until an operator decides (docs/ledger.md)."""
