"""The whole application over a ledger, as a configuration would have it, and the tokens of those who ask it."""

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
    """A client of the application; anybody may ask it unless the configuration says otherwise.

    The ledger's rules stay in force, unless the service `starts`: then those of the configuration are.
    """
    path = directory / "config.yml"
    path.write_text(configuration)
    config = with_ingest_token(load(path, data=ledger.store.directory, environ={}))
    if starts:
        ledger.put_in_force(config.rules)
    return create_app(config, store=ledger.store, clock=ledger.clock).test_client()
