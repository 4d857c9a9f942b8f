"""The whole application over a ledger, built from a configuration, and the tokens of its callers."""

from pathlib import Path

from flask.testing import FlaskClient

from tagtrail.app import create_app
from tagtrail.config.load import load, with_ingest_token
from tests.conftest import Ledger

READER, SEER, DEPLOYER = "the-token-of-a-reader", "the-token-of-a-seer-1", "the-token-of-a-deployer"
INGEST = "the-token-of-main-01"
OPEN = f"registries: [{{name: main, host: 'registry.example:5000', tokens: [{{value: {INGEST}}}]}}]\n"
GUARDED = f"""{OPEN}
access:
  read: [{{value: {READER}}}, {{value: {SEER}}}, {{value: {DEPLOYER}}}]
  identity: [{{value: {SEER}}}]
  deploy: [{{value: {DEPLOYER}}}]
  proxy: {{addresses: [192.0.2.1], user_header: X-User, everyone: [read]}}
"""


def open_application(
    ledger: Ledger, directory: Path, configuration: str = OPEN, *, starts: bool = False
) -> FlaskClient:
    """A client of the application, with open access unless the configuration says otherwise.

    The ledger's rules stay in force, unless the service `starts`: then the configuration's rules do.
    """
    path = directory / "config.yml"
    path.write_text(configuration)
    config = with_ingest_token(load(path, data=ledger.store.directory, environ={}))
    if starts:
        ledger.put_in_force(config.rules)
    return create_app(config, store=ledger.store, clock=ledger.clock).test_client()
