"""Messages for tests: three as they are sent every day, and one made of whatever a hostile registry user can say."""

from dataclasses import replace
from typing import Any

from tagtrail.notify.message import Fact, Message
from tagtrail.trail.instant import parse_instant
from tests.events import digest_of
from tests.typical_messages import channel_config

NEW, OLD = digest_of("1.0.0"), digest_of("1.1.0")
PINNED = f"registry.example:5000/team/my_app:prod@{NEW}"
GO_BACK = f"skopeo copy --all docker://registry.example:5000/team/my_app@{OLD} docker://registry.example:5000/team/my_app:prod"

ROLLBACK = Message(
    id="msg_01920000-0000-7000-8000-000000000001",
    kind="deployed",
    tone="warning",
    title="production of team/my_app: rollback to 1.0.0",
    sentences=(
        "prod moved back from 1.1.0 to 1.0.0, which production had for 3 days until yesterday 14:03.",
        "1.1.0 had been in production for 22 min.",
    ),
    occurred_at=parse_instant("2026-04-21T14:03:12Z"),
    facts=(
        Fact("Now", f"1.0.0 {NEW[:19]}", is_code=True),
        Fact("Before", f"1.1.0 {OLD[:19]}", is_code=True),
        Fact("By", "alice"),
        Fact("From", "192.0.2.7, docker/27.1"),
    ),
    copy=(Fact("Pinned reference", PINNED, is_code=True), Fact("To go back", GO_BACK, is_code=True)),
    link="https://tagtrail.example/r/main/team/my_app?tag=prod&at=41",
    lines=(41, 42),
    environment="production",
    registry="main",
    repository="team/my_app",
    tags=("prod",),
    digest=NEW,
    previous_digest=OLD,
    reference=PINNED,
    actor="alice",
)
VIOLATION = replace(
    ROLLBACK,
    kind="violation",
    tone="alarm",
    title="Violation: the release tag 1.0.0 of team/my_app moved",
    sentences=(
        "1.0.0 is a release tag, which never moves, and it was moved.",
        "Whoever pulls 1.0.0 now gets something else. Find out who pushed it, and push the old digest back.",
    ),
    facts=(Fact("Was", NEW, is_code=True), Fact("Is", OLD, is_code=True)),
    lines=(77,),
)
ALERT = Message(
    id="msg_01920000-0000-7000-8000-000000000002",
    kind="alert",
    tone="alarm",
    title="Registry main is silent",
    sentences=("Its last event came on 2026-04-20 at 14:03 UTC.",),
    occurred_at=parse_instant("2026-04-21T14:03:12Z"),
)
EVERYDAY = (ROLLBACK, VIOLATION, ALERT)


def said_by(text: str, *, copied: str = PINNED, link: str | None = ROLLBACK.link) -> Message:
    """A message all of whose words are these."""
    return replace(
        ROLLBACK,
        title=text,
        sentences=(text, f"by {text} from {text}", text),
        facts=(Fact(text, text), Fact("Agent", text), Fact("Digest", text, is_code=True)),
        copy=(Fact("Reference", copied, is_code=True), Fact(text, text, is_code=True)),
        link=link,
        repository=text,
        tags=(text, text),
        actor=text,
    )


SECRETS = {
    "slack": {"url": "/services/T0/B0/s3cret-of-slack"},
    "discord": {"url": "/api/webhooks/1/s3cret-of-discord?thread_id=7"},
    "teams": {"url": "/workflows/1/triggers?sig=s3cret-of-teams"},
    "googlechat": {"url": "/v1/spaces/A/messages?key=k&token=s3cret-of-google"},
    "matrix": {"token": "s3cret-of-matrix"},
    "telegram": {"token": "110201543:s3cret-of-telegram"},
}


def configuration(kind: str, server: str = "https://chat.example", **changes: Any) -> Any:
    """A channel of the kind that posts to this server."""
    secrets = {name: server + value if name == "url" else value for name, value in SECRETS.get(kind, {}).items()}
    settings = {
        "matrix": {"homeserver": server, "room": "!room:matrix.example"},
        "telegram": {"chat": "-1001", "server": server},
    }.get(kind, {})
    return channel_config(kind, name="ops-chat", secrets=secrets, **settings, **changes)
