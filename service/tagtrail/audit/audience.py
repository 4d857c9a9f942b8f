"""Whom an answer is for: what of it they may see, and the line which tells that they saw it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from flask import Request

from tagtrail.access import Scope
from tagtrail.audit.access import Caller
from tagtrail.audit.identities import conceal
from tagtrail.ledger.readings import Reading, Readings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Audience:
    """A caller, before whom every row and every document passes on its way out."""

    caller: Caller
    readings: Readings

    def see(self, shown: T) -> T:
        """What they get to see of it: without the scope `identity` nothing that tells of people."""
        return shown if self.caller.sees_identities else conceal(shown)

    def record(self, request: Request, shown_as: str) -> None:
        """Record that they are about to be shown who did it; of an open service nobody is known, and nothing recorded.

        Raises StorageUnavailable: then they must not be shown it.
        """
        caller = self.caller
        if not caller.sees_identities or caller.kind == "anybody":
            return
        query = request.query_string.decode("utf-8", "replace")
        reading = Reading(shown_as, request.path, query, caller.token, caller.user)
        self.readings.record(reading, address=caller.address, user_agent=caller.user_agent)


Admit = Callable[[Scope], Audience]  # whoever asks, if they have the scope; raises as `Access.require`
