"""A client of the API over a ledger, and events to query."""

import random

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tagtrail.access.callers import Authenticator
from tagtrail.api.blueprint import make_api_blueprint
from tagtrail.api.export import make_export_blueprint
from tagtrail.api.problems import register_errors
from tagtrail.app import add_security_headers
from tagtrail.config.channels import ConsoleConfig
from tagtrail.config.model import NotifyConfig, RouteConfig
from tagtrail.ledger.record import Recorder
from tagtrail.notify.outbox import make_outbox
from tagtrail.tlog.signer import LogPlace, LogSigner
from tagtrail.trail.rules import EnvironmentRule, RegistryIdentity, Rules
from tests.conftest import Ledger
from tests.events import INDEX, MANIFEST, SomeEvent, delete_digest, delete_tag, digest_of, envelope, push

RULES = Rules(
    environments=(
        EnvironmentRule("production", "**", "prod"),
        EnvironmentRule("staging", "**", "staging"),
        EnvironmentRule("lab", "lab/*", "latest", registry="main"),
    ),
    registries=(RegistryIdentity("main", "registry.example:5000", ("mirror.example",)),),
)


def tell(ledger: Ledger) -> None:
    """Give the ledger an outbox with one channel, which no dispatcher serves."""
    config = NotifyConfig(channels=(ConsoleConfig(name="ops"),), routes=(RouteConfig(("ops",)),))
    ledger.recorder = Recorder(ledger.store, clock=ledger.clock, outbox=make_outbox(config, clock=ledger.clock))


def make_app(ledger: Ledger, access: Authenticator | None = None) -> Flask:
    """An application with the API alone."""
    app = Flask("api", static_folder=None)
    app.after_request(add_security_headers)
    register_errors(app)
    access = access or Authenticator()
    blueprint = make_api_blueprint(store=ledger.store, recorder=ledger.recorder, access=access)
    app.register_blueprint(blueprint, url_prefix="/api/v1")
    directory = ledger.store.directory
    place = LogPlace("tagtrail.example", directory / "log-key.pem", directory / "journal")
    sign = LogSigner(ledger.store, place, clock=ledger.clock).sign
    export = make_export_blueprint(store=ledger.store, recorder=ledger.recorder, access=access, sign=sign)
    app.register_blueprint(export, url_prefix="/api/v1")
    return app


def make_client(ledger: Ledger, access: Authenticator | None = None) -> FlaskClient:
    """A client that calls the API as `localhost`."""
    return make_app(ledger, access).test_client()


def bearer(token: str) -> dict[str, str]:
    """The header that presents a token."""
    return {"Authorization": f"Bearer {token}"}


def story() -> list[SomeEvent]:
    """Releases 1.0.0 and 1.1.0, a rollback of prod, an overwritten 1.0.0, a deleted 1.1.0, and an index."""
    platform = {"mediaType": MANIFEST, "digest": digest_of("arm"), "platform": {"os": "linux", "architecture": "arm64"}}
    return [
        push("1.0.0", "one", 1, actor="alice"),
        push("stable", "one", 2, actor="alice"),
        push("prod", "one", 3, actor="bob"),
        push("1.1.0", "two", 10, actor="alice"),
        push("prod", "two", 12, actor="bob"),
        push("prod", "two", 13, actor="bob"),
        push("prod", "one", 20, actor="carol"),
        push("1.0.0", "three", 30, actor="mallory"),
        delete_digest("two", 40, actor="carol"),
        push(None, "arm", 50),
        push("2.0", "index", 51, media_type=INDEX, references=(platform,)),
        push("prod", "index", 60, media_type=INDEX, references=(platform,)),
        push("staging", "only", 61, repository="team/web"),
        push("latest", "lab", 62, repository="lab/x"),
        delete_tag("latest", 63, repository="lab/x"),
    ]


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    """The ledger after the story."""
    ledger.put_in_force(RULES)
    ledger.receive_body(envelope(*story()))
    return ledger


def some_events(seed: int, count: int) -> list[SomeEvent]:
    """Random pushes and deletes in a few repositories, tags and digests; one per second."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    events = []
    for at in range(1, count + 1):
        repository = chance.choice(["team/app", "team/web", "lab/x", "solo"])
        tag = chance.choice(["1.0", "1.1", "prod", "staging", "latest", None])
        content = chance.choice("abcdef")
        actor = chance.choice(["alice", "bob", ""])
        kind = chance.random()
        if kind < 0.8:
            events.append(push(tag, content, at, repository=repository, actor=actor))
        elif kind < 0.9:
            events.append(delete_tag(tag or "prod", at, repository=repository, actor=actor))
        else:
            events.append(delete_digest(content, at, repository=repository, actor=actor))
    return events
