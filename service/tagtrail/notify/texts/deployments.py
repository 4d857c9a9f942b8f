"""Deployments: what was published for an environment, in which direction it went, and how to go back."""

from collections.abc import Sequence
from typing import Final

from tagtrail.notify.message import Fact, MessageTone
from tagtrail.notify.texts.style import (
    MessageContext,
    MessageDraft,
    from_to,
    image,
    lasted,
    named_digest,
    pinned,
    putting_back,
    short,
)
from tagtrail.store.deployments import EarlierDigest, RecordedDeployment
from tagtrail.store.environments import EnvironmentState
from tagtrail.store.messages import MessageDeployment, NamedDigest
from tagtrail.trail.deployments import Direction
from tagtrail.trail.names import Reference

_UNPINNED: Final = (
    "No release tag names this image: push it under a version as well, so that people know it and can come back to it."
)
_TONES: Final[dict[Direction, MessageTone]] = {"first": "good", "forward": "good", "back": "warning", "again": "notice"}
_WEIGHTS: Final[dict[Direction, int]] = {"again": 0, "first": 1, "forward": 1, "back": 2}
_WEIGHT_OF_WITHDRAWAL: Final = 3
_MOVED_ON: Final = " (moved on since)"


def choose_headline(deployments: Sequence[MessageDeployment]) -> MessageDeployment:
    """The one to be told first: what still is so, what takes something away before what adds something, the newest."""
    return max(reversed(deployments), key=_weight)


def _weight(one: MessageDeployment) -> tuple[bool, int]:
    weight = _WEIGHTS[one.answer.direction] if one.answer is not None else _WEIGHT_OF_WITHDRAWAL
    return _is_present(one), weight


def tell(context: MessageContext, head: MessageDeployment, others: Sequence[MessageDeployment]) -> MessageDraft:
    """The deployment as a message; `others` are further environments of the same repository."""
    if head.answer is None:
        return _tell_withdrawal(context, head, others)
    answer, to = head.answer, named_digest(head.answer)
    places = _environments(head, others)
    alike = [one for one in others if one.environment in places]
    is_superseded = not _is_present(head)
    sentences = [_what(context, head, answer, to, places), *_ran_before(head, answer)]
    sentences += [sentence for one in others if one not in alike for sentence in _briefly(context, one)]
    if answer.unpinned:
        sentences.append(_UNPINNED)
    sentences += _since_then(context, [head, *others])
    reference = pinned(context, head.registry, answer.host, head.repository, to)
    return MessageDraft(
        kind="declared" if answer.basis == "declared" else "deployed",
        tone="notice" if is_superseded else "warning" if answer.unpinned else _TONES[answer.direction],
        title=_headline(context, head, places, f"{_title(head, answer, to)}{_which_ran(context, head, answer)}"),
        sentences=(*sentences, *_warnings(head)),
        registry=head.registry,
        repository=head.repository,
        tags=_tags([head, *others]),
        copy=(Fact("Pinned reference", reference, is_code=True), *_ways_back(context, [head, *others])),
        facts=_change(answer, context),
        environment=head.environment,
        digest=answer.digest,
        previous_digest=head.previous.digest if head.previous else None,
        reference=reference,
    )


def briefly(context: MessageContext, deployments: Sequence[MessageDeployment]) -> list[str]:
    """Deployments as sentences beside something more urgent."""
    told = [sentence for one in deployments for sentence in _briefly(context, one)]
    return [*told, *_since_then(context, deployments)]


def name_of(published: EarlierDigest | RecordedDeployment) -> str:
    """What was published, in few words."""
    return short(named_digest(published))


def _environments(head: MessageDeployment, others: Sequence[MessageDeployment]) -> list[str]:
    """The environments that went the same way at once, the headline's first."""

    def way(one: MessageDeployment) -> tuple[object, ...]:
        answer = one.answer
        way = (answer.direction, answer.basis) if answer else ()
        return (*way, one.previous.digest if one.previous else None)

    return list(dict.fromkeys([head.environment, *(one.environment for one in others if way(one) == way(head))]))


def _headline(context: MessageContext, head: MessageDeployment, places: Sequence[str], what: str) -> str:
    moved_on = "" if _is_present(head) else _MOVED_ON
    return f"{', '.join(places)} of {context.place(head.registry, head.repository)}: {what}{moved_on}"


def _title(head: MessageDeployment, answer: RecordedDeployment, to: NamedDigest) -> str:
    match answer.direction:
        case "first":
            return f"{short(to)} (first deployment)"
        case "forward":
            return from_to(head.previous, to)
        case "back":
            return f"rollback to {short(to)}"
        case _:
            return f"{short(to)} declared" if answer.basis == "declared" else f"{short(to)} again"


def _what(
    context: MessageContext, head: MessageDeployment, answer: RecordedDeployment, to: NamedDigest, places: Sequence[str]
) -> str:
    """What happened, with both images and where they come from."""
    before = f" from {image(head.previous)}" if head.previous else ""
    if answer.basis == "declared":
        return _declared(context, head, answer, to)
    tag = head.tag or ""
    match answer.direction:
        case "first":
            return f"{tag} is new: {image(to)}. Nothing was published for {' or '.join(places)} before."
        case "back":
            return f"{tag} went back{before} to {image(to)}."
        case "again":
            return f"{tag} names {image(to)} again, which {head.environment} had before."
        case _:
            return f"{tag} moved{before} to {image(to)}."


def _declared(context: MessageContext, head: MessageDeployment, answer: RecordedDeployment, to: NamedDigest) -> str:
    before = f", in place of {image(head.previous)}" if head.previous else ""
    what = f"A pipeline declared {image(to)} for {head.environment}"
    if answer.direction == "again" and head.had is not None:
        return f"{what}; it was published there already, since {context.when(head.had.since)}."
    return f"{what}{before or '. Nothing was published for it before'}."


def _which_ran(context: MessageContext, head: MessageDeployment, answer: RecordedDeployment) -> str:
    """When the environment had it before, of a rollback."""
    if head.had is None or answer.direction != "back":
        return ""
    return f", which {head.environment} ran for {lasted(head.had)} until {context.when(head.had.until)}"


def _ran_before(head: MessageDeployment, answer: RecordedDeployment) -> list[str]:
    if head.previous is None or head.lasted is None or answer.direction == "again":
        return []
    return [f"{head.environment} had run {short(head.previous)} for {lasted(head.lasted)}."]


def _briefly(context: MessageContext, one: MessageDeployment) -> list[str]:
    """Another environment's deployment in one sentence."""
    if one.answer is None:
        return [f"Nothing is published for {one.environment} any more: its tag {one.tag} was deleted."]
    to = named_digest(one.answer)
    return [f"{one.environment}: {_title(one, one.answer, to)}{_which_ran(context, one, one.answer)}."]


def _is_present(one: MessageDeployment) -> bool:
    """Whether what was published is what is published now."""
    published = one.state.published if one.state else None
    digest = one.answer.digest if one.answer else None
    return digest == (published.digest if published else None)


def _since_then(context: MessageContext, told: Sequence[MessageDeployment]) -> list[str]:
    """Where an environment has moved on: what it has by now, so that nothing old is taken for the present."""
    return [_now(context, one.environment, one.state) for one in told if one.state is not None and not _is_present(one)]


def _now(context: MessageContext, environment: str, state: EnvironmentState) -> str:
    if state.published is None:
        return f"It has moved on: nothing is published for {environment} since {context.when(state.withdrawn_at or 0)}."
    present = image(named_digest(state.published))
    return f"It has moved on: {environment} has {present} since {context.when(state.published.at)}."


def _tags(told: Sequence[MessageDeployment]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.tag for one in told if one.tag is not None))


def _ways_back(context: MessageContext, told: Sequence[MessageDeployment]) -> list[Fact]:
    """How to go back, for each environment that still has what is told."""
    return [
        _way_back(context, one, one.state.roll_back_to, which=f" ({one.environment})" if len(told) > 1 else "")
        for one in told
        if _is_present(one) and one.state and one.state.roll_back_to and _changes(one)
    ]


def _changes(one: MessageDeployment) -> bool:
    return one.answer is None or one.answer.direction != "again"


def _way_back(context: MessageContext, one: MessageDeployment, target: EarlierDigest, *, which: str) -> Fact:
    is_undoing = one.answer is not None and one.answer.direction == "back"
    label = f"{'To undo, back' if is_undoing else 'To go back'} to {name_of(target)}{which}"
    if one.answer is None:
        label = f"To publish {name_of(target)} again{which}"
    rule = context.rules.environments_in(one.registry, one.repository).get(one.environment)
    if one.answer is not None and one.answer.basis == "declared":
        return Fact(
            label, pinned(context, one.registry, target.host, one.repository, named_digest(target)), is_code=True
        )
    image = Reference(one.repository, rule.tag, target.digest) if rule else None
    command = putting_back(context, one.registry, target.host, image) if image else None
    return Fact(label, command or f"tagtrail rollback {one.repository}@{one.environment}", is_code=True)


def _warnings(head: MessageDeployment) -> list[str]:
    target = head.state.roll_back_to if head.state and _is_present(head) and _changes(head) else None
    if target is None:
        return []
    warnings = []
    if target.rolled_back and (head.answer is None or head.answer.direction != "back"):
        warnings.append(f"Think twice before going back to {name_of(target)}: it was itself left by going back.")
    if target.deleted:
        warnings.append(f"Going back to {name_of(target)} may fail: the registry has reported its deletion.")
    return warnings


def _change(answer: RecordedDeployment, context: MessageContext) -> tuple[Fact, ...]:
    """The ticket or the commit; a note, in which people may be named, only for those who may know them."""
    facts = (Fact("Change", answer.change or ""), Fact("Note", (answer.note or "") if context.identities else ""))
    return tuple(fact for fact in facts if fact.value)


def _tell_withdrawal(
    context: MessageContext, head: MessageDeployment, others: Sequence[MessageDeployment]
) -> MessageDraft:
    places = _environments(head, others)
    alike = [one for one in others if one.environment in places]
    is_superseded = not _is_present(head)
    sentences = [f"Its tag {head.tag} was deleted."]
    if head.previous is not None and head.lasted is not None:
        sentences.append(f"{' and '.join(places)} had run {image(head.previous)} for {lasted(head.lasted)}.")
    sentences.append("What runs goes on running, but whatever starts anew finds no image under this tag.")
    sentences += [sentence for one in others if one not in alike for sentence in _briefly(context, one)]
    sentences += _since_then(context, [head, *others])
    what = "its tag was deleted" if is_superseded else "nothing is published any more"
    return MessageDraft(
        kind="deleted",
        tone="notice" if is_superseded else "warning",
        title=_headline(context, head, places, what),
        sentences=(*sentences, *_warnings(head)),
        registry=head.registry,
        repository=head.repository,
        tags=_tags([head, *others]),
        copy=tuple(_ways_back(context, [head, *others])),
        environment=head.environment,
        previous_digest=head.previous.digest if head.previous else None,
    )
