"""`make demo`, run with a real registry and real pushes; it leaves nothing behind."""

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
def demo(tmp_path_factory: pytest.TempPathFactory) -> "subprocess.CompletedProcess[str]":
    """The finished demo, with its output in a pipe."""
    need("docker-registry"), need("skopeo")
    directory = tmp_path_factory.mktemp("demo")
    done = run_demo(directory)
    assert list(directory.iterdir()) == []
    return done


def answers(demo: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    """The output of each command of the demo."""
    parts = re.split(r"^\$ (tagtrail .*)\n", demo.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_demo_runs_to_its_end_without_a_complaint(demo: "subprocess.CompletedProcess[str]") -> None:
    assert (demo.returncode, demo.stderr) == (0, "")
    assert "  1. alice releases 1.0.0" in demo.stdout
    assert demo.stdout.endswith("`make run` starts tagtrail for your own registry.\n")


def test_the_demo_leaves_nothing_running(demo: "subprocess.CompletedProcess[str]") -> None:
    ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", demo.stdout.partition("\n")[0])]
    assert len(ports) == 2
    for port in ports:
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def test_the_demo_is_plain_text_in_a_pipe(demo: "subprocess.CompletedProcess[str]") -> None:
    assert "\x1b" not in demo.stdout


def test_the_demo_shows_who_moved_what(demo: "subprocess.CompletedProcess[str]") -> None:
    log = " ".join(answers(demo)["tagtrail log"].split())
    assert re.search(
        r"team/myapp:prod moved back to 1\.0\.0 \S+ \(was 1\.1\.0 \S+\) published \S+ \S+ by bob \(verified\)", log
    )
    assert re.search(r"team/myapp:1\.0\.0 moved to \S+ \(was \S+\) VIOLATION: [\w ]+ by carol \(verified\)", log)
    [violation] = answers(demo)["tagtrail violations"].splitlines()[1:2]
    assert "team/myapp:1.0.0" in violation


def test_the_demo_shows_how_to_roll_back(demo: "subprocess.CompletedProcess[str]") -> None:
    assert re.search(r"skopeo copy .*team/myapp@sha256:\w+", answers(demo)["tagtrail rollback team/myapp@production"])


def test_the_demo_names_missing_commands(tmp_path: Path) -> None:
    done = run_demo(tmp_path, PATH=str(tmp_path))
    assert done.returncode == 1
    assert "docker-registry" in done.stdout
    assert "skopeo" in done.stdout
    assert "apt-get install" in done.stdout


def test_the_auditor_verifies_the_export(demo: "subprocess.CompletedProcess[str]") -> None:
    assert "VERIFIED with the key that you gave." in demo.stdout
    assert "This is what the log tagtrail.example/log/1 recorded." in demo.stdout
