"""From deliveries to messages: what the lines of a delivery have to tell, said as its channel may hear it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from tagtrail.config.channels import ChannelConfig
from tagtrail.errors import TagtrailError
from tagtrail.ledger.rulebook import load_rulebook
from tagtrail.notify.alerts import read_report, read_trouble
from tagtrail.notify.message import Message
from tagtrail.notify.routes import Notification, Routes
from tagtrail.notify.texts import alerts as amiss
from tagtrail.notify.texts import deployments, moves, summaries, violations
from tagtrail.notify.texts.style import MessageContext, MessageDraft
from tagtrail.store.alerts import count_given_up, get_alert
from tagtrail.store.answers import Publishing
from tagtrail.store.database import Connection, Store
from tagtrail.store.digests import get_digest
from tagtrail.store.messages import MessageData, MessageDeployment, MessageMove, find_message_data
from tagtrail.store.moves import TagFilter
from tagtrail.store.outbox import SERVICE, SUMMARY, Delivery, find_lines, get_last_problem
from tagtrail.store.query import Filter, Query
from tagtrail.store.summaries import summarize
from tagtrail.trail.instant import now
from tagtrail.trail.rules import Rules

_MOST_USES: Final = 20  # of a digest that lost its release tag


class MessageComposer:
    """Makes the messages of a store's deliveries; safe to share between threads. Nothing is written.

    `public_url` is where people reach the service, None where that is not known. Of one delete of several tags a
    channel is told of those that its `routes` are about. `clock` gives our time.
    """

    def __init__(self, store: Store, *, public_url: str | None, routes: Routes, clock: Callable[[], int] = now) -> None:
        self._store = store
        self._routes = routes
        self._public_url = public_url
        self._clock = clock

    def tell(self, delivery: Delivery, channel: ChannelConfig) -> Message:
        """The message of the delivery, as things stand now. Raises as the store does."""
        with self._store.snapshot() as db:
            context = self._manner(db, identities=channel.identities)
            if delivery.subject == SERVICE:
                return _tell_service(db, context, delivery)
            lines = find_lines(db, delivery.id)
            if delivery.subject == SUMMARY:
                summed = summarize(db, lines, context.rules, most=summaries.MOST_TAGS, wants=self._wants(channel))
                if not summed.count:
                    return amiss.tell_nothing(delivery.id, delivery.made_at, lines)
                return summaries.tell(context, summed, identity=delivery.id, lines=lines)
            told = find_message_data(db, lines, context.rules, wants=self._wants(channel))
            return _tell_lines(db, context, told, lines, identity=delivery.id, made_at=delivery.made_at)

    def tell_lines(self, lines: Sequence[int], channel: ChannelConfig, *, identity: str) -> Message:
        """The message that these lines would be told by."""
        with self._store.snapshot() as db:
            context = self._manner(db, identities=channel.identities)
            told = find_message_data(db, lines, context.rules, wants=self._wants(channel))
            return _tell_lines(db, context, told, lines, identity=identity, made_at=self._clock())

    def _wants(self, channel: ChannelConfig) -> TagFilter:
        def wants(registry: str, repository: str, tag: str, environments: tuple[str, ...]) -> bool:
            place = Notification(frozenset(), registry, repository, tag, environments)
            return self._routes.lead_to(channel.name, place)

        return wants

    def _manner(self, db: Connection, *, identities: bool) -> MessageContext:
        rules = load_rulebook(db).latest
        return MessageContext(rules, self._clock(), identities=identities, public_url=self._public_url)


def _tell_lines(
    db: Connection, context: MessageContext, told: MessageData, seqs: Sequence[int], *, identity: str, made_at: int
) -> Message:
    told = _newest_of_each(told)
    telling = _tell_first(db, context, told)
    if telling is None:
        return amiss.tell_nothing(identity, made_at, tuple(seqs))
    telling = replace(telling, tags=_in_order(told, telling.tags), facts=(*telling.facts, *context.people(told.lines)))
    times = [*(move.occurred_at for move in told.moves), *(one.occurred_at for one in told.deployments)]
    message = telling.as_message(identity=identity, occurred_at=max(times), lines=seqs, context=context)
    return replace(message, actor=context.actor(told.lines))


def _tell_first(db: Connection, context: MessageContext, told: MessageData) -> MessageDraft | None:
    """What matters most as the headline, and the rest of it beside that: nothing is told twice."""
    broken = [move for move in told.moves if move.violates]
    if broken:
        is_gone = any(line.entry.kind == "delete" and line.entry.tag is None for line in told.lines)
        concerned = [one for move in broken[: violations.MOST_TOLD] for one in _find_concerned(db, context.rules, move)]
        left_out = told.moves_left_out if len(broken) == len(told.moves) else 0  # violations are read first
        telling = violations.tell(context, broken, told.lines, concerned, is_gone=is_gone, left_out=left_out)
        others = [move for move in told.moves if not move.violates and not _is_published(move, told.deployments)]
        return telling.also(*deployments.briefly(context, told.deployments), *moves.beside(others))
    if told.deployments:
        head = deployments.choose_headline(told.deployments)
        telling = deployments.tell(context, head, [one for one in told.deployments if one is not head])
        if head.answer is None:
            telling = replace(telling, sentences=(*moves.how_deleted(told.lines), *telling.sentences))
        others = [move for move in told.moves if not _is_published(move, told.deployments)]
        return telling.also(*moves.beside(others), *moves.moved_on(context, others))
    deleted = [move for move in told.moves if move.digest is None]
    if deleted:
        telling = moves.tell_deletes(context, deleted, told.lines, left_out=told.moves_left_out)
        return telling.also(*moves.beside([move for move in told.moves if move.digest is not None]))
    return moves.tell(context, told.moves, told.lines, left_out=told.moves_left_out) if told.moves else None


def _newest_of_each(told: MessageData) -> MessageData:
    """Only what a tag and an environment came to: what lies between is in the ledger. Release tags come first."""
    tags: dict[str, MessageMove] = {}
    for move in sorted(told.moves, key=lambda move: move.occurred_at):
        tags[move.tag] = replace(move, violates=True) if _was_broken(tags, move) else move
    environments: dict[str, MessageDeployment] = {}
    for one in told.deployments:
        known = environments.get(one.environment)
        environments[one.environment] = one if known is None else _follow(known, one)
    return replace(
        told,
        moves=tuple(sorted(tags.values(), key=lambda move: not move.is_release)),
        deployments=tuple(environments.values()),
    )


def _follow(known: MessageDeployment, one: MessageDeployment) -> MessageDeployment:
    """The later deployment; where it only says the same again, the earlier one, with the ticket that the later has."""
    if known.answer is None or one.answer is None or one.answer.direction != "again":
        return one
    change, note = known.answer.change or one.answer.change, known.answer.note or one.answer.note
    return replace(known, answer=msgspec.structs.replace(known.answer, change=change, note=note))


def _was_broken(tags: dict[str, MessageMove], move: MessageMove) -> bool:
    return move.tag in tags and tags[move.tag].violates


def _is_published(move: MessageMove, published: Sequence[MessageDeployment]) -> bool:
    return any(one.tag == move.tag and one.seq == move.seq for one in published)


def _in_order(told: MessageData, headline: tuple[str, ...]) -> tuple[str, ...]:
    """All tags that are told of, release tags first."""
    return tuple(
        dict.fromkeys(
            (*(move.tag for move in told.moves if move.is_release), *headline, *(move.tag for move in told.moves))
        )
    )


def _find_concerned(db: Connection, rules: Rules, broken: MessageMove) -> tuple[Publishing, ...]:
    """Where the image was published that lost its release tag, newest first."""
    if broken.previous is None:
        return ()
    filters = Filter(registry=broken.registry, repository=broken.repository, digest=broken.previous.digest)
    try:
        return get_digest(db, Query(rules, filters, limit=_MOST_USES)).usage.environments
    except TagtrailError:
        return ()


def _tell_service(db: Connection, context: MessageContext, delivery: Delivery) -> Message:
    report = read_report(delivery)
    if report is not None:
        mishap, channel = report
        if mishap == "template":
            last = get_last_problem(db, channel)
            detail = last.detail if last is not None else ""
            return amiss.tell_template(channel, detail, identity=delivery.id, at=delivery.made_at)
        lost = count_given_up(db, channel)
        return amiss.tell_given_up(channel, lost, identity=delivery.id, at=delivery.made_at)
    number, is_over = read_trouble(delivery)
    trouble = get_alert(db, number) if number is not None else None
    if trouble is None:
        return amiss.tell_nothing(delivery.id, delivery.made_at, ())
    given_up = count_given_up(db, trouble.subject) if trouble.kind == "given_up" else None
    return amiss.tell(context, trouble, given_up, is_over=is_over, identity=delivery.id)
