"""One struct per subject: each of its fields is in the OpenAPI schema, and in CSV unless it is left out on purpose."""

import pytest

from tagtrail.api.listings import ENTRIES, LISTINGS, Listing
from tagtrail.api.openapi import describe_api

# Fields without a CSV column of their name: `image` has the reference with its host; of a struct within the struct
# only chosen fields are columns.
LEFT_OUT = {
    "deployments": {"reference", "host", "previous"},
    "environments": {"published"},  # `roll_back_to` is the column of its reference
}
SCHEMAS = describe_api()["components"]["schemas"]


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.name)
def test_every_field_is_in_the_openapi_schema(listing: Listing) -> None:
    assert set(SCHEMAS[listing.struct.__name__]["properties"]) == set(listing.struct.__struct_fields__)


@pytest.mark.parametrize(
    "listing", [listing for listing in LISTINGS if listing is not ENTRIES], ids=lambda listing: listing.name
)
def test_every_field_is_a_csv_column(listing: Listing) -> None:
    fields = set(listing.struct.__struct_fields__)
    left_out = LEFT_OUT.get(listing.name, {"reference", "host"} if "reference" in fields else set())
    assert fields - set(listing.columns) == left_out
    assert ("image" in listing.columns) == ("reference" in fields or listing.name == "environments")
    assert "image" not in listing.columns[1:]
