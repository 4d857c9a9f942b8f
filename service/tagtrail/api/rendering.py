"""An answer as JSON, a page at a time, or as CSV or NDJSON, whole and in constant memory.

A whole answer is read page by page, each in its own short transaction, because a long one would prevent writing the
write-ahead log back. It leaves out lines that arrive meanwhile.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from flask import Request, Response

from tagtrail import __version__
from tagtrail.access.redaction import IDENTITY_FIELDS, Redaction
from tagtrail.api.listings import Listing
from tagtrail.api.requests import MEDIA_TYPES, Format
from tagtrail.store.database import Connection, Store
from tagtrail.store.fields import encode_json
from tagtrail.store.filters import write_cursor
from tagtrail.store.lines import get_last_seq
from tagtrail.store.query import Page, Query
from tagtrail.wording.spreadsheet import MARK, write_cells, write_row

_READ: Final = 1_000  # rows of a whole answer that are read and sent at a time


@dataclass(frozen=True, slots=True)
class Answering:
    """A list's answer to a query; CSV and NDJSON have at most `most` rows, or all of them (None)."""

    store: Store
    listing: Listing
    query: Query
    most: int | None
    format: Format
    redaction: Redaction

    def respond(self, request: Request) -> Response:
        """The answer, or 304 if the client already has it.

        Raises BadParameter, NotRecorded, NotAllowed, and StorageUnavailable if a reading cannot be recorded.
        """
        if self.query.filters.actor is not None:
            self.redaction.caller.require("identity")
        with self.store.snapshot() as db:
            last_seq = get_last_seq(db)
            tag = entity_tag(request, self.format, last_seq, self.redaction) if self.listing.is_ledger else None
            if tag is not None and request.if_none_match.contains_weak(tag):
                return _with_tag(Response(status=304), tag)
            page = self._find(db, self._first_query(last_seq))
        if self._tells_of_people:
            self.redaction.record(request, self.format)
        response = self._page(request, page) if self.format == "json" else self._whole(page, last_seq)
        if tag is not None:
            return _with_tag(response, tag)
        return response if self.format != "json" else _with_content_tag(request, response)

    @property
    def _tells_of_people(self) -> bool:
        """Whether the answer reveals data about people; the ledger's lines contain none."""
        is_lines = self.format == "ndjson" and self.listing.find_lines is not None
        return self.query.filters.actor is not None or (self.listing.shows_identities and not is_lines)

    def _find(self, db: Connection, query: Query) -> Page[Any]:
        """A page of the redacted rows."""
        find = self.listing.find_lines if self.format == "ndjson" else None
        page = (find or self.listing.find)(db, query)
        return replace(page, items=self.redaction.apply(page.items))

    def _first_query(self, last_seq: int) -> Query:
        query = replace(self.query, filters=replace(self.query.filters, last_seq=last_seq))
        return query if self.format == "json" else replace(query, limit=min(self.most or _READ, _READ))

    def _page(self, request: Request, page: Page[Any]) -> Response:
        following = write_cursor(page.after) if page.after else None
        body = encode_json({"items": page.items, "next": following})
        response = Response(body, content_type=MEDIA_TYPES["json"])
        if following is not None:
            address = urlencode({**request.args.to_dict(), "cursor": following})
            response.headers["Link"] = f'<?{address}>; rel="next"'
        return response

    def _whole(self, first: Page[Any], last_seq: int) -> Response:
        response = Response(self._stream(first, last_seq), content_type=f"{MEDIA_TYPES[self.format]}; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="tagtrail-{self.listing.name}.{self.format}"'
        return response

    def _stream(self, page: Page[Any], last_seq: int) -> Iterator[bytes]:
        """All rows from the first page on, or as many as requested."""
        if self.format == "csv":
            names = self.listing.columns
            yield MARK + write_row([names[at] for at in self._columns()]).encode()
        left = self.most
        while True:
            yield self._rows(page)
            left = None if left is None else left - self._count(page)
            if page.after is None or left == 0:
                return
            query = replace(self._first_query(last_seq), limit=min(left or _READ, _READ), after=page.after)
            with self.store.snapshot() as db:
                page = self._find(db, query)

    def _columns(self) -> list[int]:
        """The list's columns that this caller may see."""
        sees_all = self.redaction.caller.sees_identities
        return [at for at, name in enumerate(self.listing.columns) if sees_all or name not in IDENTITY_FIELDS]

    def _count(self, page: Page[Any]) -> int:
        """The number of the page's rows; the ledger's lines come as one item."""
        if self.format == "ndjson" and self.listing.find_lines is not None:
            return sum(lines.count(b"\n") + 1 for lines in page.items)
        return len(page.items)

    def _rows(self, page: Page[Any]) -> bytes:
        listing = self.listing
        if self.format == "csv":
            rows, shown = [listing.read_cells(row) for row in page.items], self._columns()
            return "".join([write_cells([row[at] for at in shown]) for row in rows]).encode()
        if listing.find_lines is not None:
            return b"\n".join((*page.items, b""))
        return b"".join([encode_json(row) + b"\n" for row in page.items])


def entity_tag(request: Request, shown_as: str, last_seq: int, redaction: Redaction) -> str:
    """The ETag of an answer that depends on the ledger, the query, the format, our version and the redaction."""
    seen = "people" if redaction.caller.sees_identities else "redacted"
    asked = f"{__version__}\n{request.path}\n{request.query_string.decode('latin-1')}\n{shown_as}\n{seen}"
    return f"{last_seq}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"


def _with_content_tag(request: Request, response: Response) -> Response:
    """The ETag of an answer that can change without a new line: its content's hash."""
    tag = hashlib.sha256(response.get_data()).hexdigest()[:24]
    if request.if_none_match.contains_weak(tag):
        response = Response(status=304)
    return _with_tag(response, tag)


def _with_tag(response: Response, tag: str) -> Response:
    response.set_etag(tag, weak=True)
    return response


def document_response(
    request: Request, document: msgspec.Struct, *, redaction: Redaction, tag: str | None = None, status: int = 200
) -> Response:
    """One redacted document as JSON, or 304 if the client has it by its ETag.

    Raises StorageUnavailable if showing identities cannot be recorded.
    """
    if tag is not None and request.if_none_match.contains_weak(tag):
        return _with_tag(Response(status=304), tag)
    redaction.record(request, "json")
    response = Response(encode_json(redaction.apply(document)), status, content_type=MEDIA_TYPES["json"])
    return response if tag is None else _with_tag(response, tag)
