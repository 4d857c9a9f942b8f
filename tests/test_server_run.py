"""What `tagtrail serve` refuses before it listens."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tagtrail.access.tokens import make_token, revoke_token
from tagtrail.config.consistency import refuse_open_service
from tagtrail.config.load import load
from tagtrail.config.model import Config
from tagtrail.errors import ConfigurationError
from tagtrail.store.database import Store
from tagtrail.store.tokens import has_live_token
from tagtrail.trail.instant import now
from tests.command_line import CommandLine
from tests.conftest import Ledger

Configure = Callable[[str], Config]
TOKEN = "[{value: a-token-that-is-long-enough}]"
PROXY = "{addresses: [10.0.0.7], user_header: Remote-User, everyone: [read]}"


def check_access(config: Config, store: Store) -> None:
    refuse_open_service(config, has_stored_token=has_live_token(store.reader(), at=now()))


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """A configuration that listens on every address."""

    def configured(access: str) -> Config:
        path = tmp_path / "config.yml"
        path.write_text(f"{{listen: '0.0.0.0:80', access: {access}}}")
        return load(path, environ={})

    return configured


@pytest.mark.parametrize("access", ["{}", f"{{deploy: {TOKEN}}}", f"{{identity: {TOKEN}}}"])
def test_beyond_loopback_it_does_not_start_while_nobody_may_ask(
    configure: Configure, ledger: Ledger, access: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape("listen is '0.0.0.0:80', which other machines can reach")):
        check_access(configure(access), ledger.store)


@pytest.mark.parametrize("access", [f"{{read: {TOKEN}}}", f"{{proxy: {PROXY}}}"])
def test_a_configured_reader_or_a_proxy_is_enough(configure: Configure, ledger: Ledger, access: str) -> None:
    check_access(configure(access), ledger.store)


def test_so_is_a_live_stored_token_but_none_that_was_revoked(configure: Configure, ledger: Ledger) -> None:
    make_token(ledger.recorder, "board", ["read"])
    check_access(configure("{}"), ledger.store)
    revoke_token(ledger.store, ledger.recorder, "board")
    with pytest.raises(ConfigurationError, match="make one with `tagtrail token create NAME --scope read`"):
        check_access(configure("{}"), ledger.store)


def test_on_loopback_nothing_is_needed(ledger: Ledger) -> None:
    check_access(load(environ={}), ledger.store)


def test_the_refusal_is_one_sentence_of_the_command_line(tmp_path: Path) -> None:
    refused = CommandLine(tmp_path / "data").run("serve", "--listen", "0.0.0.0:1")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert "listen is '0.0.0.0:1', which other machines can reach, and access.read has no token; " in refused.stderr


@pytest.mark.parametrize("command", ["serve", "dispatch", "check"])
def test_a_channel_that_cannot_be_made_is_refused_at_the_start(tmp_path: Path, command: str) -> None:
    path = tmp_path / "config.yml"
    path.write_text("notify: {channels: [{name: ops, kind: ntfy, url: {value: 'https://ntfy.example'}}]}")
    refused = CommandLine(tmp_path / "data").run(command, "--config", str(path))
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert "'ops'" in refused.stderr
    assert "topic" in refused.stderr


EARLY = """
import os, signal, sys, time
from gunicorn import util
from tagtrail.server.gunicorn import serve

def title(what):
    if what.startswith("worker"):  # just after the fork: this process's handlers are still the master's
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(1)

util._setproctitle = title
serve(
    make_app=lambda: lambda environ, start_response: [], make_intake=lambda app: None, front_lock=sys.argv[1],
    listen="127.0.0.1:0", workers=1, when_ready=lambda: None, on_exit=lambda: None, stop_timeout=20,
)
"""


def test_a_stop_that_reaches_a_worker_just_after_its_fork_is_not_lost(tmp_path: Path) -> None:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", EARLY, str(tmp_path / "front.lock")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 15, "the worker was killed only when its time was over"
