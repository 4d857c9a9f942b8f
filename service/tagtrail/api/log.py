"""`/log`: the newest checkpoint, and the proof that it covers a line, in the formats of C2SP."""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from flask import Blueprint, Response, request

from tagtrail.access.callers import Authenticator
from tagtrail.api.requests import read_parameters
from tagtrail.errors import BadParameter, NotRecorded
from tagtrail.store.database import Connection, Store
from tagtrail.store.filters import refuse_unknown
from tagtrail.store.lines import get_last_seq
from tagtrail.store.tree import StoredCheckpoint, find_checkpoint
from tagtrail.tlog.proofs import write_proof

_TEXT: Final = "text/plain; charset=utf-8"


def make_log_blueprint(*, store: Store, access: Authenticator) -> Blueprint:
    """The log's routes, to be mounted without a prefix; failures are answered by `problems.register_errors`."""
    blueprint = Blueprint("log", __name__)
    blueprint.after_request(_let_all_revalidate)

    @blueprint.get("/log/checkpoint")
    def checkpoint() -> Response:
        """Needs no token: a checkpoint holds a size and a hash, and is meant to be kept by others."""
        refuse_unknown(read_parameters(request), accepted=())
        response = Response(_newest(store.reader()).note, content_type=_TEXT)
        response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:24])
        response.make_conditional(request)
        return response

    @blueprint.get("/log/proof")
    def proof() -> Response:
        access.require(request, "read")
        parameters = read_parameters(request)
        refuse_unknown(parameters, accepted=("seq", "size"))
        seq = _read_number("seq", parameters)
        with store.snapshot() as db:
            text = write_proof(db, seq, _find_above(db, seq, parameters))
        response = Response(text, content_type=_TEXT)
        response.headers["Cache-Control"] = "private, no-cache"
        response.headers["Content-Disposition"] = f'attachment; filename="line-{seq}.tlog-proof"'
        return response

    return blueprint


def _let_all_revalidate(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-cache")
    return response


def _newest(db: Connection) -> StoredCheckpoint:
    newest = find_checkpoint(db)
    if newest is None:
        raise NotRecorded(
            "nothing was signed yet; the service signs when it starts and soon after the ledger has grown"
        )
    return newest


def _find_above(db: Connection, seq: int, parameters: Mapping[str, str]) -> StoredCheckpoint:
    """The requested checkpoint, if it covers the line. Raises NotRecorded and BadParameter."""
    if seq > get_last_seq(db):
        raise NotRecorded(f"there is no line {seq}")
    newest = _newest(db)
    if seq >= newest.size:
        raise NotRecorded(
            f"line {seq} is under no checkpoint yet; ask again when the second line of /log/checkpoint is above {seq}"
        )
    if "size" not in parameters:
        return newest
    size = _read_number("size", parameters)
    asked = find_checkpoint(db, size=size)
    if asked is None:
        raise NotRecorded(f"no checkpoint was signed at {size} lines")
    if seq >= size:
        raise BadParameter("size", f"line {seq} is not among the first {size}; lines are counted from 0")
    return asked


def _read_number(name: str, parameters: Mapping[str, str]) -> int:
    if name not in parameters:
        raise BadParameter(name, f"{name} is missing: the proof of which line?")
    if not re.fullmatch(r"\d{1,15}", text := parameters[name], re.ASCII):
        raise BadParameter(name, f"{name} is {text[:20]!r}; write a number of lines, from 0 on")
    return int(text)
