"""All pages, in the order in which a newcomer meets them."""

from typing import Final

from tagtrail.web.compare import COMPARE
from tagtrail.web.deployment import DEPLOYMENT
from tagtrail.web.deployments import DEPLOYMENTS
from tagtrail.web.digest import DIGEST
from tagtrail.web.entry import ENTRY
from tagtrail.web.log import LOG
from tagtrail.web.messages import MESSAGE, MESSAGES
from tagtrail.web.overview import OVERVIEW
from tagtrail.web.quarantine import QUARANTINE
from tagtrail.web.registries import REGISTRIES, REGISTRY
from tagtrail.web.repository import REPOSITORY
from tagtrail.web.search import SEARCH
from tagtrail.web.tag import TAG
from tagtrail.web.violations import VIOLATIONS
from tagtrail.web.visit import Page

PAGES: Final[tuple[Page, ...]] = (
    OVERVIEW, LOG, ENTRY, DEPLOYMENTS, DEPLOYMENT, COMPARE, REGISTRIES, REGISTRY, REPOSITORY, TAG, DIGEST, VIOLATIONS,
    QUARANTINE, MESSAGES, MESSAGE, SEARCH,
)  # fmt: skip
