"""Redacts an answer for its caller and records that identities were shown."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final, TypeVar

import msgspec
from flask import Request

from tagtrail.access.callers import Caller
from tagtrail.access.disclosures import Reading, Readings
from tagtrail.access.scopes import Scope

# The fields about people, and the one place that removes them for callers without the scope `identity`.


T = TypeVar("T")

# Field names in documents, in the store's rows and in columns. A note is a pipeline's free text. The detail of an
# attempt is a chat server's text, which may repeat the message. The hash of a quarantined body has no salt, so it
# allows guesses at a name in the body to be tested.
IDENTITIES: Final = frozenset({"actor", "who", "address", "user_agent", "note", "raw", "detail", "sha256"})


def conceal(shown: T) -> T:
    """The same value with null in every field about people, at any depth."""
    return _conceal(shown)  # type: ignore[no-any-return]


def _conceal(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **_concealed(value, value.__struct_fields__))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **_concealed(value, [field.name for field in fields(value)]))
    if isinstance(value, list | tuple):
        return type(value)(_conceal(part) for part in value)
    if isinstance(value, dict):
        return {name: None if name in IDENTITIES else _conceal(part) for name, part in value.items()}
    return value


def _concealed(value: Any, names: Any) -> dict[str, Any]:
    return {name: None if name in IDENTITIES else _conceal(getattr(value, name)) for name in names}


@dataclass(frozen=True, slots=True)
class Audience:
    """Redacts every row and document for one caller."""

    caller: Caller
    readings: Readings

    def see(self, shown: T) -> T:
        """The value as the caller may see it: without the scope `identity`, nothing about people."""
        return shown if self.caller.sees_identities else conceal(shown)

    def record(self, request: Request, shown_as: str) -> None:
        """Record that the caller is about to see identities, unless the caller is unknown (open access).

        Raises StorageUnavailable: then the answer must not be sent.
        """
        caller = self.caller
        if not caller.sees_identities or caller.kind == "anybody":
            return
        query = request.query_string.decode("utf-8", "replace")
        reading = Reading(shown_as, request.path, query, caller.token, caller.user)
        self.readings.record(reading, address=caller.address, user_agent=caller.user_agent)


Admit = Callable[[Scope], Audience]  # the caller, if it has the scope; raises as `Access.require` does
