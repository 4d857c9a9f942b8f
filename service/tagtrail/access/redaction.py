"""Redact answers for their caller, and record answers that show identities."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final, TypeVar

import msgspec

from tagtrail.access.callers import Caller, HttpRequest
from tagtrail.access.disclosures import Disclosure, DisclosureLog
from tagtrail.access.scopes import Scope
from tagtrail.line import Entry

T = TypeVar("T")

# Fields of structs, CSV columns and bundles that identify people. `note` is a pipeline's free text. `detail` is a chat
# server's answer, which may repeat the message. `sha256` is the unsalted hash of quarantined content: it would confirm
# a guess at a name in that content.
IDENTITY_FIELDS: Final = frozenset({"actor", "who", "address", "user_agent", "note", "raw", "detail", "sha256"})


def redact(shown: T) -> T:
    """A copy in which every identity field is null, at any depth of structs, dataclasses, sequences and dicts."""
    return _redact(shown)  # type: ignore[no-any-return]


def _redact(value: Any) -> Any:
    if isinstance(value, Entry):  # a line names no person: its `who` and `raw` are salted commitments
        return value
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **_redacted(value, value.__struct_fields__))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **_redacted(value, [field.name for field in fields(value)]))
    if isinstance(value, list | tuple):
        return type(value)(_redact(part) for part in value)
    if isinstance(value, dict):
        return {name: None if name in IDENTITY_FIELDS else _redact(part) for name, part in value.items()}
    return value


def _redacted(value: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: None if name in IDENTITY_FIELDS else _redact(getattr(value, name)) for name in names}


@dataclass(frozen=True, slots=True)
class Redaction:
    """Redacts an answer for its caller and records that identities were shown."""

    caller: Caller
    disclosures: DisclosureLog

    def apply(self, shown: T) -> T:
        """The answer as the caller may see it: redacted unless the caller has the scope `identity`."""
        return shown if self.caller.sees_identities else redact(shown)

    def record(self, request: HttpRequest, shown_as: str) -> None:
        """Record that the answer will show identities in the format `shown_as`; call it before sending the answer.

        An open service does not know its callers and records nothing. Raises StorageUnavailable; then the answer must
        not be sent.
        """
        caller = self.caller
        if not caller.sees_identities or caller.kind == "anonymous":
            return
        query = request.query_string.decode("utf-8", "replace")
        shown = Disclosure(shown_as, request.path, query, caller.token, caller.user)
        self.disclosures.record(shown, address=caller.address, user_agent=caller.user_agent)


Admit = Callable[[Scope], Redaction]  # authenticates the caller for a scope; raises as `Authenticator.require` does
