"""The OpenAPI 3.1 description of the API, made of the same lists, parameters and documents that answer it."""

from typing import Any, Final

import msgspec

from tagtrail import __version__
from tagtrail.audit import documents
from tagtrail.audit.asking import accepted_by
from tagtrail.audit.filters import DEFAULT_LIMIT, KINDS, LONGEST, MOST
from tagtrail.audit.listings import LISTINGS, Listing
from tagtrail.ledger.declare import KEY, LONGEST_KEY, Declaration
from tagtrail.ledger.declare import LONGEST as LONGEST_FIELDS

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
    "actor": (_TEXT, "Whoever did it, by the exact name that the registry reported."),
    "kind": ({"type": "string", "enum": list(KINDS)}, "The kind of an entry."),
    "environment": (_TEXT, "An environment."),
    "since": (_TIME, "From this time on; by this service's clock for entries and quarantine, else the registry's."),
    "until": (_TIME, "Before this time; after `since`."),
    "at": (_TIME, "As it was at this time, by the registry's clock; left out: as it is now."),
    "limit": (
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT},
        "Rows on a page. CSV and NDJSON are the whole answer without it, and at most so many rows with it.",
    ),
    "cursor": (_TEXT, "Where the list goes on: the `next` of the page before, with the same other parameters."),
}
_PROBLEMS: Final[dict[str, str]] = {
    "400": "A parameter, named in `parameter`, cannot be understood.",
    "401": "A token is needed, and there was none that is known.",
    "403": "The token does not allow it; or, without tokens, the Host header does not name this machine.",
    "404": "Nothing is recorded of what was asked for.",
    "405": "There is no such method here.",
    "406": "It is not there in any of the accepted formats.",
    "413": "The body is too large.",
    "415": "The body is not sent as `application/json`.",
    "422": "It contradicts what the trail knows, and `detail` says what that is.",
    "503": "The ledger cannot be reached; try again after `Retry-After` seconds.",
}


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
    paths["/digests/{digest}"] = {"get": _digest_operation()}
    paths["/openapi.json"] = {
        "get": {
            "operationId": "openapi",
            "summary": "This description.",
            "responses": {"200": _json("The description.", {"type": "object"})} | _problems("400", "401", "403"),
        }
    }
    return paths


def _list_operation(listing: Listing, suffix: str | None = None) -> Schema:
    statuses = ["400", "401", "403", *(["404"] if listing.required else []), *([] if suffix else ["406"]), "503"]
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
    document = {"$ref": _REF.format(name="DigestDocument")}
    return {
        "operationId": "digest",
        "summary": "Every tag that named a digest, from when to when, every environment, and its index or platforms.",
        "parameters": [path, *(_parameter(name) for name in ("registry", "repository", "limit"))],
        "responses": {"200": _json("The digest.", document), "304": {"description": "As it was at that ETag."}}
        | _problems("400", "401", "403", "404", "503"),
    }


def _declaring_operation() -> Schema:
    key = {
        "name": KEY,
        "in": "header",
        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
        "description": "The same declaration under the same key is recorded once.",
    }
    answer = {"$ref": _REF.format(name="DeclaredDocument")}
    return {
        "operationId": "declare_deployment",
        "summary": "Declare a deployment. The digest is resolved from the trail.",
        "parameters": [key],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _declaration()}}},
        "responses": {"201": _json("It is recorded.", answer), "200": _json("It was recorded before.", answer)}
        | _problems("400", "401", "403", "413", "415", "422", "503"),
    }


def _declaration() -> Schema:
    """The body of a declaration, with the lengths that are checked."""
    schema = msgspec.json.schema_components([Declaration])[1]["Declaration"]
    properties = {
        name: {"type": "string", "minLength": 1, "maxLength": longest} for name, longest in LONGEST_FIELDS.items()
    }
    properties["reference"]["description"] = "`[host/]repository[:tag][@digest]`, with a tag, a digest or both."
    properties["registry"]["description"] = "Needed only where several registries have the repository."
    properties["change"]["description"] = "A ticket or a commit."
    return {**schema, "properties": properties}


def _schemas() -> Schema:
    types = [listing.document for listing in LISTINGS]
    types += [documents.DigestDocument, documents.DeclaredDocument, documents.ProblemDocument]
    return dict(msgspec.json.schema_components(types, ref_template=_REF)[1])


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
