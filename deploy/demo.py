"""`make demo`: a real registry and tagtrail side by side, a story of pushes, and the answers of tagtrail.

Everything listens on free ports of this machine and lives in a temporary directory, which is removed at the end.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the demo uses the parts of the tests

from tests.real import TOKEN, Registry, Service  # noqa: E402
from tests.story import APP, USERS, tell_story  # noqa: E402
from tests.terminal import at_terminal  # noqa: E402

NEEDED = {"docker-registry": "the registry, CNCF Distribution 2.x", "skopeo": "the client that pushes"}
QUESTIONS = (
    ("The audit log, newest first:", ["log"]),
    ("The image published for every environment, and the one to go back to:", ["environments"]),
    ("Every move of the tag prod:", ["history", f"{APP}:prod"]),
    ("Release tags that moved, which they never should:", ["violations"]),
    ("How to roll back production:", ["rollback", f"{APP}@production"]),
)


def main() -> int:
    """Push the story and run the queries; returns the exit code."""
    missing = [f"{command} ({what})" for command, what in NEEDED.items() if shutil.which(command) is None]
    if missing:
        say(f"The demo needs {' and '.join(missing)}.")
        say("On Debian and Ubuntu: apt-get install docker-registry skopeo")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the temporary files are removed then, too
    with TemporaryDirectory(prefix="tagtrail-demo-") as directory, running(Path(directory)) as (service, registry):
        say(f"tagtrail listens on {service.url}, a registry on {registry.host}; the registry posts its events.\n")
        steps = iter(range(1, 100))
        tell_story(registry, Path(directory) / "images", say=lambda text: say(f"  {next(steps)}. {text}"))
        for heading, words in QUESTIONS:
            ask(service, heading, words)
        audit(service, Path(directory) / "audit")
    say("\nThe demo has removed its files. `make run` starts tagtrail for your own registry.")
    return 0


@contextmanager
def running(directory: Path, **of_registry: str) -> Iterator[tuple[Service, Registry]]:
    """Run both services until the block ends. `of_registry` are further settings of the registry."""
    settings = {
        "registries": [{"name": "main", "authentication": "htpasswd", "tokens": [{"value": TOKEN}], **of_registry}],
        "ledger": {"name": "tagtrail.example"},
    }
    with ExitStack() as stack:
        service = Service(directory / "tagtrail", settings)
        stack.callback(service.process.stop)
        service.start()
        registry = Registry(directory / "registry", events_url=f"{service.url}/events", users=USERS)
        stack.callback(registry.process.stop)
        registry.start()
        yield service, registry


def say(text: str) -> None:
    """Print at once, to keep the order with the output of the commands."""
    print(text, flush=True)


def ask(service: Service, heading: str, words: list[str]) -> None:
    """Run a command and show its output as at a terminal, even in a pipe."""
    say(f"\n{heading}\n\n$ tagtrail {' '.join(words)}")
    command = [sys.executable, "-m", "tagtrail", *words]
    environment = os.environ | {"TAGTRAIL_CONFIG": str(service.config)}
    if sys.stdout.isatty():
        subprocess.run(command, env=environment, check=True)
    else:
        say(at_terminal(command, environment=environment).rstrip())


def audit(service: Service, directory: Path) -> None:
    """Make an export and check it as an auditor does: with the unpacked files and a Python, nothing else."""
    directory.mkdir()
    tagtrail = [sys.executable, "-m", "tagtrail"]
    environment = os.environ | {"TAGTRAIL_CONFIG": str(service.config)}

    def run(*command: str, cwd: Path = directory) -> str:
        return subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout

    say("\nAn export for an auditor, and the key to check it with:\n\n$ tagtrail export -o audit.zip")
    say(run(*tagtrail, "export", "-o", "audit.zip") + "$ tagtrail log key show")
    key = run(*tagtrail, "log", "key", "show").strip()
    with ZipFile(directory / "audit.zip") as bundle:
        bundle.extractall(directory)
    (unpacked,) = (path for path in directory.iterdir() if path.is_dir())
    say(f"{key}\n\nThe auditor checks it on another machine, offline:\n\n$ python3 -I verify.py --key ...")
    say(run(sys.executable, "-I", "verify.py", "--key", key, cwd=unpacked).rstrip())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
