"""All pages, in the order in which a newcomer reads them."""

from typing import Final

from tagtrail.web.context import WebPage
from tagtrail.web.pages.compare import COMPARE
from tagtrail.web.pages.deployment import DEPLOYMENT
from tagtrail.web.pages.deployments import DEPLOYMENTS
from tagtrail.web.pages.digest import DIGEST
from tagtrail.web.pages.entry import ENTRY
from tagtrail.web.pages.log import LOG
from tagtrail.web.pages.messages import MESSAGE, MESSAGES
from tagtrail.web.pages.overview import OVERVIEW
from tagtrail.web.pages.quarantine import QUARANTINE
from tagtrail.web.pages.registries import REGISTRIES, REGISTRY
from tagtrail.web.pages.repository import REPOSITORY
from tagtrail.web.pages.search import SEARCH
from tagtrail.web.pages.tag import TAG
from tagtrail.web.pages.violations import VIOLATIONS

PAGES: Final[tuple[WebPage, ...]] = (
    OVERVIEW, LOG, ENTRY, DEPLOYMENTS, DEPLOYMENT, COMPARE, REGISTRIES, REGISTRY, REPOSITORY, TAG, DIGEST, VIOLATIONS,
    QUARANTINE, MESSAGES, MESSAGE, SEARCH,
)  # fmt: skip
