"""The one place where the parts of the web application meet."""

from collections.abc import Callable

from flask import Flask

from tagtrail.config.model import Config
from tagtrail.health import Readiness, make_health_blueprint
from tagtrail.intake.endpoint import EventsEndpoint
from tagtrail.intake.tokens import IngestTokens, Sender
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.trail.instant import now


def create_app(config: Config, *, store: Store, clock: Callable[[], int] = now) -> Flask:
    """The WSGI application over a prepared store. `config` has its ingest tokens; `clock` gives our time."""
    app = Flask("tagtrail", static_folder=None)
    recorder = Recorder(store, clock=clock)
    app.register_blueprint(make_health_blueprint(Readiness(store)))
    app.wsgi_app = EventsEndpoint(  # type: ignore[method-assign]  # as Flask's documentation says to wrap it
        app.wsgi_app,
        tokens=ingest_tokens(config),
        recorder=recorder,
        clock=clock,
        body_limit=config.limits.body,
    )
    return app


def ingest_tokens(config: Config) -> IngestTokens:
    """Each configured token with the registry it stands for."""
    return IngestTokens(
        (token.digest, Sender(registry.name, authenticates=registry.authentication != "none"))
        for registry in config.registries
        for token in registry.tokens
    )
