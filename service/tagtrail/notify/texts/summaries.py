"""Summaries: a burst as one message, with the last digest of each tag."""

from collections.abc import Sequence
from typing import Final

from tagtrail.notify.message import Message, MessageTone
from tagtrail.notify.texts.style import MessageContext, image, named_digest
from tagtrail.store.messages import NamedDigest
from tagtrail.store.summaries import SummaryEnvironment, SummaryTag, TagSummary
from tagtrail.wording.text import counted

MOST_TAGS: Final = 20  # that are named

_NOUNS: Final = {
    "created": ("new tag", "new tags"),
    "moved": ("move", "moves"),
    "moved_back": ("move back", "moves back"),
    "deleted": ("delete", "deletes"),
}


def tell(context: MessageContext, summed: TagSummary, *, identity: str, lines: Sequence[int]) -> Message:
    """The summary as a message."""
    tags = summed.tags
    told: tuple[SummaryEnvironment | SummaryTag, ...] = (*summed.environments, *tags)
    places = list(dict.fromkeys(context.place(one.registry, one.repository) for one in told))
    where = places[0] if summed.repositories == 1 and places else f"{summed.repositories} repositories"
    sentences = [_counts(context, summed), *(_environment(context, one) for one in summed.environments)]
    sentences += [_row(context, tag) for tag in tags]
    if summed.tag_count > len(tags):
        rest = summed.tag_count - len(tags)
        sentences.append(f"And {counted(rest, 'more tag', 'more tags')}, not named here; `tagtrail log` has all of it.")
    tone: MessageTone = "alarm" if summed.violations else "warning" if summed.withdrawals else "notice"
    return Message(
        id=identity,
        kind="summary",
        tone=tone,
        title=_title(summed, where),
        sentences=tuple(sentences),
        occurred_at=summed.until,
        link=context.link(told[0].registry, told[0].repository) if summed.repositories == 1 and told else None,
        lines=tuple(lines),
        registry=_only([one.registry for one in told]),
        repository=_only([f"{one.registry}/{one.repository}" for one in told]) and told[0].repository,
    )


def _title(summed: TagSummary, where: str) -> str:
    changes = counted(summed.count, "change", "changes")
    violations = f", {counted(summed.violations, 'violation', 'violations')}" if summed.violations else ""
    tags = f" of {counted(summed.tag_count, 'tag', 'tags')}" if summed.tag_count else ""
    return f"{where}: {changes}{tags} at once{violations}"


def _counts(context: MessageContext, summed: TagSummary) -> str:
    """How much of what, and when."""
    told = [counted(count, *_NOUNS[kind]) for kind, count in summed.kinds.items() if count]
    if summed.deployments:
        told.append(counted(summed.deployments, "deployment", "deployments"))
    if summed.withdrawals:
        told.append(counted(summed.withdrawals, "withdrawal", "withdrawals"))
    since, until = context.when(summed.since), context.when(summed.until)
    when = context.at(summed.since) if since == until else f"from {since} to {until}"
    return f"{', '.join(told) or 'Nothing that still counts'}, {when}. By now:"


def _environment(context: MessageContext, one: SummaryEnvironment) -> str:
    """What was declared for an environment, as it is now."""
    place = f"{one.environment} of {context.place(one.registry, one.repository)}"
    if one.published is None:
        return f"Nothing is published for {place}"
    return f"{place} has {image(named_digest(one.published))}"


def _row(context: MessageContext, tag: SummaryTag) -> str:
    """A tag as it is now, which is never older than what was merged."""
    name = f"{context.place(tag.registry, tag.repository)}:{tag.tag}"
    present = "deleted" if tag.digest is None else image(NamedDigest(tag.digest, (), tag.releases))
    means = f" for {', '.join(tag.environments)}" if tag.environments else ""
    times = f", after {tag.moves} changes" if tag.moves > 1 else ""
    broken = ", VIOLATION: a release tag never moves" if tag.violates else ""
    return f"{name} is {present}{means}{times}{broken}"


def _only(names: Sequence[str]) -> str | None:
    return names[0] if len(set(names)) == 1 else None
