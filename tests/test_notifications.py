"""The block for the registry's config.yml: valid YAML, and understood by the real registry."""

import hashlib
import http.client
import json
import os
import queue
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tagtrail.config.load import load, with_ingest_token
from tagtrail.config.model import Config, RegistryConfig
from tagtrail.config.notifications import (
    BLOCK_FORMS,
    BlockForm,
    choose_registry,
    endpoint_url,
    render_notifications,
)
from tagtrail.config.secrets import IngestToken
from tagtrail.config.values import ListenAddress
from tagtrail.errors import ConfigurationError

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
PRESENTED = "tt_-._~+/0123456789==$'$a"


def configured(text: str = "tt_0123456789abcdef", *, url: str | None = None, listen: str = "127.0.0.1:8080") -> Config:
    config = load(environ={})
    return replace(
        config,
        listen=ListenAddress(listen),
        public_url=url,
        registries=(RegistryConfig("main", tokens=(IngestToken(text),)),),
    )


def render(config: Config) -> tuple[str, dict[str, Any]]:
    """The block, and its one endpoint as YAML reads it."""
    block = render_notifications(config, config.registries[0])
    (endpoint,) = yaml.safe_load(block)["notifications"]["endpoints"]
    return block, endpoint


def test_the_block_holds_what_both_major_versions_read() -> None:
    block, endpoint = render(configured(url="https://tagtrail.example"))
    assert endpoint == {
        "name": "tagtrail",
        "url": "https://tagtrail.example/events",
        "headers": {"Authorization": ["Bearer tt_0123456789abcdef"]},
        "timeout": "5s",
        "threshold": 10,
        "backoff": "1s",
        "ignore": {"mediatypes": ["application/octet-stream"], "actions": ["pull"]},
    }
    document = yaml.safe_load(block)
    assert document["notifications"]["events"] == {"includereferences": True}
    assert list(document) == ["notifications"]


@pytest.mark.parametrize(
    ("listen", "url", "endpoint", "note"),
    [
        ("127.0.0.1:8080", None, "http://127.0.0.1:8080/events", "Only a registry on this machine"),
        ("[::1]:8080", None, "http://[::1]:8080/events", "Only a registry on this machine"),
        ("0.0.0.0:8080", None, "http://127.0.0.1:8080/events", "listens on every address"),
        ("[::]:9", None, "http://127.0.0.1:9/events", "listens on every address"),
        ("tagtrail.internal:8080", None, "http://tagtrail.internal:8080/events", ""),
        ("0.0.0.0:8080", "https://proxy.example", "https://proxy.example/events", ""),
    ],
)
def test_the_url_is_the_public_one_or_else_where_the_service_listens(
    listen: str, url: str | None, endpoint: str, note: str
) -> None:
    config = configured(url=url, listen=listen)
    block, rendered = render(config)
    assert rendered["url"] == endpoint == endpoint_url(config)
    notes = [text for text in ("Only a registry on this machine", "listens on every address") if text in block]
    assert notes == ([note] if note else [])


def variable_of(block: str, form: BlockForm) -> dict[str, str]:
    """The environment that a compose file or a shell gives the registry."""
    if form == "compose":
        value = yaml.safe_load(block)["environment"]["REGISTRY_NOTIFICATIONS"]
        return {"REGISTRY_NOTIFICATIONS": value.replace("$$", "$")}
    export, setting = shlex.split(block, comments=True)
    assert export == "export"
    name, _, value = setting.partition("=")
    return {name: value}


@pytest.mark.parametrize("form", ["compose", "environment"])
@given(text=st.text(min_size=1))
def test_the_other_forms_hold_the_settings_of_the_file(form: BlockForm, text: str) -> None:
    config = configured(text)
    block = render_notifications(config, config.registries[0], form=form)
    settings = yaml.safe_load(render(config)[0])["notifications"]
    assert yaml.safe_load(variable_of(block, form)["REGISTRY_NOTIFICATIONS"]) == settings


@pytest.mark.parametrize("form", BLOCK_FORMS)
def test_every_form_says_which_registries_reach_a_loopback_address(form: BlockForm) -> None:
    config = configured()
    assert "Only a registry on this machine" in render_notifications(config, config.registries[0], form=form)


@given(text=st.text(min_size=1))
def test_no_token_can_break_out_of_its_quotes(text: str) -> None:
    """Far more than the configuration lets through."""
    block, endpoint = render(configured(text, url="https://tagtrail.example"))
    assert endpoint["url"] == "https://tagtrail.example/events"
    assert endpoint["headers"] == {"Authorization": [f"Bearer {text}"]}
    assert len(block.splitlines()) == len(render(configured())[0].splitlines()) - 1  # without the note on loopback


def test_the_first_token_is_the_one_to_present() -> None:
    registry = RegistryConfig("main", tokens=(IngestToken("new-0123456789abcdef"), IngestToken("old-0123456789abcdef")))
    block = render_notifications(replace(configured(), registries=(registry,)), registry)
    assert "new-0123456789abcdef" in block
    assert "old-0123456789abcdef" not in block


def test_the_made_token_is_printed_once_it_is_there(tmp_path: Path) -> None:
    config = load(environ={}, data=tmp_path)
    with pytest.raises(ConfigurationError, match="registry 'main' has no token yet"):
        render_notifications(config, config.registries[0])
    config = with_ingest_token(config)
    assert (tmp_path / "ingest-token").read_text().strip() in render(config)[0]


def test_the_registry_is_chosen_by_name_or_is_the_only_one() -> None:
    one = configured()
    assert choose_registry(one, None).name == "main"
    two = replace(one, registries=(*one.registries, RegistryConfig("edge")))
    assert choose_registry(two, "edge").name == "edge"
    with pytest.raises(ConfigurationError, match="--registry is missing; name one of main, edge"):
        choose_registry(two, None)
    with pytest.raises(
        ConfigurationError, match="--registry is 'egde', which is not configured; name one of main, edge"
    ):
        choose_registry(two, "egde")


# The real registry


@dataclass(frozen=True)
class Post:
    """What arrived at the endpoint."""

    path: str
    authorization: str | None
    event: dict[str, Any]


@pytest.fixture
def listener() -> Iterator[tuple[str, "queue.Queue[Post]"]]:
    """An HTTP endpoint that accepts everything: its URL, and what arrives there."""
    posts: queue.Queue[Post] = queue.Queue()

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(202)
            self.end_headers()
            for event in body["events"]:
                posts.put(Post(self.path, self.headers["Authorization"], event))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nothing on standard error."""

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", posts
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def registry_program() -> str:
    program = shutil.which("docker-registry")
    if program is None and os.environ.get("CI"):
        pytest.fail("docker-registry is missing, and CI must not skip what needs it")
    if program is None:
        pytest.skip("docker-registry (Debian's package of registry:2) is not installed")
    return program


@dataclass(frozen=True)
class RealRegistry:
    """A running registry; every method answers when the registry has."""

    address: str

    def request(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> dict[str, str]:
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            connection.request(
                method, path, body=body or None, headers={"Content-Type": content_type, "Accept": MANIFEST}
            )
            answer = connection.getresponse()
            content = answer.read()
            assert 200 <= answer.status < 300, content
            return {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()

    def put_blob(self, content: bytes) -> None:
        location = urlsplit(self.request("POST", "/v2/team/app/blobs/uploads/")["location"])
        path = f"{location.path}?{location.query}&digest={digest(content)}"
        self.request("PUT", path, content, "application/octet-stream")

    def put_manifest(self, content: bytes, *, at: str, media_type: str) -> None:
        self.request("PUT", f"/v2/team/app/manifests/{at}", content, media_type)


@pytest.fixture(params=BLOCK_FORMS)
def running_registry(
    request: pytest.FixtureRequest, registry_program: str, listener: tuple[str, "queue.Queue[Post]"], tmp_path: Path
) -> Iterator[RealRegistry]:
    """The real registry with the settings in each form: under those of its config.yml, or in its environment."""
    settings = {
        "version": 0.1,
        "log": {"level": "info", "formatter": "json"},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "storage")}},
        "http": {"addr": "127.0.0.1:0"},
    }
    config = configured(PRESENTED, url=listener[0])
    block = render_notifications(config, config.registries[0], form=request.param)
    path = tmp_path / "config.yml"
    path.write_text(yaml.safe_dump(settings) + (block if request.param == "file" else ""))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    environ |= variable_of(block, request.param) if request.param != "file" else {}
    with subprocess.Popen(
        [registry_program, "serve", str(path)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environ,
        text=True,
    ) as process:
        assert process.stderr is not None
        log = process.stderr
        said: list[str] = []
        for line in log:
            said.append(line)
            listening = re.search(r"listening on (127\.0\.0\.1:\d+)", line)
            if listening:
                break
        else:
            pytest.fail("the registry did not start: " + "".join(said))
        reading = threading.Thread(target=log.read)  # so that a full pipe never stops it
        reading.start()
        yield RealRegistry(listening[1])
        process.terminate()
        reading.join()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def described(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


def test_the_real_registry_sends_its_pushes_with_the_token_and_nothing_else(
    running_registry: RealRegistry, listener: tuple[str, "queue.Queue[Post]"]
) -> None:
    config = b"{}"
    image = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described(config, CONFIG), "layers": []}
    manifest = json.dumps(image).encode()
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [described(manifest, MANIFEST)]}).encode()
    running_registry.put_blob(config)
    running_registry.put_manifest(manifest, at=digest(manifest), media_type=MANIFEST)
    running_registry.request("GET", f"/v2/team/app/manifests/{digest(manifest)}")
    running_registry.put_manifest(index, at="2.0", media_type=INDEX)
    posts = [listener[1].get(timeout=20) for _ in range(2)]
    assert [(post.path, post.authorization) for post in posts] == [("/events", f"Bearer {PRESENTED}")] * 2
    targets = [post.event["target"] for post in posts]
    assert [(target["digest"], target.get("tag")) for target in targets] == [
        (digest(manifest), None),  # the blob before it and the pull after it were not sent
        (digest(index), "2.0"),
    ]
    assert [reference["digest"] for reference in targets[1]["references"]] == [digest(manifest)]
