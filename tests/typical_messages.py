"""Channel configurations, three typical messages, and one made of hostile text."""

from typing import Any

from msgspec.structs import fields

from tagtrail.config.channels import CHANNEL_TYPES
from tagtrail.config.section import unwrap
from tagtrail.notify.message import Fact, Message
from tagtrail.trail.instant import parse_instant

NEW, OLD = f"sha256:{'b1' * 32}", f"sha256:{'a0' * 32}"
REFERENCE = f"registry.example:5000/team/app:prod@{OLD}"
LINK = "https://tagtrail.example/registries/main/team/app:prod"

# What a registry's clients can call themselves, and what must come out of no channel alive.
NASTY = (
    "@everyone <!channel> <@U123> @here #general",
    "Subject: x\r\nBcc: all@victim.example\r\n\r\nforged",
    "[click](https://evil.example) **bold** <b>html</b> <script>alert(1)</script>",
    "\x1b[31mred\x07\x00\x7f\x85\u2028line",
    "\u202egnp.exe\u2066\u200f",
    "=?utf-8?q?=0D=0ABcc:_all=40victim.example?=",
    "{{ 7 * 7 }} {% raw %}",
    "x" * 10_000,
    "half \ud83d a pair \udc00",
)


def channel_config(
    kind: str, *, name: str | None = None, secrets: dict[str, str] | None = None, **more: Any
) -> Any:  # the struct of that kind
    """A channel's configuration; `secrets` become the secrets of the types that the kind has."""
    struct = CHANNEL_TYPES[kind]
    types = {field.name: unwrap(field.type)[0] for field in fields(struct)}
    hidden = {key: types[key](text) for key, text in (secrets or {}).items()}
    return struct(name=name or f"ops-{kind}", **hidden, **more)


def rollback() -> Message:
    return Message(
        id="msg_0196510e-6c3f-7cc0-8a4e-3e2f5d1c9b7a",
        kind="deployed",
        tone="warning",
        title="team/app in production: rollback to 1.0.0, which production had for 3 days until yesterday 14:03 UTC",
        sentences=(
            "prod moved back from 1.1.0 (sha256:b1b1b1b1b1b1) to 1.0.0 (sha256:a0a0a0a0a0a0).",
            "Before, production ran 1.1.0 for 22 h.",
        ),
        occurred_at=parse_instant("2026-04-20T14:03:00.123456789Z"),
        facts=(
            Fact("By", "dora"),
            Fact("From", "192.0.2.7, docker/27"),
        ),
        copy=(Fact("Pinned reference", REFERENCE, is_code=True),),
        link=LINK,
        lines=(41,),
        environment="production",
        registry="main",
        repository="team/app",
        tags=("prod",),
        digest=OLD,
        previous_digest=NEW,
        reference=REFERENCE,
        actor="dora",
    )


def violation() -> Message:
    return Message(
        id="msg_0196510f-0000-7000-8000-000000000002",
        kind="violation",
        tone="alarm",
        title="Release tag moved: team/app:1.0.0",
        sentences=("1.0.0 is a release tag and must never move.", "Ask who pushed it, and push it back."),
        occurred_at=parse_instant("2026-04-20T15:00:00Z"),
        copy=(
            Fact("To put it back", f"skopeo copy docker://{REFERENCE} docker://registry.example:5000/team/app:1.0.0"),
        ),
        link=LINK,
        lines=(42,),
        registry="main",
        repository="team/app",
        tags=("1.0.0",),
        digest=NEW,
        previous_digest=OLD,
    )


def alert() -> Message:
    return Message(
        id="msg_01965110-0000-7000-8000-000000000003",
        kind="alert",
        tone="alarm",
        title="Registry main is silent",
        sentences=("Its last event came on 2026-04-19 at 14:03 UTC.", "Check that it still sends its notifications."),
        occurred_at=parse_instant("2026-04-20T14:03:00Z"),
    )


TYPICAL = (rollback, violation, alert)


def nasty(text: str) -> Message:
    """The worst message: one text everywhere that an event can put one."""
    return Message(
        id="msg_01965111-0000-7000-8000-000000000004",
        kind="moved",
        tone="notice",
        title=f"moved by {text}",
        sentences=(f"It was {text}.", text),
        occurred_at=parse_instant("2026-04-20T14:03:00Z"),
        facts=(Fact("User agent", text), Fact("Digest", text, is_code=True)),
        copy=(Fact("Pinned reference", REFERENCE, is_code=True), Fact("Command", text, is_code=True)),
        link=LINK,
        lines=tuple(range(50)),
        registry="main",
        repository=text,
        tags=(text,),
        reference=f"registry.example/{text}",
        actor=text,
    )
