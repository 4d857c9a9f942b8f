"""Whom an answer is for: what of it they may see, and the line which tells that they saw it."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final, TypeVar

import msgspec
from flask import Request

from tagtrail.access.callers import Caller
from tagtrail.access.disclosures import Reading, Readings
from tagtrail.access.scopes import Scope
from tagtrail.line import Entry

# What tells of people, and the one place where it is taken out of whatever is shown without the scope `identity`.


T = TypeVar("T")

# Of documents, of the store's answers and of columns alike. A note is a pipeline's free text, out of its event; the
# detail of an attempt is a chat server's, which may repeat the message; by the hash of what was quarantined, which has
# no salt, a guess at a name in it could be tried.
IDENTITIES: Final = frozenset({"actor", "who", "address", "user_agent", "note", "raw", "detail", "sha256"})


def conceal(shown: T) -> T:
    """The same without anything that tells of people: those fields are null, however deep they lie."""
    return _conceal(shown)  # type: ignore[no-any-return]


def _conceal(value: Any) -> Any:
    if isinstance(value, Entry):  # a line names nobody: its `who` and `raw` are salted commitments
        return value
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
