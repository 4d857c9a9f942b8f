"""`/api/v1`: the questions over HTTP, and the one thing that can be told: a deployment."""

import re
from collections.abc import Callable
from typing import Final

import msgspec
from flask import Blueprint, Request, Response, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from tagtrail.audit.access import Access
from tagtrail.audit.asking import read_parameters, read_question
from tagtrail.audit.describing import describe_declared, describe_digest
from tagtrail.audit.filters import DEFAULT_LIMIT, read_filter, read_limit, refuse_unknown
from tagtrail.audit.formats import choose_format
from tagtrail.audit.listings import LISTINGS, Listing
from tagtrail.audit.naming import Hosts
from tagtrail.audit.openapi import describe_api
from tagtrail.audit.rendering import Answering, document_response, entity_tag
from tagtrail.errors import BadParameter, NotRecorded
from tagtrail.ledger.declare import KEY, Declaration, Declared, Origin, declare
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.store.lines import get_last_seq
from tagtrail.store.questions.deployments import get_deployment
from tagtrail.store.questions.digests import get_digest
from tagtrail.store.questions.environments import find_roll_back
from tagtrail.trail.rules import Rules

_LARGEST_BODY: Final = 64 * 1024  # bytes of a declared deployment
_UNKNOWN_FIELD = re.compile(r"unknown field `([^`]*)`|required field `([^`]*)`|at `\$\.([^`]*)`")
_HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Vary": "Accept, Authorization",
    "X-Content-Type-Options": "nosniff",
}


def make_api_blueprint(*, store: Store, recorder: Recorder, access: Access) -> Blueprint:
    """The API, to be mounted at `/api/v1`; its failures are answered by `problems.register_errors`."""
    blueprint = Blueprint("api", __name__)
    blueprint.after_request(_add_headers)
    for listing in LISTINGS:
        _add_listing(blueprint, listing, store=store, rules=lambda: recorder.book.latest, access=access)
    _add_digest(blueprint, store=store, rules=lambda: recorder.book.latest, access=access)
    _add_declaring(blueprint, store=store, recorder=recorder, access=access)
    _add_description(blueprint, access=access)
    return blueprint


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _add_listing(
    blueprint: Blueprint, listing: Listing, *, store: Store, rules: Callable[[], Rules], access: Access
) -> None:
    def answer(suffix: str | None = None) -> Response:
        access.check_reading(request)
        shown_as = choose_format(request, suffix)
        asked = read_question(read_parameters(request), listing, rules())
        return Answering(store, listing, asked, shown_as).respond(request)

    blueprint.add_url_rule(f"/{listing.name}", listing.name, answer)
    blueprint.add_url_rule(f"/{listing.name}.<any(json, csv, ndjson):suffix>", f"{listing.name}_as", answer)


def _add_digest(blueprint: Blueprint, *, store: Store, rules: Callable[[], Rules], access: Access) -> None:
    accepted = ("registry", "repository", "limit")

    @blueprint.get("/digests/<digest>")
    def digest(digest: str) -> Response:
        access.check_reading(request)
        parameters = read_parameters(request)
        refuse_unknown(parameters, accepted=accepted)
        asked = read_filter({**parameters, "digest": digest}, accepted=(*accepted, "digest"))
        limit = read_limit(parameters["limit"]) if "limit" in parameters else DEFAULT_LIMIT
        with store.snapshot() as db:
            tag = entity_tag(request, "json", get_last_seq(db))
            answer = get_digest(db, asked, limit=limit)
        return document_response(request, describe_digest(answer, Hosts(rules())), tag)


def _add_declaring(blueprint: Blueprint, *, store: Store, recorder: Recorder, access: Access) -> None:
    @blueprint.post("/deployments")
    def declare_deployment() -> Response:
        access.check_declaring(request)
        refuse_unknown(read_parameters(request), accepted=())
        origin = Origin(request.remote_addr or "", request.headers.get("User-Agent", "")[:500])
        said = _read_declaration(request)
        declared = declare(store, recorder, said, key=request.headers.get(KEY), origin=origin)
        return _answer_declared(store, declared, Hosts(recorder.book.latest))


def _answer_declared(store: Store, declared: Declared, hosts: Hosts) -> Response:
    with store.snapshot() as db:
        found = get_deployment(db, declared.seq)
        if found is None:
            raise NotRecorded(f"line {declared.seq} is no deployment")
        key, answer = found
        document = describe_declared(answer, find_roll_back(db, key), hosts)
    return Response(msgspec.json.encode(document), 201 if declared.is_new else 200, content_type="application/json")


def _read_declaration(sent: Request) -> Declaration:
    """The body of a POST. A browser sends this media type to another site only if that site allows it."""
    if sent.mimetype != "application/json":
        raise UnsupportedMediaType("send the deployment as Content-Type: application/json")
    sent.max_content_length = _LARGEST_BODY
    try:
        return msgspec.json.decode(sent.get_data(cache=False), type=Declaration)
    except RequestEntityTooLarge:
        raise RequestEntityTooLarge(f"a deployment has at most {_LARGEST_BODY} bytes") from None
    except (ValueError, RecursionError) as error:
        named = _UNKNOWN_FIELD.search(str(error))
        parameter = next(filter(None, named.groups()), "body") if named else "body"
        raise BadParameter(parameter, f"the body is no deployment: {error}") from error


def _add_description(blueprint: Blueprint, *, access: Access) -> None:
    description = msgspec.json.encode(describe_api())

    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        access.check_reading(request)
        refuse_unknown(read_parameters(request), accepted=())
        return Response(description, content_type="application/json")
