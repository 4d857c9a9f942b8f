"""`/api/v1/entries/<seq>/annotations`: lists the annotations of a line and adds one."""

from flask import Blueprint, Response, request

from tagtrail.access.redaction import Admit
from tagtrail.api.rendering import document_response
from tagtrail.api.requests import read_body, read_parameters
from tagtrail.errors import NotRecorded
from tagtrail.ledger.annotate import Annotation, annotate, read_annotation
from tagtrail.ledger.declare import KEY, Origin
from tagtrail.ledger.record import Recorder
from tagtrail.store.annotations import AnnotationList, find_annotations
from tagtrail.store.database import Store
from tagtrail.store.filters import refuse_unknown
from tagtrail.store.lines import get_last_seq


def add_annotating(blueprint: Blueprint, *, store: Store, recorder: Recorder, admit: Admit) -> None:
    """Add both routes; `admit` authenticates the caller."""

    @blueprint.get("/entries/<int:seq>/annotations")
    def annotations(seq: int) -> Response:
        redaction = admit("read")
        refuse_unknown(read_parameters(request), accepted=())
        with store.snapshot() as db:
            if seq > get_last_seq(db):
                raise NotRecorded(f"there is no line {seq}")
            found = AnnotationList(tuple(find_annotations(db, [seq])[seq]))
        return document_response(request, found, redaction=redaction)

    @blueprint.post("/entries/<int:seq>/annotations")
    def annotate_entry(seq: int) -> Response:
        redaction = admit("deploy")
        refuse_unknown(read_parameters(request), accepted=())
        said, caller = read_body(request, Annotation, what="annotation"), redaction.caller
        origin = Origin(caller.address, caller.user_agent, caller.token, caller.sees_identities)
        noted = annotate(store, recorder, seq, said, key=request.headers.get(KEY), origin=origin)
        document = read_annotation(store, noted.seq)
        return document_response(request, document, redaction=redaction, status=201 if noted.is_new else 200)
