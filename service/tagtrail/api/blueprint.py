"""`/api/v1`: the lists, a digest, the status, and declared deployments over HTTP."""

from collections.abc import Callable

import msgspec
from flask import Blueprint, Response, request

from tagtrail.access.callers import Authenticator
from tagtrail.access.disclosures import DisclosureLog
from tagtrail.access.redaction import Admit, Redaction
from tagtrail.access.scopes import Scope
from tagtrail.api.annotations import add_annotating
from tagtrail.api.deliveries import add_delivering
from tagtrail.api.listings import LISTINGS, Listing
from tagtrail.api.openapi import describe_api
from tagtrail.api.rendering import Answering, document_response, entity_tag
from tagtrail.api.requests import choose_format, read_body, read_parameters, read_query
from tagtrail.api.status import describe_status
from tagtrail.ledger.declare import KEY, Declaration, Origin, declare
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.store.digests import get_digest
from tagtrail.store.environments import get_declared
from tagtrail.store.filters import DEFAULT_LIMIT, read_filter, read_limit, refuse_unknown
from tagtrail.store.lines import get_last_seq
from tagtrail.store.query import Query
from tagtrail.store.status import get_status
from tagtrail.tlog.unsigned import find_unsigned_lag
from tagtrail.trail.rules import Rules


def make_api_blueprint(
    *, store: Store, recorder: Recorder, access: Authenticator, checkpoint_every: float = 60.0
) -> Blueprint:
    """The API, to be mounted at `/api/v1`; `problems.register_errors` answers its failures.

    A checkpoint is due every `checkpoint_every` seconds; the status reports a late one.
    """
    blueprint = Blueprint("api", __name__)
    blueprint.after_request(_let_browsers_revalidate)
    readings = DisclosureLog(recorder)

    def admit(scope: Scope) -> Redaction:
        return Redaction(access.require(request, scope), readings)

    for listing in LISTINGS:
        _add_listing(blueprint, listing, store=store, rules=lambda: recorder.book.latest, admit=admit)
    _add_digest(blueprint, store=store, rules=lambda: recorder.book.latest, admit=admit)
    _add_declaring(blueprint, store=store, recorder=recorder, admit=admit)
    add_annotating(blueprint, store=store, recorder=recorder, admit=admit)
    add_delivering(blueprint, store=store, recorder=recorder, admit=admit)
    _add_status(blueprint, store=store, recorder=recorder, admit=admit, checkpoint_every=checkpoint_every)
    _add_description(blueprint, admit=admit)
    return blueprint


def _let_browsers_revalidate(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "private, no-cache")
    return response


def _add_listing(
    blueprint: Blueprint, listing: Listing, *, store: Store, rules: Callable[[], Rules], admit: Admit
) -> None:
    def answer(suffix: str | None = None) -> Response:
        redaction = admit("read")
        shown_as = choose_format(request, suffix)
        parameters = read_parameters(request)
        query = read_query(parameters, listing, rules())
        most = query.limit if "limit" in parameters else None
        return Answering(store, listing, query, most, shown_as, redaction).respond(request)

    blueprint.add_url_rule(f"/{listing.name}", listing.name, answer)
    blueprint.add_url_rule(f"/{listing.name}.<any(json, csv, ndjson):suffix>", f"{listing.name}_as", answer)


def _add_digest(blueprint: Blueprint, *, store: Store, rules: Callable[[], Rules], admit: Admit) -> None:
    accepted = ("registry", "repository", "limit")

    @blueprint.get("/digests/<digest>")
    def digest(digest: str) -> Response:
        redaction = admit("read")
        parameters = read_parameters(request)
        refuse_unknown(parameters, accepted=accepted)
        filters = read_filter({**parameters, "digest": digest}, accepted=(*accepted, "digest"))
        limit = read_limit(parameters["limit"]) if "limit" in parameters else DEFAULT_LIMIT
        with store.snapshot() as db:
            tag = entity_tag(request, "json", get_last_seq(db), redaction)
            answer = get_digest(db, Query(rules(), filters, limit))
        return document_response(request, answer, redaction=redaction, tag=tag)


def _add_declaring(blueprint: Blueprint, *, store: Store, recorder: Recorder, admit: Admit) -> None:
    @blueprint.post("/deployments")
    def declare_deployment() -> Response:
        redaction = admit("deploy")
        refuse_unknown(read_parameters(request), accepted=())
        said, caller = read_body(request, Declaration, what="deployment"), redaction.caller
        origin = Origin(caller.address, caller.user_agent, caller.token, caller.sees_identities)
        declared = declare(store, recorder, said, key=request.headers.get(KEY), origin=origin)
        with store.snapshot() as db:
            document = get_declared(db, declared.seq, recorder.book.latest)
        return document_response(request, document, redaction=redaction, status=201 if declared.is_new else 200)


def _add_status(
    blueprint: Blueprint, *, store: Store, recorder: Recorder, admit: Admit, checkpoint_every: float
) -> None:
    @blueprint.get("/status")
    def status() -> Response:
        admit("read")
        refuse_unknown(read_parameters(request), accepted=())
        with store.snapshot() as db:
            found, lag = get_status(db), find_unsigned_lag(db)
        document = describe_status(found, lag, at=recorder.now(), checkpoint_every=checkpoint_every)
        return Response(msgspec.json.encode(document), content_type="application/json")


def _add_description(blueprint: Blueprint, *, admit: Admit) -> None:
    description = msgspec.json.encode(describe_api())

    @blueprint.get("/openapi.json")
    def openapi() -> Response:
        admit("read")
        refuse_unknown(read_parameters(request), accepted=())
        return Response(description, content_type="application/json")
