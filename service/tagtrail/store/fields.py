"""The field types that the structs of several subjects share, and how all of these structs are written as JSON.

A struct that a list returns is what the API encodes, what the command line prints and what a page shows. A field's
description is the one in the OpenAPI document.
"""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tagtrail.trail.instant import Instant, ServiceInstant

Seq = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]
Duration = Annotated[
    Annotated[float, Meta(ge=0)] | None, Meta(description="In seconds, from the start until `until`; null until then.")
]
Host = Annotated[
    str | None,
    Meta(
        description="The registry's configured host, or the one its client used in this line; null if neither is known."
    ),
]
ImageReference = Annotated[
    str, Meta(description="`host/repository:tag@digest`, as far as these are known. For display and for copying.")
]
ActorName = Annotated[
    str | None,
    Meta(description="Who did it, by the name that the registry reported; null if there was none, or it was erased."),
]
RegistryTime = Annotated[Instant, Meta(description="By the registry's clock.")]
RecordedTime = Annotated[ServiceInstant, Meta(description="When it was recorded, by this service's clock.")]
IsRelease = Annotated[bool, Meta(description="Whether the tag was a release tag by the rules then in force.")]
IsViolation = Annotated[bool, Meta(description="Whether a release tag moved or was deleted.")]


def _encode_instant(value: Any) -> str:
    if isinstance(value, Instant):
        return value.text
    raise NotImplementedError(f"there is no JSON for a {type(value).__name__}")


def _describe_instant(kind: type) -> dict[str, str]:
    if issubclass(kind, Instant):
        return {"type": "string", "format": "date-time"}
    raise NotImplementedError(f"there is no JSON Schema for a {kind.__name__}")


encode_json = msgspec.json.Encoder(enc_hook=_encode_instant).encode


def describe_structs(structs: Iterable[type[msgspec.Struct]], *, ref_template: str) -> dict[str, Any]:
    """The JSON Schemas of the structs, and of those that they refer to, by name."""
    return dict(msgspec.json.schema_components(structs, schema_hook=_describe_instant, ref_template=ref_template)[1])
