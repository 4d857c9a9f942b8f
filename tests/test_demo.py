"""`make demo`, run for real: with a registry, with pushes, and with nothing left behind."""

import errno
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real import need

DEMO = Path(__file__).parent.parent / "deploy/demo.py"


def run_demo(directory: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, DEMO],
        env=os.environ | {"TMPDIR": str(directory)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> "subprocess.CompletedProcess[str]":
    """The demo, run to its end, with its output in a pipe."""
    need("docker-registry"), need("skopeo")
    directory = tmp_path_factory.mktemp("demo")
    done = run_demo(directory)
    assert list(directory.iterdir()) == []
    return done


def answers(told: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    """What each command of the demo printed."""
    parts = re.split(r"^\$ (tagtrail .*)\n", told.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_demo_runs_to_its_end_without_a_complaint(told: "subprocess.CompletedProcess[str]") -> None:
    assert (told.returncode, told.stderr) == (0, "")
    assert "  1. release 1.0.0" in told.stdout
    assert told.stdout.endswith("`make run` starts tagtrail for your own registry.\n")


def test_the_demo_leaves_nothing_running(told: "subprocess.CompletedProcess[str]") -> None:
    ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", told.stdout.partition("\n")[0])]
    assert len(ports) == 2
    for port in ports:
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def test_the_demo_is_plain_text_in_a_pipe(told: "subprocess.CompletedProcess[str]") -> None:
    assert "\x1b" not in told.stdout


def test_the_demo_shows_who_moved_what(told: "subprocess.CompletedProcess[str]") -> None:
    log = " ".join(answers(told)["tagtrail log"].split())
    assert re.search(r"team/myapp:prod moved back [^\[]* by bob \(verified\) \[line", log)
    assert re.search(r"team/myapp:1\.0\.0 moved [^\[]*VIOLATION[^\[]* by carol \(verified\) \[line", log)
    [violation] = answers(told)["tagtrail violations"].splitlines()[1:2]
    assert "team/myapp:1.0.0" in violation


def test_the_demo_tells_how_to_go_back(told: "subprocess.CompletedProcess[str]") -> None:
    assert re.search(r"skopeo copy .*team/myapp@sha256:\w+", answers(told)["tagtrail rollback team/myapp@production"])


def test_the_demo_says_what_is_missing(tmp_path: Path) -> None:
    done = run_demo(tmp_path, PATH=str(tmp_path))
    assert done.returncode == 1
    assert "docker-registry" in done.stdout
    assert "skopeo" in done.stdout
    assert "apt-get install" in done.stdout


def test_the_auditor_verifies_the_export(told: "subprocess.CompletedProcess[str]") -> None:
    assert "VERIFIED with the key that you gave." in told.stdout
    assert "This is what the log tagtrail.example/log/1 recorded." in told.stdout
