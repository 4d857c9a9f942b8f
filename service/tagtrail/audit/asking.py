"""From a request to a question: its parameters, its format, its place in the list."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from flask import Request

from tagtrail.audit.cursors import read_cursor
from tagtrail.audit.filters import DEFAULT_LIMIT, read_filter, read_instant, read_limit, read_text
from tagtrail.audit.listings import Listing, Question
from tagtrail.audit.naming import Hosts
from tagtrail.errors import BadParameter
from tagtrail.store.answers import Cut
from tagtrail.trail.rules import Rules


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to a list, and the part of the answer that is wanted; `limit` is None where none was given."""

    question: Question
    cut: Cut
    limit: int | None


def read_parameters(request: Request) -> dict[str, str]:
    """The query's parameters. Raises BadParameter for one that is given twice."""
    for name, values in request.args.lists():
        if len(values) > 1:
            raise BadParameter(name[:80], f"{name[:80]!r} is given {len(values)} times; give it once")
    return request.args.to_dict()


def read_question(parameters: Mapping[str, str], listing: Listing, rules: Rules) -> Asked:
    """What the parameters ask of the list. Raises BadParameter."""
    wanted = read_filter(parameters, accepted=accepted_by(listing))
    for name in listing.required:
        if name not in parameters:
            raise BadParameter(name, f"{name} is missing: the {listing.name} of which {name}?")
    at = read_instant("at", parameters["at"]) if "at" in parameters else None
    limit = read_limit(parameters["limit"]) if "limit" in parameters else None
    after = read_cursor(read_text("cursor", parameters["cursor"]), listing.key) if "cursor" in parameters else None
    return Asked(Question(wanted, at, rules, Hosts(rules)), Cut(limit or DEFAULT_LIMIT, after), limit)


def accepted_by(listing: Listing) -> Collection[str]:
    """The parameters that the list has a use for."""
    return (*listing.filters, *(("at",) if listing.has_at else ()), *(("limit", "cursor") if listing.key else ()))
