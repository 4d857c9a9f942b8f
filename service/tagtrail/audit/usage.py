"""Where a digest was used, as documents: repositories, tags, environments and indexes."""

from tagtrail.audit import documents as d
from tagtrail.audit.naming import Hosts
from tagtrail.audit.times import format_optional, seconds_between
from tagtrail.store import answers as a
from tagtrail.trail.instant import format_instant


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
