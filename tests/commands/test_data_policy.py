"""`provider set-data`: what an admin states of a provider's dealings with data, and takes back."""

from tests.commands.conftest import Console


def test_what_a_provider_does_with_data_is_stated_and_taken_back(console: Console) -> None:
    stated = console.json("provider", "set-data", "sandbox", "--data-collection", "deny", "--zdr", "--region", "eu")
    assert (stated["data_collection"], stated["zdr"], stated["region"]) == ("deny", True, "eu")
    (row,) = console.json("provider", "list")
    assert (row["data_collection"], row["zdr"], row["region"]) == ("deny", True, "eu")
    changed = console.json("provider", "set-data", "sandbox", "--region", "", "--no-zdr")
    assert (changed["data_collection"], changed["zdr"], changed["region"]) == ("deny", False, None)


def test_what_is_no_policy_is_refused_by_name(console: Console) -> None:
    refused = console.json("provider", "set-data", "sandbox", "--data-collection", "maybe", status=1)
    assert (refused["error"]["code"], refused["error"]["param"]) == ("invalid_data_policy", "data_collection")
    refused = console.json("provider", "set-data", "sandbox", "--region", "The Moon", status=1)
    assert refused["error"]["code"] == "invalid_region"
    assert "--zdr" in console("provider", "set-data", "sandbox", status=2).err
