"""The words of deployments: the image published for an environment, the image before it, and how to roll back."""

from collections.abc import Sequence
from typing import Final

from tagtrail.notify.message import Fact, MessageTone
from tagtrail.notify.texts.draft import MessageContext, MessageDraft
from tagtrail.notify.texts.phrases import duration, from_to, image, message_image, pinned, retag_command, short
from tagtrail.store.deployments import EarlierDigest, RecordedDeployment
from tagtrail.store.environments import EnvironmentState
from tagtrail.store.messages import MessageDeployment, MessageImage
from tagtrail.trail.deployments import Direction
from tagtrail.trail.names import Reference

_UNPINNED: Final = (
    "No release tag names this image: push it under a version as well, so that it can be identified and deployed again."
)
_TONES: Final[dict[Direction, MessageTone]] = {
    "first": "good",
    "forward": "good",
    "back": "warning",
    "again": "notice",
}
_WEIGHTS: Final[dict[Direction, int]] = {"again": 0, "first": 1, "forward": 1, "back": 2}
_WITHDRAWAL_WEIGHT: Final = 3
_OUTDATED: Final = " (no longer current)"


def choose_headline(deployments: Sequence[MessageDeployment]) -> MessageDeployment:
    """The most important one: current before outdated, withdrawals and rollbacks before others, then the newest."""
    return max(reversed(deployments), key=_weigh)


def _weigh(one: MessageDeployment) -> tuple[bool, int]:
    weight = _WEIGHTS[one.recorded.direction] if one.recorded is not None else _WITHDRAWAL_WEIGHT
    return _is_current(one), weight


def draft(context: MessageContext, head: MessageDeployment, others: Sequence[MessageDeployment]) -> MessageDraft:
    """The message about a deployment; `others` are the deployments to further environments of the repository."""
    if head.recorded is None:
        return _draft_withdrawal(context, head, others)
    recorded, to = head.recorded, message_image(head.recorded)
    environments = _find_alike(head, others)
    sentences = [_describe(context, head, recorded, to, environments), *_describe_previous(head, recorded)]
    sentences += [
        sentence
        for one in others
        if one.environment not in environments
        for sentence in _describe_briefly(context, one)
    ]
    if recorded.unpinned:
        sentences.append(_UNPINNED)
    sentences += _describe_present(context, [head, *others])
    reference = pinned(context, head.registry, recorded.host, head.repository, to)
    title = f"{_title(head, recorded, to)}{_describe_earlier_run(context, head, recorded)}"
    tone: MessageTone = "warning" if recorded.unpinned else _TONES[recorded.direction]
    return MessageDraft(
        kind="declared" if recorded.basis == "declared" else "deployed",
        tone=tone if _is_current(head) else "notice",
        title=_headline(context, head, environments, title),
        sentences=(*sentences, *_warn_of_rollback(head)),
        registry=head.registry,
        repository=head.repository,
        tags=_tags([head, *others]),
        copy=(Fact("Pinned reference", reference, is_code=True), *_list_rollbacks(context, [head, *others])),
        facts=_change(recorded, context),
        environment=head.environment,
        digest=recorded.digest,
        previous_digest=head.previous.digest if head.previous else None,
        reference=reference,
    )


def describe_briefly(context: MessageContext, deployments: Sequence[MessageDeployment]) -> list[str]:
    """Deployments in sentences, after a more important change."""
    sentences = [sentence for one in deployments for sentence in _describe_briefly(context, one)]
    return [*sentences, *_describe_present(context, deployments)]


def _find_alike(head: MessageDeployment, others: Sequence[MessageDeployment]) -> list[str]:
    """The environments with the same change as the headline's, which comes first."""

    def change(one: MessageDeployment) -> tuple[object, ...]:
        recorded = one.recorded
        how = (recorded.direction, recorded.basis) if recorded else ()
        return (*how, one.previous.digest if one.previous else None)

    return list(dict.fromkeys([head.environment, *(one.environment for one in others if change(one) == change(head))]))


def _headline(context: MessageContext, head: MessageDeployment, environments: Sequence[str], what: str) -> str:
    place = f"{context.place(head.registry, head.repository)} in {', '.join(environments)}"
    return f"{place}: {what}{'' if _is_current(head) else _OUTDATED}"


def _title(head: MessageDeployment, recorded: RecordedDeployment, to: MessageImage) -> str:
    match recorded.direction:
        case "first":
            return f"{short(to)} (first deployment)"
        case "forward":
            return from_to(head.previous, to)
        case "back":
            return f"rollback to {short(to)}"
        case _:
            return f"{short(to)} declared" if recorded.basis == "declared" else f"{short(to)} again"


def _describe(
    context: MessageContext,
    head: MessageDeployment,
    recorded: RecordedDeployment,
    to: MessageImage,
    environments: Sequence[str],
) -> str:
    """The change, with both images."""
    if recorded.basis == "declared":
        return _describe_declared(context, head, recorded, to)
    tag = head.tag or ""
    before = f" from {image(head.previous)}" if head.previous else ""
    match recorded.direction:
        case "first":
            return f"{tag} is new: {image(to)}. Nothing was published for {' or '.join(environments)} before."
        case "back":
            return f"{tag} moved back{before} to {image(to)}."
        case "again":
            return f"{tag} names {image(to)}, which was already published for {head.environment}."
        case _:
            return f"{tag} moved{before} to {image(to)}."


def _describe_declared(
    context: MessageContext, head: MessageDeployment, recorded: RecordedDeployment, to: MessageImage
) -> str:
    what = f"A pipeline declared {image(to)} for {head.environment}"
    if recorded.direction == "again" and head.had is not None:
        return f"{what}, where it has been published since {context.when(head.had.since)}."
    if head.previous is None:
        return f"{what}. Nothing was published for it before."
    return f"{what}, in place of {image(head.previous)}."


def _describe_earlier_run(context: MessageContext, head: MessageDeployment, recorded: RecordedDeployment) -> str:
    """When the environment had the image of a rollback before."""
    if head.had is None or recorded.direction != "back":
        return ""
    return f", which {head.environment} had for {duration(head.had)} until {context.when(head.had.until)}"


def _describe_previous(head: MessageDeployment, recorded: RecordedDeployment) -> list[str]:
    if head.previous is None or head.lasted is None or recorded.direction == "again":
        return []
    return [f"Before, {head.environment} ran {short(head.previous)} for {duration(head.lasted)}."]


def _describe_briefly(context: MessageContext, one: MessageDeployment) -> list[str]:
    """Another environment's deployment in one sentence."""
    if one.recorded is None:
        return [f"{one.environment}: nothing is published any more, because its tag {one.tag} was deleted."]
    to = message_image(one.recorded)
    return [f"{one.environment}: {_title(one, one.recorded, to)}{_describe_earlier_run(context, one, one.recorded)}."]


def _is_current(one: MessageDeployment) -> bool:
    """Whether the environment still has the image that was published."""
    published = one.state.published if one.state else None
    digest = one.recorded.digest if one.recorded else None
    return digest == (published.digest if published else None)


def _describe_present(context: MessageContext, deployments: Sequence[MessageDeployment]) -> list[str]:
    """The present image of each environment that has changed since."""
    return [
        _describe_state(context, one.environment, one.state)
        for one in deployments
        if one.state is not None and not _is_current(one)
    ]


def _describe_state(context: MessageContext, environment: str, state: EnvironmentState) -> str:
    if state.published is None:
        since = context.when(state.withdrawn_at or 0)
        return f"No longer current: nothing has been published for {environment} since {since}."
    since = context.when(state.published.at)
    return f"No longer current: {environment} has had {image(message_image(state.published))} since {since}."


def _tags(deployments: Sequence[MessageDeployment]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.tag for one in deployments if one.tag is not None))


def _list_rollbacks(context: MessageContext, deployments: Sequence[MessageDeployment]) -> list[Fact]:
    """The rollback of each environment that still has the reported image."""
    has_several = len(deployments) > 1
    return [
        _make_rollback(context, one, one.state.roll_back_to, which=f" ({one.environment})" if has_several else "")
        for one in deployments
        if _is_current(one) and one.state and one.state.roll_back_to and _is_change(one)
    ]


def _is_change(one: MessageDeployment) -> bool:
    return one.recorded is None or one.recorded.direction != "again"


def _make_rollback(context: MessageContext, one: MessageDeployment, target: EarlierDigest, *, which: str) -> Fact:
    """The command for the rollback; for a declared deployment the reference that the pipeline should deploy."""
    name = short(message_image(target))
    is_undoing = one.recorded is not None and one.recorded.direction == "back"
    label = f"{'To undo, back' if is_undoing else 'To go back'} to {name}{which}"
    if one.recorded is None:
        label = f"To publish {name} again{which}"
    elif one.recorded.basis == "declared":
        return Fact(
            label, pinned(context, one.registry, target.host, one.repository, message_image(target)), is_code=True
        )
    rule = context.rules.environments_in(one.registry, one.repository).get(one.environment)
    image = Reference(one.repository, rule.tag, target.digest) if rule else None
    command = retag_command(context, one.registry, target.host, image) if image else None
    return Fact(label, command or f"tagtrail rollback {one.repository}@{one.environment}", is_code=True)


def _warn_of_rollback(head: MessageDeployment) -> list[str]:
    target = head.state.roll_back_to if head.state and _is_current(head) and _is_change(head) else None
    if target is None:
        return []
    name, warnings = short(message_image(target)), []
    if target.rolled_back and (head.recorded is None or head.recorded.direction != "back"):
        warnings.append(f"Think twice before you go back to {name}: it was itself rolled back.")
    if target.deleted:
        warnings.append(f"Going back to {name} may fail: the registry reported that it was deleted.")
    return warnings


def _change(recorded: RecordedDeployment, context: MessageContext) -> tuple[Fact, ...]:
    """The ticket or commit. A note may name people, so it needs `identities`."""
    facts = (Fact("Change", recorded.change or ""), Fact("Note", (recorded.note or "") if context.identities else ""))
    return tuple(fact for fact in facts if fact.value)


def _draft_withdrawal(
    context: MessageContext, head: MessageDeployment, others: Sequence[MessageDeployment]
) -> MessageDraft:
    environments = _find_alike(head, others)
    is_current = _is_current(head)
    sentences = [f"Its tag {head.tag} was deleted."]
    if head.previous is not None and head.lasted is not None:
        sentences.append(
            f"Before, {' and '.join(environments)} ran {image(head.previous)} for {duration(head.lasted)}."
        )
    sentences.append("Running containers keep running, but a new one that pulls this tag will fail.")
    sentences += [
        sentence
        for one in others
        if one.environment not in environments
        for sentence in _describe_briefly(context, one)
    ]
    sentences += _describe_present(context, [head, *others])
    what = "nothing is published any more" if is_current else "its tag was deleted"
    return MessageDraft(
        kind="deleted",
        tone="warning" if is_current else "notice",
        title=_headline(context, head, environments, what),
        sentences=(*sentences, *_warn_of_rollback(head)),
        registry=head.registry,
        repository=head.repository,
        tags=_tags([head, *others]),
        copy=tuple(_list_rollbacks(context, [head, *others])),
        environment=head.environment,
        previous_digest=head.previous.digest if head.previous else None,
    )
