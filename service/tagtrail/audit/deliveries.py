"""From deliveries to the documents that are shown."""

from tagtrail.audit.documents import AttemptDocument, AttemptedDocument, DeliveryDocument
from tagtrail.audit.times import format_optional
from tagtrail.store.outbox import Attempt
from tagtrail.store.questions.deliveries import AttemptedDelivery, DeliveryAnswer
from tagtrail.trail.instant import format_instant


def describe_delivery(answer: DeliveryAnswer) -> DeliveryDocument:
    """A message to a channel."""
    delivery = answer.delivery
    return DeliveryDocument(
        id=delivery.id,
        channel=delivery.channel,
        subject=delivery.subject,
        state=delivery.state,
        made_at=format_instant(delivery.made_at),
        due_at=format_instant(delivery.due_at),
        not_before=format_instant(delivery.not_before) if delivery.finished_at is None else None,
        attempts=delivery.attempts,
        finished_at=format_optional(delivery.finished_at),
        merged_into=delivery.merged_into,
        lines=list(answer.lines),
    )


def describe_attempted(found: AttemptedDelivery) -> AttemptedDocument:
    """A message with every try to send it."""
    return AttemptedDocument(describe_delivery(found.answer), [_describe_attempt(each) for each in found.attempts])


def _describe_attempt(attempt: Attempt) -> AttemptDocument:
    return AttemptDocument(
        number=attempt.number,
        at=format_instant(attempt.at),
        outcome=attempt.outcome,
        status=attempt.status,
        detail=attempt.detail or None,
    )
