"""`/api/v1/deliveries/<id>`: one delivery with its attempts; `retry` tries it once more."""

import msgspec
from flask import Blueprint, Response, request

from tagtrail.access.redaction import Admit
from tagtrail.api.rendering import document_response
from tagtrail.api.requests import read_body, read_parameters
from tagtrail.errors import NotRecorded, Refused
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.store.filters import refuse_unknown
from tagtrail.store.outbox import DeliveryHistory, get_delivery_history, retry


class Retry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a retry: an empty object, in a media type that a web page cannot send."""


def add_delivering(blueprint: Blueprint, *, store: Store, recorder: Recorder, admit: Admit) -> None:
    """Add both routes; `admit` authenticates the caller."""

    @blueprint.get("/deliveries/<id>")
    def delivery(id: str) -> Response:  # noqa: A002 - as the route says it
        redaction = admit("read")
        refuse_unknown(read_parameters(request), accepted=())
        return document_response(request, _find(store, id), redaction=redaction)

    @blueprint.post("/deliveries/<id>/retry")
    def retry_delivery(id: str) -> Response:  # noqa: A002 - as the route says it
        redaction = admit("admin")
        refuse_unknown(read_parameters(request), accepted=())
        read_body(request, Retry, what="retry")
        found = _find(store, id)
        with store.writing() as tx:
            is_waiting = bool(retry(tx, at=recorder.now(), delivery=id))
        if not is_waiting:
            raise Refused(f"the delivery is {found.delivery.state}; only one that failed can be tried again")
        return document_response(request, _find(store, id), redaction=redaction)


def _find(store: Store, delivery: str) -> DeliveryHistory:
    with store.snapshot() as db:
        found = get_delivery_history(db, delivery)
    if found is None:
        raise NotRecorded(f"there is no delivery {delivery[:80]!r}")
    return found
