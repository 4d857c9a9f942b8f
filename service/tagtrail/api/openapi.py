"""The OpenAPI 3.1 description of the API, made of the same lists, parameters and documents that answer it."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tagtrail import __version__
from tagtrail.api.listings import LISTINGS, Listing
from tagtrail.api.problems import ProblemDocument
from tagtrail.api.requests import accepted_by
from tagtrail.api.status import StatusDocument
from tagtrail.export.query import LONGEST_NOTE, MOST_DRAWN, PARAMETERS
from tagtrail.ledger.annotate import LONGEST as ANNOTATION_LENGTHS
from tagtrail.ledger.annotate import Annotation
from tagtrail.ledger.declare import KEY, LONGEST_KEY, Declaration
from tagtrail.ledger.declare import LONGEST as LONGEST_FIELDS
from tagtrail.store.annotations import AnnotationList, RecordedAnnotation
from tagtrail.store.digests import RecordedDigest
from tagtrail.store.environments import DeclaredDeployment
from tagtrail.store.fields import describe_structs
from tagtrail.store.filters import DEFAULT_LIMIT, KINDS, LONGEST, MOST, STATES
from tagtrail.store.outbox import DeliveryHistory

Schema = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
_TEXT: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": LONGEST}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_TAG: Final[Schema] = {"type": "string", "pattern": "^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$"}
_DIGEST: Final[Schema] = {
    "type": "string",
    "maxLength": 255,
    "pattern": "^([a-z0-9]+([+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]*|[0-9a-f]+)$",
}
_PARAMETERS: Final[dict[str, tuple[Schema, str]]] = {
    "registry": (_TEXT, "A registry, by its configured name."),
    "repository": (
        {**_TEXT, "pattern": "^[a-z0-9._/*?!^\\[\\]-]+$", "examples": ["team/app", "team/**"]},
        "A repository, or a glob: `*` within a path segment, `**` across them, `?`, `[a-z]`.",
    ),
    "tag": (_TAG, "A tag."),
    "digest": ({**_DIGEST, "examples": ["sha256:5208e615"]}, "A digest, or the beginning of one and only one."),
    "actor": (_TEXT, "The person behind it, by the exact name that the registry reported."),
    "kind": ({"type": "string", "enum": list(KINDS)}, "The kind of an entry."),
    "environment": (_TEXT, "An environment."),
    "channel": (_TEXT, "A channel, by its configured name."),
    "state": ({"type": "string", "enum": list(STATES)}, "How a delivery stands."),
    "since": (
        _TIME,
        "From this time on; by this service's clock for entries, quarantine and deliveries, else the registry's.",
    ),
    "until": (_TIME, "Before this time; after `since`."),
    "at": (_TIME, "As it was at this time, by the registry's clock; left out: as it is now."),
    "limit": (
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
        "Rows on a page. CSV and NDJSON are the whole answer without it, and at most so many rows with it.",
    ),
    "identities": (
        {"type": "boolean"},
        "Whether to include data about people; by default, if the caller has the scope `identity`.",
    ),
    "sample": (
        {"type": "integer", "minimum": 1, "maximum": MOST_DRAWN},
        "Only so many of the matching lines, drawn by `seed`, which is required.",
    ),
    "seed": (_TEXT, "What the auditor brings for the draw, so that anybody can redo it."),
    "size": ({"type": "integer", "minimum": 0}, "As of the checkpoint that was signed at so many lines."),
    "since_checkpoint": (
        {"type": "string", "minLength": 1, "maxLength": LONGEST_NOTE},
        "A checkpoint that the auditor kept: prove that the log has only grown since.",
    ),
    "cursor": (_TEXT, "Where the list goes on: the `next` of the page before, with the same other parameters."),
}
_PROBLEMS: Final[dict[str, str]] = {
    "400": "A parameter, named in `parameter`, cannot be understood.",
    "401": "A token is needed, and there was none that is known.",
    "403": "It takes a scope that the caller does not have; or, without tokens, the Host header names another machine.",
    "404": "The trail has no such thing.",
    "405": "There is no such method here.",
    "406": "It is not there in any of the accepted formats.",
    "413": "The body is too large.",
    "415": "The body is not sent as `application/json`.",
    "422": "It contradicts what the trail knows, and `detail` says what that is.",
    "429": "Too many requests from this address had no valid token; try again after `Retry-After` seconds.",
    "503": "The ledger cannot be reached; try again after `Retry-After` seconds.",
}
_DELIVERY_ID: Final[Schema] = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^msg_[0-9a-f-]{36}$"},
    "description": "A delivery, by its id.",
}
_ACCESS: Final = ("401", "403", "429")


def describe_api() -> Schema:
    """The whole description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tagtrail",
            "version": __version__,
            "description": "What every tag of a container registry points at, what it pointed at, who moved it, and"
            " what was published for which environment. Times are RFC 3339 in UTC, durations are in seconds.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}, {}],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "responses": {status: _problem(description) for status, description in _PROBLEMS.items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> Schema:
    paths: Schema = {}
    for listing in LISTINGS:
        paths[f"/{listing.name}"] = {"get": _list_operation(listing)}
        for suffix in ("json", "csv", "ndjson"):
            paths[f"/{listing.name}.{suffix}"] = {"get": _list_operation(listing, suffix)}
    paths["/deployments"]["post"] = _declaring_operation()
    paths["/entries/{seq}/annotations"] = _annotations_path()
    paths["/deliveries/{id}"] = {"get": _delivery_operation()}
    paths["/deliveries/{id}/retry"] = {"post": _retry_operation()}
    paths["/digests/{digest}"] = {"get": _digest_operation()}
    paths["/export"] = {"get": _export_operation()}
    paths["/status"] = {
        "get": {
            "operationId": "status",
            "summary": "How the ledger is doing, in numbers for a monitor.",
            "responses": {"200": _json("The numbers.", {"$ref": _REF.format(name="StatusDocument")})}
            | _problems("400", *_ACCESS, "503"),
        }
    }
    paths["/openapi.json"] = {
        "get": {
            "operationId": "openapi",
            "summary": "This description.",
            "responses": {"200": _json("The description.", {"type": "object"})} | _problems("400", *_ACCESS),
        }
    }
    return paths


def _list_operation(listing: Listing, suffix: str | None = None) -> Schema:
    statuses = ["400", *_ACCESS, *(["404"] if listing.required else []), *([] if suffix else ["406"]), "503"]
    return {
        "operationId": f"{listing.name}_{suffix}" if suffix else listing.name,
        "summary": listing.summary,
        "parameters": [_parameter(name, required=name in listing.required) for name in accepted_by(listing)],
        "responses": {"200": _list_response(listing, suffix), "304": {"description": "As it was at that ETag."}}
        | _problems(*statuses),
    }


def _list_response(listing: Listing, suffix: str | None) -> Schema:
    page = {
        "type": "object",
        "required": ["items", "next"],
        "additionalProperties": False,
        "properties": {
            "items": {"type": "array", "items": {"$ref": _REF.format(name=listing.document.__name__)}},
            "next": {
                "type": ["string", "null"],
                "description": "The cursor of the next page, null at the end. A page may be short, even empty, and go"
                " on all the same: the search for what is rare stops after a bounded number of rows.",
            },
        },
    }
    content: dict[str, Schema] = {
        "json": {"application/json": {"schema": page}},
        "csv": {"text/csv": {"schema": {"type": "string"}}},
        "ndjson": {"application/x-ndjson": {"schema": {"type": "string"}}},
    }
    chosen = content[suffix] if suffix else content["json"] | content["csv"] | content["ndjson"]
    return {"description": listing.summary, "headers": _list_headers(), "content": chosen}


def _list_headers() -> Schema:
    return {
        "ETag": {"schema": {"type": "string"}, "description": "For If-None-Match."},
        "Link": {"schema": {"type": "string"}, "description": 'The next page, `rel="next"`.'},
    }


def _digest_operation() -> Schema:
    path = {
        "name": "digest",
        "in": "path",
        "required": True,
        "schema": _DIGEST,
        "description": _PARAMETERS["digest"][1],
    }
    document = {"$ref": _REF.format(name="RecordedDigest")}
    return {
        "operationId": "digest",
        "summary": "Every tag that named a digest, from when to when, every environment, and its index or platforms.",
        "parameters": [path, *(_parameter(name) for name in ("registry", "repository", "limit"))],
        "responses": {"200": _json("The digest.", document), "304": {"description": "As it was at that ETag."}}
        | _problems("400", *_ACCESS, "404", "503"),
    }


def _export_operation() -> Schema:
    return {
        "operationId": "export",
        "summary": "A bundle that an auditor can check without this service.",
        "parameters": [_parameter(name) for name in PARAMETERS],
        "responses": {"200": {"description": "The bundle.", "content": {"application/zip": {}}}}
        | _problems("400", *_ACCESS, "404", "422", "503"),
    }


def _annotations_path() -> Schema:
    seq: Schema = {"name": "seq", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    listed = _json("What was tied to it.", {"$ref": _REF.format(name="AnnotationList")})
    answer = {"$ref": _REF.format(name="RecordedAnnotation")}
    schema = msgspec.json.schema_components([Annotation])[1]["Annotation"]
    return {
        "get": {
            "operationId": "annotations",
            "summary": "The tickets, commits, approvals, incidents and notes that were tied to a line.",
            "parameters": [seq],
            "responses": {"200": listed} | _problems("400", *_ACCESS, "404", "503"),
        },
        "post": {
            "operationId": "annotate_entry",
            "summary": "Tie a ticket, a commit, an approval, an incident or a note to a line; that is a new line.",
            "parameters": [seq, _key_header("annotation")],
            "requestBody": _json_body(_with_lengths(schema, ANNOTATION_LENGTHS)),
            "responses": {"201": _json("It is recorded.", answer), "200": _json("It was recorded before.", answer)}
            | _problems("400", *_ACCESS, "404", "413", "415", "422", "503"),
        },
    }


def _delivery_operation() -> Schema:
    answer = {"$ref": _REF.format(name="DeliveryHistory")}
    return {
        "operationId": "delivery",
        "summary": "A message to a channel, with every try to send it.",
        "parameters": [_DELIVERY_ID],
        "responses": {"200": _json("The delivery.", answer)} | _problems("400", *_ACCESS, "404", "503"),
    }


def _retry_operation() -> Schema:
    answer = {"$ref": _REF.format(name="DeliveryHistory")}
    return {
        "operationId": "retry_delivery",
        "summary": "Try a message that was given up once more. Takes the scope `admin`.",
        "parameters": [_DELIVERY_ID],
        "requestBody": _json_body({"type": "object", "additionalProperties": False}),
        "responses": {"200": _json("It waits again.", answer)}
        | _problems("400", *_ACCESS, "404", "413", "415", "422", "503"),
    }


def _key_header(what: str) -> Schema:
    return {
        "name": KEY,
        "in": "header",
        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
        "description": f"The same {what} under the same key is recorded once.",
    }


def _json_body(schema: Schema) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _with_lengths(schema: Schema, longest: Mapping[str, int]) -> Schema:
    """The schema with the lengths that are checked."""
    lengths = {name: {"type": "string", "minLength": 1, "maxLength": most} for name, most in longest.items()}
    return {**schema, "properties": {**schema["properties"], **lengths}}


def _declaring_operation() -> Schema:
    answer = {"$ref": _REF.format(name="DeclaredDeployment")}
    return {
        "operationId": "declare_deployment",
        "summary": "Declare a deployment. The digest is resolved from the trail.",
        "parameters": [_key_header("declaration")],
        "requestBody": _json_body(_declaration()),
        "responses": {"201": _json("It is recorded.", answer), "200": _json("It was recorded before.", answer)}
        | _problems("400", *_ACCESS, "413", "415", "422", "503"),
    }


def _declaration() -> Schema:
    """The body of a declaration, with the lengths that are checked."""
    schema = _with_lengths(msgspec.json.schema_components([Declaration])[1]["Declaration"], LONGEST_FIELDS)
    properties = schema["properties"]
    properties["reference"]["description"] = "`[host/]repository[:tag][@digest]`, with a tag, a digest or both."
    properties["registry"]["description"] = "Needed only where several registries have the repository."
    properties["change"]["description"] = "A ticket or a commit."
    return schema


def _schemas() -> Schema:
    types = [listing.document for listing in LISTINGS]
    types += [
        RecordedDigest, DeclaredDeployment, RecordedAnnotation,
        AnnotationList, DeliveryHistory, StatusDocument, ProblemDocument,
    ]  # fmt: skip
    return describe_structs(types, ref_template=_REF)


def _parameter(name: str, *, required: bool = False) -> Schema:
    schema, description = _PARAMETERS[name]
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


def _problems(*statuses: str) -> Schema:
    return {status: {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _problem(description: str) -> Schema:
    schema = {"$ref": _REF.format(name="ProblemDocument")}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def _json(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
