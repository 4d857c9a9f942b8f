"""`GET /api/v1/export`: a bundle over HTTP, streamed while it is made."""

from collections.abc import Callable
from itertools import chain
from typing import Final

from flask import Blueprint, Response, request

from tagtrail.access.callers import Authenticator, Caller
from tagtrail.access.disclosures import Requester
from tagtrail.api.requests import read_parameters
from tagtrail.export.bundle import hand_over, prepare
from tagtrail.export.query import ExportQuery, read_export_query
from tagtrail.ledger.record import Recorder
from tagtrail.line import Who
from tagtrail.store.database import Store
from tagtrail.store.tree import StoredCheckpoint

ANYBODY: Final = "anybody"  # the caller under open access
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Disposition": 'attachment; filename="tagtrail-export.zip"',
}


def make_export_blueprint(
    *, store: Store, recorder: Recorder, access: Authenticator, sign: Callable[[], StoredCheckpoint]
) -> Blueprint:
    """The export, to be mounted at `/api/v1`; `problems.register_errors` answers its failures."""
    blueprint = Blueprint("export", __name__)

    @blueprint.get("/export")
    def export() -> Response:
        caller = access.require(request, "export")
        query = read_export_query(read_parameters(request))
        bundle = prepare(
            store, query, sign=sign, asked_by=caller.name or ANYBODY, identities=_shows_identities(caller, query)
        )
        asker = Requester(caller.token, Who(caller.user, caller.address, caller.user_agent))
        pieces = hand_over(bundle, recorder, asker)
        first = () if request.method == "HEAD" else (next(pieces),)  # a failure to record is still an error answer here
        response = Response(chain(first, pieces), headers=_HEADERS, content_type="application/zip")
        response.call_on_close(pieces.close)
        return response

    return blueprint


def _shows_identities(caller: Caller, query: ExportQuery) -> bool:
    """Whether the export has identities: if the caller may see them and does not decline. Raises NotAllowed."""
    if query.identities:
        caller.require("identity")
    return caller.sees_identities and query.identities is not False
