"""What may be changed from a page: trying a message again, and tying a ticket or a note to a line."""

from collections.abc import Callable

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from tagtrail.access import Scope
from tagtrail.audit.audience import Audience
from tagtrail.errors import BadParameter, NotRecorded, Refused
from tagtrail.ledger.annotate import RELATIONS, Annotation, annotate
from tagtrail.ledger.declare import Origin
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.store.outbox import retry
from tagtrail.store.questions.deliveries import get_attempted


def add_actions(blueprint: Blueprint, *, store: Store, recorder: Recorder, admit: Callable[[Scope], Audience]) -> None:
    """Add the routes; the blueprint has checked before that the form came from a page of ours."""

    @blueprint.post("/messages/<delivery>/retry")
    def retry_delivery(delivery: str) -> AnyResponse:
        admit("admin")
        with store.snapshot() as db:
            found = get_attempted(db, delivery)
        if found is None:
            raise NotRecorded("there is no such message")
        with store.writing() as tx:
            is_waiting = bool(retry(tx, at=recorder.now(), delivery=delivery))
        if not is_waiting:
            state = found.answer.delivery.state
            raise Refused(f"the message is {state}; only one that failed can be tried again")
        return redirect(url_for("web.message", delivery=delivery), 303)

    @blueprint.post("/log/<int:seq>/annotations")
    def annotate_entry(seq: int) -> AnyResponse:
        caller = admit("deploy").caller
        origin = Origin(caller.address, caller.user_agent, caller.token)
        said = _read_annotation(actor=caller.user or None)
        noted = annotate(store, recorder, seq, said, key=request.form.get("key") or None, origin=origin)
        return redirect(url_for("web.entry", seq=seq, _anchor=f"line-{noted.seq}"), 303)


def _read_annotation(*, actor: str | None) -> Annotation:
    """What the form says; `actor` is whom a proxy named. Raises BadParameter."""
    relation = request.form.get("relation", "")
    change, note = (request.form.get(name, "").strip() or None for name in ("change", "note"))
    for known in RELATIONS:
        if known == relation:
            return Annotation(known, change, note, actor)  # type: ignore[arg-type]  # one of RELATIONS
    raise BadParameter("relation", f"relation is {relation[:80]!r}; choose one of {', '.join(RELATIONS)}")
