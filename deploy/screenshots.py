"""`make screenshots`: the demo's story after eight weeks of others, and pictures of the best pages of it.

They are written to docs/screenshots, or to the directory that is named. The people, releases and distances in time are
the same each time; the dates are those of the day.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the parts are those of the demo and of the tests

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
LARGEST = 200_000  # bytes of a picture
PICTURES: dict[str, tuple[str | None, Scheme]] = {  # None is the deployment with which the story goes back
    "overview": ("/", "light"),
    "timeline": ("/registries/main/team/web", "light"),
    "deployment": (None, "light"),
    "audit-log": ("/log", "dark"),
}


def main(directory: Path) -> int:
    """Tell everything and take the pictures; the exit code."""
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
    """Eight weeks of other repositories, as the registry would have sent them, and then the story itself."""
    earlier = [replace(event, host="registry.example") for event in weeks(time.time_ns() - 5_400 * SECOND)]
    for at in range(0, len(earlier), 50):
        if (answer := service.post(envelope(*earlier[at : at + 50]))) != 202:
            raise SystemExit(f"tagtrail answered {answer}")
    tell_story(registry, place / "images")


def address_of_rollback(service: Service) -> str:
    """The page of the deployment with which the story goes back."""
    asked = {"repository": APP, "environment": "production", "limit": "1"}
    newest = requests.get(f"{service.url}/api/v1/deployments", params=asked, timeout=10).json()["items"][0]
    return f"/deployments/{newest['seq']}/{newest['environment']}"


def take(browser: Browser, url: str, scheme: Scheme, file: Path) -> None:
    """One picture of what somebody sees first; where the page is, is not in it."""
    context = browser.new_context(viewport=SIZE, device_scale_factor=1, color_scheme=scheme, timezone_id="UTC")
    page = context.new_page()
    page.goto(url)
    page.locator("html.scripted").wait_for()
    page.evaluate("document.fonts.ready.then(() => true)")
    page.screenshot(path=file, animations="disabled", caret="hide")
    context.close()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "screenshots"))
