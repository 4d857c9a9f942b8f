"""What a page costs does not grow with the ledger: counted in steps of SQLite's machine, which no other work disturbs.

How long pages take with a million entries is measured by `make bench`.
"""

from pathlib import Path

import pytest
from bench.fill import fill
from bench.questions import PAGES, draw_pages, find_known

from tagtrail.app import create_app
from tagtrail.config.load import with_ingest_token
from tagtrail.config.model import Config
from tagtrail.store.database import Store

SMALL, LARGE = (8_000, 40), (40_000, 200)  # pushes and repositories: the same for each repository, five times as many
ASKED = 5  # times that each page is opened
GRAIN = 50  # steps
# A part of a name is sought among the names of all repositories, of which there are never millions; and a group of
# repositories has five times as many in the larger ledger, up to the number that a board shows.
GROWS = frozenset({"a search", "the overview of a group of repositories"})

Costs = dict[str, float]


def measure(data: Path, pushes: int, repositories: int) -> Costs:
    """The mean number of steps of each page."""
    fill(data, pushes, repositories=repositories)
    store = Store(data)
    known = find_known(store)
    client = create_app(with_ingest_token(Config(data=data)), store=store).test_client()
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += GRAIN
        return 0

    costs = {}
    for page in PAGES:
        addresses = list(draw_pages(page, known, ASKED))
        store.reader().set_progress_handler(None, 0)
        for address in addresses:
            assert client.get(address).status_code in (200, 303), address
        store.reader().set_progress_handler(count, GRAIN)
        steps = 0
        for address in addresses:
            client.get(address)
        costs[page] = steps / ASKED
    store.reader().set_progress_handler(None, 0)
    store.close()
    return costs


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Costs, Costs]:
    """Those of a small ledger and of one five times as large."""
    place = tmp_path_factory.mktemp("filled")
    return measure(place / "small", *SMALL), measure(place / "large", *LARGE)


def test_a_page_of_a_larger_ledger_costs_the_same(costs: tuple[Costs, Costs]) -> None:
    small, large = costs
    grown = {page: (small[page], large[page]) for page in PAGES if large[page] > 1.7 * small[page] + 2_000}
    assert grown.keys() <= GROWS, grown


def test_the_steps_are_counted(costs: tuple[Costs, Costs]) -> None:
    """So that what is compared above is something."""
    for found in costs:
        assert found["the overview"] > 1_000
        assert found["the audit log"] > 1_000
