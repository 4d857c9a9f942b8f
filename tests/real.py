"""Real parts: a registry, a pushing client, and the service as a process; on loopback, stopped by process id."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tagtrail.store.database import Store

TOKEN = "tt_test-token-that-is-long-enough"
PASSWORD = "the same for everybody"
# The bcrypt hash of PASSWORD for htpasswd; Python cannot compute it.
_BCRYPT = "$2y$05$abcdefghijklmnopqrstuuBEB2tAuDQ3JQPy3ij167r6ey6t7sU/K"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def need(command: str) -> str:
    """The path of a system command; without it the test is skipped, or fails where CI is set."""
    found = shutil.which(command)
    if found is None:
        reason = f"{command} is not installed: `make test` installs it with apt-get"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


# Each port is used once, and none is in the range that the system assigns to outgoing connections.
_EPHEMERAL = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
_PORTS = iter(random.sample(range(10_000, _EPHEMERAL), _EPHEMERAL - 10_000))


def free_port() -> int:
    """A port that no other test or program uses."""
    for port in _PORTS:
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("every port is taken")


def eventually(holds: Callable[[], bool], what: str, *, seconds: float = 40) -> None:
    """Wait until another process has made the condition true; the limit suits a busy machine."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it never happened: {what}"
        time.sleep(0.02)


@dataclass
class Process:
    """A program in its own process group, with its output in a file."""

    command: Sequence[str]
    log: Path
    env: dict[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    _running: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._running = subprocess.Popen(
                self.command, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                env=os.environ | self.env, cwd=self.cwd, start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    def signal_all(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the main process and wait for its end; returns its exit code."""
        if self._running is None:
            return 0
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
        try:
            code = self._running.wait(40)
        except subprocess.TimeoutExpired:
            self.signal_all(signal.SIGKILL)
            raise
        self._running = None
        return code

    def kill(self) -> None:
        """kill -9 of the whole group, at once."""
        if self._running is not None:
            self.signal_all(signal.SIGKILL)
            self._running.wait(10)
            self._running = None


@dataclass
class Service:
    """tagtrail as `tagtrail serve` starts it."""

    directory: Path
    settings: dict[str, Any] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: Process = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        settings = {
            "listen": f"127.0.0.1:{self.port}",
            "data": str(self.data),
            "registries": [{"name": "main", "tokens": [{"value": TOKEN}]}],
        } | self.settings
        config = self.directory / "config.yml"
        config.write_text(yaml.safe_dump(settings))
        self.config = config
        self.process = Process(
            [sys.executable, "-m", "tagtrail", "serve", "--config", str(config)], self.directory / "service.log"
        )

    @property
    def data(self) -> Path:
        return Path(self.settings.get("data", self.directory / "data"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Query the database of the running service, after it has projected every line that it has acknowledged."""
        with closing(Store(self.data)) as store:
            reader = store.raw_reader()
            behind = "SELECT (SELECT max(seq) FROM lines) > projected FROM derivation"
            eventually(lambda: not reader.execute(behind).fetchone()[0], "the service has projected its lines")
            rows: list[tuple[Any, ...]] = reader.execute(sql).fetchall()
            return rows

    def start(self) -> "Service":
        self.process.start()
        eventually(self.is_ready, f"the service is ready; its log: {self.process.log}", seconds=60)
        return self

    def is_ready(self) -> bool:
        with suppress(requests.RequestException):
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        return False

    def post(self, body: bytes, *, token: str = TOKEN, timeout: float = 10) -> int:
        headers = {"Authorization": f"Bearer {token}", "Connection": "close"}
        return requests.post(f"{self.url}/events", data=body, headers=headers, timeout=timeout).status_code

    def deliver(self, body: bytes) -> None:
        """Post the body as a registry does: repeat while the connection breaks; the first answer must be 202."""
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            with suppress(requests.ConnectionError):  # a worker that died had taken the connection
                assert self.post(body) == 202
                return
            time.sleep(0.02)
        raise AssertionError("no worker accepts the event")

    def cli(self, *arguments: str, check: bool = True) -> str:
        """The output of a command."""
        done = subprocess.run(
            [sys.executable, "-m", "tagtrail", *arguments, "--config", str(self.config)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def log(self) -> str:
        return self.process.log.read_text()


@dataclass
class Registry:
    """The real registry, configured to post its events to the service.

    With `users`, it authenticates them by htpasswd; the first one acts until `act_as` names another. A `block` is text
    that replaces the `notifications:` section.
    """

    directory: Path
    events_url: str
    port: int = field(default_factory=free_port)
    debug_port: int = field(default_factory=free_port)
    ignore_blobs: bool = False
    users: Sequence[str] = ()
    block: str | None = None
    process: Process = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._user = self.users[0] if self.users else None
        endpoint: dict[str, Any] = {
            "name": "tagtrail",
            "url": self.events_url,
            "headers": {"Authorization": [f"Bearer {TOKEN}"]},
            "timeout": "1s",
            "threshold": 3,
            "backoff": "500ms",
        }
        if self.ignore_blobs:
            endpoint["ignore"] = {"mediatypes": ["application/octet-stream"], "actions": ["pull"]}
        config: dict[str, Any] = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(self.directory / "storage")}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{self.port}", "debug": {"addr": f"127.0.0.1:{self.debug_port}"}},
            "notifications": {"events": {"includereferences": True}, "endpoints": [endpoint]},
        }
        if self.users:
            passwords = self.directory / "htpasswd"
            passwords.write_text("".join(f"{user}:{_BCRYPT}\n" for user in self.users))
            config["auth"] = {"htpasswd": {"realm": "registry", "path": str(passwords)}}
        path = self.directory / "config.yml"
        if self.block is not None:
            del config["notifications"]
        path.write_text(yaml.safe_dump(config) + (self.block or ""))
        self.process = Process(
            [need("docker-registry"), "serve", str(path)],
            self.directory / "registry.log",
            env={"OTEL_TRACES_EXPORTER": "none"},
        )

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> "Registry":
        self.process.start()
        eventually(self._answers, "the registry answers")
        return self

    def _answers(self) -> bool:
        with suppress(requests.RequestException):
            return requests.get(f"http://{self.host}/v2/", timeout=5).status_code in (200, 401)
        return False

    def act_as(self, user: str) -> None:
        """Push and delete as this user from now on; no effect if the registry has no users."""
        self._user = user if self.users else None

    def pending(self) -> int:
        """The registry's own count of undelivered events."""
        found = requests.get(f"http://127.0.0.1:{self.debug_port}/debug/vars", timeout=5).json()
        return int(found["registry"]["notifications"]["endpoints"][0]["Metrics"]["Pending"])

    def delivered(self) -> None:
        """Wait until all events are delivered."""
        eventually(lambda: self.pending() == 0, "the registry has delivered its events")

    def push(self, layout: Path, name: str, reference: str) -> None:
        """Push an image of an OCI layout with skopeo."""
        self._skopeo(
            "copy", "--all", "--dest-tls-verify=false", *self._credentials("--dest-creds"),
            f"oci:{layout}:{name}", f"docker://{self.host}/{reference}",
        )  # fmt: skip

    def pull(self, reference: str, layout: Path) -> None:
        """Pull into an OCI layout."""
        self._skopeo(
            "copy", "--all", "--preserve-digests", "--src-tls-verify=false", *self._credentials("--src-creds"),
            f"docker://{reference}", f"oci:{layout}:pulled",
        )  # fmt: skip

    def digest(self, reference: str) -> str:
        """The digest that a client resolves the reference to."""
        return self._skopeo(
            "inspect", "--tls-verify=false", *self._credentials("--creds"),
            "--format", "{{.Digest}}", f"docker://{self.host}/{reference}",
        ).strip()  # fmt: skip

    def _credentials(self, option: str) -> list[str]:
        return [option, f"{self._user}:{PASSWORD}"] if self._user else []

    def _skopeo(self, *arguments: str) -> str:
        command = [need("skopeo"), "--insecure-policy", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def delete(self, repository: str, digest: str) -> None:
        """Delete a manifest."""
        answer = requests.delete(
            f"http://{self.host}/v2/{repository}/manifests/{digest}",
            auth=(self._user, PASSWORD) if self._user else None,
            timeout=10,
        )
        assert answer.status_code == 202, answer.text


class Layout:
    """An OCI image layout on disk with small images; each digest is known before the push."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._manifests: list[dict[str, Any]] = []
        (directory / "blobs/sha256").mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def _blob(self, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (self.directory / "blobs/sha256" / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    def _name(self, descriptor: dict[str, Any], name: str) -> str:
        self._manifests.append(descriptor | {"annotations": {"org.opencontainers.image.ref.name": name}})
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self._manifests}
        (self.directory / "index.json").write_text(json.dumps(index))
        return str(descriptor["digest"])

    def _manifest(self, content: str, architecture: str) -> dict[str, Any]:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo("content.txt")
            entry.size = len(content.encode())
            tar.addfile(entry, io.BytesIO(content.encode()))
        layer = gzip.compress(archive.getvalue(), mtime=0)
        diff = f"sha256:{hashlib.sha256(archive.getvalue()).hexdigest()}"
        config = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff]}}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                **self._blob(json.dumps(config).encode()),
            },
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **self._blob(layer)}],
        }
        return {"mediaType": MANIFEST, **self._blob(json.dumps(manifest).encode())}

    def image(self, name: str, content: str) -> str:
        """Add an image; returns its digest."""
        return self._name(self._manifest(content, "amd64"), name)

    def index(self, name: str, content: str, architectures: Sequence[str] = ("amd64", "arm64")) -> str:
        """Add a multi-platform image; returns the digest of its index."""
        manifests = [
            self._manifest(f"{content} {architecture}", architecture)
            | {"platform": {"os": "linux", "architecture": architecture}}
            for architecture in architectures
        ]
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
        return self._name({"mediaType": INDEX, **self._blob(body)}, name)
