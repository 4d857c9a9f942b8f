"""The OpenAPI 3.1 description of the API: openapi.yml with the paths of the lists and the schemas of the structs."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

import msgspec
import yaml

from tagtrail import __version__
from tagtrail.api.listings import LISTINGS, Listing
from tagtrail.api.problems import ProblemDocument
from tagtrail.api.requests import accepted_by
from tagtrail.api.status import StatusDocument
from tagtrail.ledger.annotate import LONGEST as ANNOTATION_LENGTHS
from tagtrail.ledger.annotate import Annotation
from tagtrail.ledger.declare import LONGEST as DECLARATION_LENGTHS
from tagtrail.ledger.declare import Declaration
from tagtrail.store.annotations import AnnotationList, RecordedAnnotation
from tagtrail.store.digests import RecordedDigest
from tagtrail.store.environments import DeclaredDeployment
from tagtrail.store.fields import describe_structs
from tagtrail.store.filters import DEFAULT_LIMIT, KINDS, MOST, STATES
from tagtrail.store.outbox import DeliveryHistory

Schema = dict[str, Any]

_SCHEMA: Final = "#/components/schemas/{name}"
_SUFFIXES: Final = ("json", "csv", "ndjson")
_ANSWERED: Final[tuple[type[msgspec.Struct], ...]] = (
    *(listing.struct for listing in LISTINGS), RecordedDigest, DeclaredDeployment, RecordedAnnotation, AnnotationList,
    DeliveryHistory, StatusDocument, ProblemDocument,
)  # fmt: skip
_FIELDS: Final = {
    "reference": "`[host/]repository[:tag][@digest]`, with a tag, a digest or both.",
    "registry": "Needed only if several registries have the repository.",
    "change": "A ticket or a commit.",
}


def describe_api() -> Schema:
    """The whole description."""
    document: Schema = yaml.safe_load(files("tagtrail.api").joinpath("openapi.yml").read_text())
    document["info"]["version"] = __version__
    components = document["components"]
    parameters = components["parameters"]
    parameters["kind"]["schema"]["enum"] = list(KINDS)
    parameters["state"]["schema"]["enum"] = list(STATES)
    parameters["limit"]["schema"] |= {"maximum": MOST, "default": DEFAULT_LIMIT}
    components["schemas"] |= describe_structs(_ANSWERED, ref_template=_SCHEMA) | _describe_bodies()
    paths = document["paths"]
    for listing in LISTINGS:
        for suffix in (None, *_SUFFIXES):
            path = paths.setdefault(f"/{listing.name}.{suffix}" if suffix else f"/{listing.name}", {})
            path["get"] = _describe_list(listing, suffix, parameters)
    return document


def _describe_bodies() -> Schema:
    """The schemas of the bodies that are posted, with the lengths that are checked."""
    schemas = msgspec.json.schema_components([Declaration, Annotation], ref_template=_SCHEMA)[1]
    declaration = _with_lengths(schemas["Declaration"], DECLARATION_LENGTHS)
    for name, description in _FIELDS.items():
        declaration["properties"][name]["description"] = description
    return {"Declaration": declaration, "Annotation": _with_lengths(schemas["Annotation"], ANNOTATION_LENGTHS)}


def _with_lengths(schema: Schema, longest: Mapping[str, int]) -> Schema:
    lengths = {name: {"type": "string", "minLength": 1, "maxLength": most} for name, most in longest.items()}
    return {**schema, "properties": {**schema["properties"], **lengths}}


def _describe_list(listing: Listing, suffix: str | None, parameters: Schema) -> Schema:
    statuses = ["400", "401", "403", "429", *(["404"] if listing.required else []), *([] if suffix else ["406"]), "503"]
    return {
        "operationId": f"{listing.name}_{suffix}" if suffix else listing.name,
        "summary": listing.summary,
        "parameters": [
            parameters[name] | {"required": True} if name in listing.required else _refer("parameters", name)
            for name in accepted_by(listing)
        ],
        "responses": {
            "200": {
                "description": listing.summary,
                "headers": {name: _refer("headers", name) for name in ("ETag", "Link")},
                "content": _describe_content(listing, suffix),
            },
            "304": {"description": "Not modified since that ETag."},
            **{status: _refer("responses", status) for status in statuses},
        },
    }


def _describe_content(listing: Listing, suffix: str | None) -> Schema:
    page = {
        "type": "object",
        "required": ["items", "next"],
        "additionalProperties": False,
        "properties": {
            "items": {"type": "array", "items": _refer("schemas", listing.struct.__name__)},
            "next": _refer("schemas", "Cursor"),
        },
    }
    content: dict[str, Schema] = {
        "json": {"application/json": {"schema": page}},
        "csv": {"text/csv": {"schema": {"type": "string"}}},
        "ndjson": {"application/x-ndjson": {"schema": {"type": "string"}}},
    }
    return content[suffix] if suffix else content["json"] | content["csv"] | content["ndjson"]


def _refer(kind: str, name: str) -> Schema:
    return {"$ref": f"#/components/{kind}/{name}"}
