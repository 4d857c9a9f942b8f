"""Every answer carries the security headers: each route, each failure, with a token or without."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from tests.api_client import bearer
from tests.application import OPEN, SEER, open_application
from tests.conftest import Ledger
from tests.events import digest_of, push

VALUES = {
    "registry": "main",
    "repository": "team/app",
    "tag": "prod",
    "digest": digest_of("one"),
    "seq": 1,
    "environment": "production",
    "delivery": "none",
    "id": "none",
    "suffix": "csv",
    "content_hash": "0",
    "name": "style.css",
}
ALWAYS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest.fixture
def client(ledger: Ledger, tmp_path: Path) -> FlaskClient:
    ledger.receive(push("prod", "one", 1))
    return open_application(ledger, tmp_path, OPEN + f"access: {{read: [{{value: {SEER}}}]}}\n")


def addresses(client: FlaskClient) -> list[str]:
    adapter = client.application.url_map.bind("localhost")

    def address(rule: Rule) -> str:
        return adapter.build(rule.endpoint, {name: VALUES[name] for name in rule.arguments if name in VALUES})

    rules = client.application.url_map.iter_rules()
    return [*sorted({address(rule) for rule in rules}), "/no/such/page", "/api/v1/none", "/?form=xml"]


@pytest.mark.parametrize("token", [None, SEER, "unknown"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_every_answer_has_the_security_headers(
    client: FlaskClient, token: str | None, method: str, accept: str
) -> None:
    found = addresses(client)
    assert len(found) > 30
    for address in found:
        if address == "/events":
            continue
        headers = {"Accept": accept, **(bearer(token) if token else {})}
        with client.open(address, method=method, headers=headers) as answer:
            assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS, address
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; ")
            assert "frame-ancestors 'none'" in policy
            assert "base-uri 'none'" in policy
            assert ("script-src 'self'" in policy) == (answer.mimetype == "text/html"), address
            assert {"Authorization", "Cookie"} <= set(answer.vary.as_set(preserve_casing=True)), address
            assert answer.headers["Cache-Control"], address
