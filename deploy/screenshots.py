"""`make screenshots`: eight weeks of history, the demo's story, and pictures of the best pages.

The pictures are written to docs/screenshots, or to the directory given as an argument. People, releases and time
distances are the same in every run; the dates depend on the day.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the pictures use the parts of the demo and the tests

import requests  # noqa: E402
from deploy.demo import running, say  # noqa: E402
from playwright.sync_api import Browser, ViewportSize, sync_playwright  # noqa: E402
from tests.browser import SWITCHES, Scheme  # noqa: E402
from tests.events import envelope  # noqa: E402
from tests.real import Registry, Service, need  # noqa: E402
from tests.story import APP, tell_story  # noqa: E402
from tests.weeks import weeks  # noqa: E402

from tagtrail.trail.instant import SECOND  # noqa: E402

SIZE = ViewportSize(width=1280, height=800)
LARGEST = 200_000  # bytes per picture
PICTURES: dict[str, tuple[str | None, Scheme]] = {  # None is the page of the story's rollback
    "overview": ("/", "light"),
    "timeline": ("/registries/main/team/web", "light"),
    "deployment": (None, "light"),
    "audit-log": ("/log", "dark"),
}


def main(directory: Path) -> int:
    """Push everything and take the pictures; returns the exit code."""
    directory.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="tagtrail-pictures-") as place,
        running(Path(place), host="registry.example") as (service, registry),
    ):
        tell(service, registry, Path(place))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=need("chromium"), args=list(SWITCHES))
            for name, (path, scheme) in PICTURES.items():
                file = directory / f"{name}.png"
                take(browser, service.url + (path or address_of_rollback(service)), scheme, file)
                say(f"  {file.stat().st_size:>7} bytes  {file}")
            browser.close()
    too_large = [file.name for file in directory.glob("*.png") if file.stat().st_size > LARGEST]
    say(f"Too large: {', '.join(too_large)}" if too_large else "Done.")
    return 1 if too_large else 0


def tell(service: Service, registry: Registry, place: Path) -> None:
    """Post eight weeks of events of other repositories, then push the story."""
    earlier = [replace(event, host="registry.example") for event in weeks(time.time_ns() - 5_400 * SECOND)]
    for at in range(0, len(earlier), 50):
        if (answer := service.post(envelope(*earlier[at : at + 50]))) != 202:
            raise SystemExit(f"tagtrail answered {answer}")
    tell_story(registry, place / "images")


def address_of_rollback(service: Service) -> str:
    """The address of the deployment that is the story's rollback."""
    query = {"repository": APP, "environment": "production", "limit": "1"}
    newest = requests.get(f"{service.url}/api/v1/deployments", params=query, timeout=10).json()["items"][0]
    return f"/deployments/{newest['seq']}/{newest['environment']}"


def take(browser: Browser, url: str, scheme: Scheme, file: Path) -> None:
    """Take a picture of the top of the page, without the browser's frame."""
    context = browser.new_context(viewport=SIZE, device_scale_factor=1, color_scheme=scheme, timezone_id="UTC")
    page = context.new_page()
    page.goto(url)
    page.locator("html.scripted").wait_for()
    page.evaluate("document.fonts.ready.then(() => true)")
    page.screenshot(path=file, animations="disabled", caret="hide")
    context.close()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "screenshots"))
