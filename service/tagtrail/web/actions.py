"""The actions of pages: retry a message, annotate a line; and the reading of form fields."""

import re
from collections.abc import Callable, Mapping
from typing import Final

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

_PICKED: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d(?:\.\d{1,9})?))?)?", re.ASCII)


def add_actions(blueprint: Blueprint, *, store: Store, recorder: Recorder, admit: Callable[[Scope], Redaction]) -> None:
    """Add the routes. The blueprint checks first that the form came from one of our pages."""

    @blueprint.post("/messages/<delivery>/retry")
    def retry_delivery(delivery: str) -> AnyResponse:
        admit("admin")
        with store.snapshot() as db:
            found = get_delivery_history(db, delivery)
        if found is None:
            raise NotRecorded("there is no such message")
        with store.writing() as tx:
            is_retried = bool(retry(tx, at=recorder.now(), delivery=delivery))
        if not is_retried:
            state = found.delivery.state
            raise Refused(f"the message is {state}; only one that failed can be tried again")
        return redirect(url_for("web.message", delivery=delivery), 303)

    @blueprint.post("/log/<int:seq>/annotations")
    def annotate_entry(seq: int) -> AnyResponse:
        caller = admit("deploy").caller
        origin = Origin(caller.address, caller.user_agent, caller.token)
        annotation = _read_annotation(actor=caller.user or None)
        noted = annotate(store, recorder, seq, annotation, key=request.form.get("key") or None, origin=origin)
        return redirect(url_for("web.entry", seq=seq, _anchor=f"line-{noted.seq}"), 303)


def _read_annotation(*, actor: str | None) -> Annotation:
    """The annotation in the form; `actor` is the user that a proxy named. Raises BadParameter."""
    relation = request.form.get("relation", "")
    change, note = (request.form.get(name, "").strip() or None for name in ("change", "note"))
    for known in RELATIONS:
        if known == relation:
            return Annotation(known, change, note, actor)  # type: ignore[arg-type]  # one of RELATIONS
    raise BadParameter("relation", f"relation is {relation[:80]!r}; choose one of {', '.join(RELATIONS)}")


def read_fields(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters without the empty ones; a time without an offset is UTC.

    With scripts, a page sends times with the reader's offset; without scripts it says that times are UTC.
    """
    return {name: _complete_time(text.strip()) for name, text in parameters.items() if text.strip()}


def _complete_time(text: str) -> str:
    """A picked time, or a date, as RFC 3339: `2026-04-20T14:03` is `2026-04-20T14:03:00Z`. Other text as it is."""
    picked = _PICKED.fullmatch(text)
    if picked is None:
        return text
    day, minute, second = picked.groups()
    return f"{day}T{minute or '00:00'}:{second or '00'}Z"
