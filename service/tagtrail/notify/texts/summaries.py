"""The words of summaries: many changes in one message, with the present digest of each tag."""

from collections.abc import Sequence
from typing import Final

from tagtrail.notify.message import Message, MessageTone
from tagtrail.notify.texts.draft import MessageContext
from tagtrail.notify.texts.phrases import image, message_image
from tagtrail.store.messages import MessageImage
from tagtrail.store.summaries import SummaryEnvironment, SummaryTag, TagSummary
from tagtrail.wording.line_text import VIOLATION
from tagtrail.wording.text import counted

MOST_TAGS: Final = 20  # tags that a summary names

_NOUNS: Final = {
    "created": ("new tag", "new tags"),
    "moved": ("move", "moves"),
    "moved_back": ("move back", "moves back"),
    "deleted": ("delete", "deletes"),
}


def compose(context: MessageContext, summary: TagSummary, *, identity: str, lines: Sequence[int]) -> Message:
    """The message of a summary."""
    named: tuple[SummaryEnvironment | SummaryTag, ...] = (*summary.environments, *summary.tags)
    places = list(dict.fromkeys(context.place(one.registry, one.repository) for one in named))
    where = places[0] if summary.repositories == 1 and places else f"{summary.repositories} repositories"
    sentences = [_describe_counts(context, summary)]
    sentences += [_describe_environment(context, one) for one in summary.environments]
    sentences += [_describe_tag(context, tag) for tag in summary.tags]
    if summary.tag_count > len(summary.tags):
        rest = counted(summary.tag_count - len(summary.tags), "more tag", "more tags")
        sentences.append(f"And {rest}; `tagtrail log` lists all changes.")
    tone: MessageTone = "alarm" if summary.violations else "warning" if summary.withdrawals else "notice"
    return Message(
        id=identity,
        kind="summary",
        tone=tone,
        title=_title(summary, where),
        sentences=tuple(sentences),
        occurred_at=summary.until,
        link=context.link(named[0].registry, named[0].repository) if summary.repositories == 1 and named else None,
        lines=tuple(lines),
        registry=_only([one.registry for one in named]),
        repository=_only([f"{one.registry}/{one.repository}" for one in named]) and named[0].repository,
    )


def _title(summary: TagSummary, where: str) -> str:
    changes = counted(summary.count, "change", "changes")
    violations = f", {counted(summary.violations, 'violation', 'violations')}" if summary.violations else ""
    tags = f" of {counted(summary.tag_count, 'tag', 'tags')}" if summary.tag_count else ""
    return f"{where}: {changes}{tags} at once{violations}"


def _describe_counts(context: MessageContext, summary: TagSummary) -> str:
    """The number of changes of each kind, and when they happened."""
    counts = [counted(count, *_NOUNS[kind]) for kind, count in summary.kinds.items() if count]
    if summary.deployments:
        counts.append(counted(summary.deployments, "deployment", "deployments"))
    if summary.withdrawals:
        counts.append(counted(summary.withdrawals, "withdrawal", "withdrawals"))
    since, until = context.when(summary.since), context.when(summary.until)
    when = context.at(summary.since) if since == until else f"from {since} to {until}"
    return f"{', '.join(counts)}, {when}. Now:"


def _describe_environment(context: MessageContext, one: SummaryEnvironment) -> str:
    """The present state of an environment for which a pipeline declared something."""
    name = f"{context.place(one.registry, one.repository)} in {one.environment}"
    if one.published is None:
        return f"{name}: nothing is published"
    return f"{name} is {image(message_image(one.published))}"


def _describe_tag(context: MessageContext, tag: SummaryTag) -> str:
    """The present state of a tag; it is at least as new as the merged deliveries."""
    name = f"{context.place(tag.registry, tag.repository)}:{tag.tag}"
    present = "deleted" if tag.digest is None else image(MessageImage(tag.digest, (), tag.releases))
    verb = "withdrawn from" if tag.digest is None else "published for"
    environments = f", {verb} {', '.join(tag.environments)}" if tag.environments else ""
    times = f", after {tag.moves} changes" if tag.moves > 1 else ""
    violation = f", {VIOLATION}" if tag.violates else ""
    return f"{name} is {present}{environments}{times}{violation}"


def _only(names: Sequence[str]) -> str | None:
    return names[0] if len(set(names)) == 1 else None
