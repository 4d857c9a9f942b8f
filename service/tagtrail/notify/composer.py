"""Composes the message of a delivery from the ledger lines that it reports."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from tagtrail.config.channels import ChannelConfig
from tagtrail.errors import TagtrailError
from tagtrail.ledger.rulebook import load_rulebook
from tagtrail.notify.alerts import read_alert, read_report
from tagtrail.notify.message import Message
from tagtrail.notify.routes import Notification, Routes
from tagtrail.notify.texts import alerts, deployments, moves, summaries, violations
from tagtrail.notify.texts.draft import MessageContext, MessageDraft
from tagtrail.store.alerts import count_given_up, get_alert
from tagtrail.store.database import Connection, Store
from tagtrail.store.digests import EnvironmentUse, get_digest
from tagtrail.store.messages import MessageData, MessageDeployment, MessageMove, find_message_data
from tagtrail.store.moves import TagFilter
from tagtrail.store.outbox import SERVICE, SUMMARY, Delivery, find_lines, get_last_problem
from tagtrail.store.query import Filter, Query
from tagtrail.store.summaries import summarize
from tagtrail.trail.instant import now
from tagtrail.trail.rules import Rules

_MOST_USES: Final = 20  # environments of a digest that lost its release tag


class MessageComposer:
    """Composes the messages of a store's deliveries. It writes nothing, and is safe to share between threads.

    `public_url` is the address of tagtrail's pages, None if it has none. If one delete took several tags, a channel's
    message covers those that its `routes` match. `clock` gives our time.
    """

    def __init__(self, store: Store, *, public_url: str | None, routes: Routes, clock: Callable[[], int] = now) -> None:
        self._store = store
        self._routes = routes
        self._public_url = public_url
        self._clock = clock

    def compose(self, delivery: Delivery, channel: ChannelConfig) -> Message:
        """The message of the delivery, from the current state of the trail. Raises as the store does."""
        with self._store.snapshot() as db:
            context = self._make_context(db, identities=channel.identities)
            if delivery.subject == SERVICE:
                return _compose_alert(db, context, delivery)
            lines = find_lines(db, delivery.id)
            if delivery.subject == SUMMARY:
                summary = summarize(
                    db, lines, context.rules, most=summaries.MOST_TAGS, accepts=self._tag_filter(channel)
                )
                if not summary.count:
                    return alerts.nothing_left(delivery.id, delivery.made_at, lines)
                return summaries.compose(context, summary, identity=delivery.id, lines=lines)
            data = find_message_data(db, lines, context.rules, accepts=self._tag_filter(channel))
            return _compose_lines(db, context, data, lines, identity=delivery.id, made_at=delivery.made_at)

    def compose_lines(self, lines: Sequence[int], channel: ChannelConfig, *, identity: str) -> Message:
        """The message that these lines would give."""
        with self._store.snapshot() as db:
            context = self._make_context(db, identities=channel.identities)
            data = find_message_data(db, lines, context.rules, accepts=self._tag_filter(channel))
            return _compose_lines(db, context, data, lines, identity=identity, made_at=self._clock())

    def _tag_filter(self, channel: ChannelConfig) -> TagFilter:
        def accepts(registry: str, repository: str, tag: str, environments: tuple[str, ...]) -> bool:
            return self._routes.reaches(
                channel.name, Notification(frozenset(), registry, repository, tag, environments)
            )

        return accepts

    def _make_context(self, db: Connection, *, identities: bool) -> MessageContext:
        rules = load_rulebook(db).latest
        return MessageContext(rules, self._clock(), identities=identities, public_url=self._public_url)


def _compose_lines(
    db: Connection, context: MessageContext, data: MessageData, seqs: Sequence[int], *, identity: str, made_at: int
) -> Message:
    data = _keep_latest(data)
    draft = _write_draft(db, context, data)
    if draft is None:
        return alerts.nothing_left(identity, made_at, tuple(seqs))
    draft = replace(draft, tags=_order_tags(data, draft.tags), facts=(*draft.facts, *context.people(data.lines)))
    times = [*(move.occurred_at for move in data.moves), *(one.occurred_at for one in data.deployments)]
    message = draft.as_message(identity=identity, occurred_at=max(times), lines=seqs, context=context)
    return replace(message, actor=context.actor(data.lines))


def _write_draft(db: Connection, context: MessageContext, data: MessageData) -> MessageDraft | None:
    """The most important change as the headline, the others in sentences after it; each is reported once."""
    broken = [move for move in data.moves if move.violates]
    if broken:
        return _draft_violations(db, context, data, broken)
    if data.deployments:
        head = deployments.choose_headline(data.deployments)
        draft = deployments.draft(context, head, [one for one in data.deployments if one is not head])
        if head.recorded is None:
            draft = replace(draft, sentences=(*moves.describe_delete(data.lines), *draft.sentences))
        others = [move for move in data.moves if not _is_published(move, data.deployments)]
        return draft.also(*moves.list_others(others), *moves.list_outdated(context, others))
    deleted = [move for move in data.moves if move.digest is None]
    if deleted:
        draft = moves.draft_deletes(context, deleted, data.lines, left_out=data.moves_left_out)
        return draft.also(*moves.list_others([move for move in data.moves if move.digest is not None]))
    return moves.draft(context, data.moves, data.lines, left_out=data.moves_left_out) if data.moves else None


def _draft_violations(
    db: Connection, context: MessageContext, data: MessageData, broken: Sequence[MessageMove]
) -> MessageDraft:
    is_gone = any(line.entry.kind == "delete" and line.entry.tag is None for line in data.lines)
    affected = [one for move in broken[: violations.MOST_DESCRIBED] for one in _find_affected(db, context.rules, move)]
    left_out = data.moves_left_out if len(broken) == len(data.moves) else 0  # violations are read first
    draft = violations.draft(context, broken, data.lines, affected, is_gone=is_gone, left_out=left_out)
    others = [move for move in data.moves if not move.violates and not _is_published(move, data.deployments)]
    return draft.also(*deployments.describe_briefly(context, data.deployments), *moves.list_others(others))


def _keep_latest(data: MessageData) -> MessageData:
    """Keep the last move of each tag and the last deployment of each environment. Release tags come first."""
    tags: dict[str, MessageMove] = {}
    for move in sorted(data.moves, key=lambda move: move.occurred_at):
        tags[move.tag] = replace(move, violates=True) if _was_broken(tags, move) else move
    environments: dict[str, MessageDeployment] = {}
    for one in data.deployments:
        known = environments.get(one.environment)
        environments[one.environment] = one if known is None else _merge(known, one)
    return replace(
        data,
        moves=tuple(sorted(tags.values(), key=lambda move: not move.is_release)),
        deployments=tuple(environments.values()),
    )


def _merge(known: MessageDeployment, one: MessageDeployment) -> MessageDeployment:
    """The later deployment; if it only repeats the earlier one, that one with the change and note of the later."""
    if known.recorded is None or one.recorded is None or one.recorded.direction != "again":
        return one
    change, note = known.recorded.change or one.recorded.change, known.recorded.note or one.recorded.note
    return replace(known, recorded=msgspec.structs.replace(known.recorded, change=change, note=note))


def _was_broken(tags: dict[str, MessageMove], move: MessageMove) -> bool:
    return move.tag in tags and tags[move.tag].violates


def _is_published(move: MessageMove, published: Sequence[MessageDeployment]) -> bool:
    return any(one.tag == move.tag and one.seq == move.seq for one in published)


def _order_tags(data: MessageData, headline: tuple[str, ...]) -> tuple[str, ...]:
    """All tags of the message: release tags first, then those of the headline."""
    releases = (move.tag for move in data.moves if move.is_release)
    return tuple(dict.fromkeys((*releases, *headline, *(move.tag for move in data.moves))))


def _find_affected(db: Connection, rules: Rules, broken: MessageMove) -> tuple[EnvironmentUse, ...]:
    """The environments for which the image that lost its release tag was published, newest first."""
    if broken.previous is None:
        return ()
    filters = Filter(registry=broken.registry, repository=broken.repository, digest=broken.previous.digest)
    try:
        return get_digest(db, Query(rules, filters, limit=_MOST_USES)).environments
    except TagtrailError:
        return ()


def _compose_alert(db: Connection, context: MessageContext, delivery: Delivery) -> Message:
    report = read_report(delivery)
    if report is not None:
        kind, channel = report
        if kind == "template":
            last = get_last_problem(db, channel)
            detail = last.detail if last is not None else ""
            return alerts.template_broken(channel, detail, identity=delivery.id, at=delivery.made_at)
        given_up = count_given_up(db, channel)
        return alerts.given_up(channel, given_up, identity=delivery.id, at=delivery.made_at)
    number, is_over = read_alert(delivery)
    alert = get_alert(db, number) if number is not None else None
    if alert is None:
        return alerts.nothing_left(delivery.id, delivery.made_at, ())
    lost = count_given_up(db, alert.subject) if alert.kind == "given_up" else None
    return alerts.compose(context, alert, lost, is_over=is_over, identity=delivery.id)
