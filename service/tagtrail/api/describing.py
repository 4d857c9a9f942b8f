"""From the store's answers to the documents that are shown."""

from collections.abc import Iterable

from tagtrail.api import documents as d
from tagtrail.store import answers as a
from tagtrail.store.outbox import Attempt, AttemptedDelivery, DeliveryAnswer
from tagtrail.trail.instant import format_instant
from tagtrail.trail.rules import Hosts, RegistryIdentity, Rules
from tagtrail.wording.text import format_optional, seconds_between

# Where a digest was used, as documents: repositories, tags, environments and indexes.


def describe_held(held: a.Held, digest: str, hosts: Hosts) -> d.HeldDocument:
    """A repository that holds the digest."""
    reference = hosts.reference(held.registry, held.host, held.repository, digest=digest)
    return d.HeldDocument(held.registry, held.repository, reference, held.media_type, held.size, held.pushed_seq)


def describe_naming(naming: a.Naming, digest: str, hosts: Hosts) -> d.NamingDocument:
    """A tag that named the digest."""
    return d.NamingDocument(
        registry=naming.registry,
        repository=naming.repository,
        tag=naming.tag,
        release=naming.is_release,
        reference=hosts.reference(naming.registry, naming.host, naming.repository, tag=naming.tag, digest=digest),
        since=format_instant(naming.since),
        until=format_optional(naming.until),
        seconds=seconds_between(naming.since, naming.until),
        actor=naming.actor,
        seq=naming.seq,
    )


def describe_publishing(publishing: a.Publishing) -> d.PublishingDocument:
    """An environment that the digest was published for."""
    return d.PublishingDocument(
        environment=publishing.environment,
        registry=publishing.registry,
        repository=publishing.repository,
        tag=publishing.tag,
        basis=publishing.basis,
        direction=publishing.direction,
        since=format_instant(publishing.since),
        until=format_optional(publishing.until),
        seconds=seconds_between(publishing.since, publishing.until),
        seq=publishing.seq,
    )


def describe_index(index: a.IndexUsage, hosts: Hosts) -> d.IndexDocument:
    """An index that lists the digest, with where the index was used."""
    return d.IndexDocument(
        digest=index.usage.digest,
        platform=index.platform,
        tags=[describe_naming(naming, index.usage.digest, hosts) for naming in index.usage.tags],
        environments=[describe_publishing(publishing) for publishing in index.usage.environments],
        whole=index.usage.is_whole,
    )


def describe_digest(answer: a.DigestAnswer, hosts: Hosts) -> d.DigestDocument:
    """All that is known of a digest."""
    return d.DigestDocument(
        digest=answer.digest,
        held=[describe_held(held, answer.digest, hosts) for held in answer.held],
        tags=[describe_naming(naming, answer.digest, hosts) for naming in answer.usage.tags],
        environments=[describe_publishing(publishing) for publishing in answer.usage.environments],
        indexes=[describe_index(index, hosts) for index in answer.indexes],
        platforms=[d.MemberDocument(member.digest, member.platform) for member in answer.platforms],
        whole=answer.usage.is_whole,
    )


def describe_quarantined(answer: a.Quarantined) -> d.QuarantinedDocument:
    """Something that was quarantined."""
    at = format_instant(answer.received_at, 6)
    sha256 = answer.sha256.hex() if answer.sha256 is not None else None
    return d.QuarantinedDocument(answer.seq, at, answer.registry, answer.reason, answer.size, sha256)


def describe_traffic(answer: a.Traffic) -> d.TrafficDocument:
    """A day's count of one action."""
    return d.TrafficDocument(answer.registry, answer.day, answer.action, answer.events)


def describe_registries(heard: Iterable[a.HeardRegistry], rules: Rules) -> list[d.RegistryDocument]:
    """Every registry that is configured or was heard of, by name."""
    by_name = {registry.registry: registry for registry in heard}
    configured = {registry.name: registry for registry in rules.registries}
    return [
        _describe_registry(name, by_name.get(name), configured.get(name))
        for name in sorted(by_name.keys() | configured.keys())
    ]


def _describe_registry(
    name: str, heard: a.HeardRegistry | None, configured: RegistryIdentity | None
) -> d.RegistryDocument:
    called = heard.host or None if heard else None
    return d.RegistryDocument(
        registry=name,
        configured=configured is not None,
        host=(configured.host if configured else None) or called,
        aliases=list(configured.aliases) if configured else [],
        authentication=configured.authentication if configured else None,
        instance=heard.instance if heard else None,
        first_seen=format_instant(heard.first_seen_at, 6) if heard else None,
        last_seen=format_instant(heard.last_seen_at, 6) if heard else None,
        starts=heard.starts if heard else 0,
    )


def describe_delivery(answer: DeliveryAnswer) -> d.DeliveryDocument:
    """A message to a channel."""
    delivery = answer.delivery
    return d.DeliveryDocument(
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


def describe_attempted(found: AttemptedDelivery) -> d.AttemptedDocument:
    """A message with every try to send it."""
    return d.AttemptedDocument(describe_delivery(found.answer), [_describe_attempt(each) for each in found.attempts])


def _describe_attempt(attempt: Attempt) -> d.AttemptDocument:
    return d.AttemptDocument(
        number=attempt.number,
        at=format_instant(attempt.at),
        outcome=attempt.outcome,
        status=attempt.status,
        detail=attempt.detail or None,
    )
