"""The bearer token of a POST tells which registry sends it."""

from collections.abc import Iterable
from dataclasses import dataclass

from tagtrail.access import find_bearer


@dataclass(frozen=True, slots=True)
class Sender:
    """A registry by its name in our configuration; `authenticates` if it verifies who its users are."""

    registry: str
    authenticates: bool


class IngestTokens:
    """The senders by the SHA-256 of their tokens."""

    def __init__(self, senders: Iterable[tuple[bytes, Sender]]) -> None:
        self._senders = tuple(senders)

    def find_sender(self, authorization: str | None) -> Sender | None:
        """The sender whose token the Authorization header carries."""
        return find_bearer(authorization, self._senders)
