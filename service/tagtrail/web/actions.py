"""What may be changed from a page: trying a message again, and tying a ticket or a note to a line."""

import re
from collections.abc import Callable, Mapping

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from tagtrail.access.redaction import Redaction
from tagtrail.access.scopes import Scope
from tagtrail.errors import BadParameter, NotRecorded, Refused
from tagtrail.ledger.annotate import RELATIONS, Annotation, annotate
from tagtrail.ledger.declare import Origin
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.store.outbox import get_delivery_history, retry


def add_actions(blueprint: Blueprint, *, store: Store, recorder: Recorder, admit: Callable[[Scope], Redaction]) -> None:
    """Add the routes; the blueprint has checked before that the form came from a page of ours."""

    @blueprint.post("/messages/<delivery>/retry")
    def retry_delivery(delivery: str) -> AnyResponse:
        admit("admin")
        with store.snapshot() as db:
            found = get_delivery_history(db, delivery)
        if found is None:
            raise NotRecorded("there is no such message")
        with store.writing() as tx:
            is_waiting = bool(retry(tx, at=recorder.now(), delivery=delivery))
        if not is_waiting:
            state = found.delivery.state
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


# What forms send: fields that were left empty, and times as browsers' pickers write them.


_PICKED = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d(?:\.\d{1,9})?))?)?", re.ASCII)


def read_fields(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a query without those that say nothing; a time without an offset is one in UTC.

    A script sends times with the reader's offset; without one, the page says that they are UTC.
    """
    return {name: _complete_time(text.strip()) for name, text in parameters.items() if text.strip()}


def _complete_time(text: str) -> str:
    """A picked time, or a date, as RFC 3339: `2026-04-20T14:03` is `2026-04-20T14:03:00Z`. Other text as it is."""
    picked = _PICKED.fullmatch(text)
    if picked is None:
        return text
    day, minute, second = picked.groups()
    return f"{day}T{minute or '00:00'}:{second or '00'}Z"
