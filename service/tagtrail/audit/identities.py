"""What tells of people, and the one place where it is taken out of whatever is shown without the scope `identity`.

It goes by the names of fields, so that a new list conceals them without having been told to.
"""

from dataclasses import fields, is_dataclass, replace
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

# Of documents, of the store's answers and of columns alike. A note is a pipeline's free text, out of its event; the
# detail of an attempt is a chat server's, which may repeat the message; by the hash of what was quarantined, which has
# no salt, a guess at a name in it could be tried.
IDENTITIES: Final = frozenset({"actor", "who", "address", "user_agent", "note", "raw", "detail", "sha256"})


def conceal(shown: T) -> T:
    """The same without anything that tells of people: those fields are null, however deep they lie."""
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
