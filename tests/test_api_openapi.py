"""The description of the API is true: the running application answers as it says, and refuses what it says."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from tagtrail.api.listings import LISTINGS
from tagtrail.api.openapi import describe_api
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.store.leases import end_attempt
from tagtrail.store.outbox import Attempt, Delivery, add_delivery
from tests.api_client import RULES, make_app, story
from tests.checker import check_ledger
from tests.conftest import Clock, Ledger
from tests.events import SomeEvent, digest_of, envelope

load_all_checks()
DELIVERY = "msg_019dabb6-3000-7000-8000-000000000001"
OPERATIONS = [
    (path, method, mode)
    for path, methods in describe_api()["paths"].items()
    for method, operation in methods.items()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or operation.get("parameters")  # else nothing can be unfitting
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """An application with something in every list, shared by all tests."""
    store = Store(tmp_path_factory.mktemp("openapi") / "data")
    store.prepare()
    clock = Clock()
    ledger = Ledger(store, Recorder(store, clock=clock), clock)
    ledger.put_in_force(RULES)
    ledger.receive_body(envelope(*story()))
    ledger.receive_body(b"junk")
    ledger.receive(SomeEvent(action="pull", digest=digest_of("one"), tag="prod", at=70))
    at = clock()
    failed = Delivery(DELIVERY, "ops", "main/team/app", "line 3", "failed", at, at, at, attempts=1, finished_at=at)
    with store.writing() as tx:
        add_delivery(tx, failed, lines=[3])
        end_attempt(tx, Attempt(DELIVERY, 1, at, "failed", "no such hook", 404))
    yield make_app(ledger)
    check_ledger(store)
    store.close()


@pytest.fixture(scope="module")
def api(app: Flask) -> Any:
    """The description as the application serves it."""
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)


@pytest.mark.parametrize(("path", "method", "mode"), OPERATIONS)
def test_every_operation_answers_as_described(api: Any, path: str, method: str, mode: GenerationMode) -> None:
    operation = api[path][method]

    @settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            make_answerable(case)
        case.call_and_validate(excluded_checks=[CHECKS.get_one("positive_data_acceptance")])

    run()


def make_answerable(case: Any) -> None:
    """Put in place what a schema cannot say: a cursor that was given, years that there are, a tag that is known."""
    case.query.pop("cursor", None)
    times = {"since": "2026-04-20T12:00:10Z", "until": "2026-04-22T12:00:00+02:00", "at": "2026-04-20T12:00:30Z"}
    case.query |= {name: time for name, time in times.items() if name in case.query}
    if "seq" in case.path_parameters:
        case.path_parameters["seq"] = 1  # a line that there is
    if "id" in case.path_parameters:
        case.path_parameters["id"] = DELIVERY
    if case.path == "/history":
        case.query |= {"repository": "team/app", "tag": "prod", "registry": "main"}


EXAMPLES = [
    *(f"/{listing.name}" for listing in LISTINGS if not listing.required),
    "/history?repository=team/app&tag=prod",
    "/history?repository=team/app&tag=1.1.0",
    "/tags?at=2026-04-20T12:00:15Z",
    "/environments?at=2026-04-20T12:00:15Z",
    f"/digests/{digest_of('one')}",
    f"/digests/{digest_of('arm')}",
    f"/digests/{digest_of('index')}",
    f"/deliveries/{DELIVERY}",
]


@pytest.mark.parametrize("path", EXAMPLES)
def test_real_answers_fit_their_schemas_and_leave_nothing_undescribed(app: Flask, path: str) -> None:
    description = describe_api()
    operation = path.partition("?")[0]
    operation = "/digests/{digest}" if operation.startswith("/digests") else operation
    operation = "/deliveries/{id}" if operation.startswith("/deliveries/") else operation
    content = description["paths"][operation]["get"]["responses"]["200"]["content"]
    schema = content["application/json"]["schema"] | {"components": description["components"]}
    body: Any = app.test_client().get(f"/api/v1{path}").json
    assert body.get("items", body)
    jsonschema.validate(body, closed(schema), cls=jsonschema.Draft202012Validator)


def closed(schema: Any) -> Any:
    """The schema without room for a property that it does not name."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: closed(part) for name, part in schema.items()}
    return parts | {"additionalProperties": False} if "properties" in schema else parts


def test_the_description_is_served_and_its_schemas_are_valid(app: Flask) -> None:
    answer = app.test_client().get("/api/v1/openapi.json")
    assert answer.mimetype == "application/json"
    assert answer.json == json.loads(json.dumps(describe_api()))
    assert answer.json["openapi"].startswith("3.1.")
    for described in describe_api()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(described)


def test_every_route_is_described(app: Flask) -> None:
    paths = describe_api()["paths"]
    described = {
        path.replace("{digest}", "<digest>").replace("{seq}", "<int:seq>").replace("{id}", "<id>") for path in paths
    }
    for rule in app.url_map.iter_rules():
        path = rule.rule.removeprefix("/api/v1")
        if "<any(json, csv, ndjson):suffix>" in path:
            stem = path.partition(".")[0]
            assert {f"{stem}.{suffix}" for suffix in ("json", "csv", "ndjson")} <= described
        else:
            assert path in described
