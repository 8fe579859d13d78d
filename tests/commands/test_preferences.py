"""`preference` and `alias`: every scope and field, what was changed, and how it is taken back."""

import pytest

from tests.commands.conftest import Console


def test_all_fields_of_terms_are_options(console: Console) -> None:
    console("client", "create", "--name", "shop")
    options = (
        *("--order", "sandbox", "--only", "sandbox", "--no-fallbacks", "--require-parameters", "--sort", "price"),
        *("--strategy", "quota", "--max-price", "prompt=3,completion=15.5,request=0.01", "--max-latency-ms", "900"),
        *("--min-throughput", "40", "--fallback-below", "8", "--data-collection", "deny", "--zdr", "--region", "eu,ch"),
    )
    stored = console.json("preference", "set", "--client", "shop", "--task", "chat", *options)
    assert stored["terms"] == {
        "order": ["sandbox"],
        "only": ["sandbox"],
        "allow_fallbacks": False,
        "require_parameters": True,
        "sort": "price",
        "strategy": "quota",
        "max_price": {"prompt": 3, "completion": 15.5, "request": 0.01},
        "preferred_max_latency_ms": 900,
        "preferred_min_throughput": 40.0,
        "fallback_below_throughput": 8.0,
        "data_collection": "deny",
        "zdr": True,
        "regions": ["ch", "eu"],
    }
    assert console.json("preference", "list")[0]["terms"] == stored["terms"]


def test_terms_of_every_scope_are_listed_widest_first(console: Console) -> None:
    console("client", "create", "--name", "shop")
    console("team", "create", "--name", "search")
    key = console.json("key", "create", "--client", "shop")
    for scope in (["--key", key["id"]], ["--client", "shop"], ["--team", "search"], ["--platform"]):
        console("preference", "set", *scope, "--sort", "price")
    rows = console.json("preference", "list")
    assert [(row["scope"], row["client"]) for row in rows] == [
        ("platform", None),
        ("team", None),
        ("client", "shop"),
        ("key", None),
    ]
    assert "the cheapest first" in console("preference", "list", "--platform").out


def test_a_change_shows_in_the_history_and_is_taken_back(console: Console) -> None:
    console("preference", "set", "--platform", "--order", "sandbox")
    console("preference", "set", "--platform", "--order", "sandbox", "--zdr")
    second, first = console.json("preference", "history", "--platform")
    assert second["changes"] == ["zero data retention: not set → yes"]
    reverted = console.json("preference", "revert", str(first["version"]))
    assert reverted["terms"] == {"order": ["sandbox"]}
    assert console.json("preference", "history", "--platform")[0]["reverted_to"] == first["version"]
    assert "sandbox" in console("preference", "history", "--platform").out
    assert "no version 999" in console("preference", "revert", "999", status=1).err


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ((), 2, "Say whose"),
        (("--platform", "--client", "shop"), 2, "Name one of"),
        (("--platform", "--max-price", "3"), 2, "is not like prompt=3"),
        (("--platform", "--sort", "cheap"), 1, "price, latency, throughput"),
        (("--platform",), 1, "say nothing"),
    ],
)
def test_what_cannot_be_set_says_why(console: Console, options: tuple[str, ...], status: int, words: str) -> None:
    assert words in console("preference", "set", *options, status=status).err


def test_an_alias_is_made_pointed_elsewhere_taken_back_and_removed(console: Console) -> None:
    made = console.json("alias", "set", "fast-chat", "--platform", "--to", "sandbox/sandbox")
    assert (made["name"], made["to"], made["scope"]) == ("fast-chat", ["sandbox/sandbox"], "platform")
    console("alias", "set", "fast-chat", "--platform", "--to", "sandbox")
    second, first = console.json("alias", "history", "fast-chat", "--platform")
    assert (second["before"], second["after"]) == (["sandbox/sandbox"], ["sandbox"])
    assert console.json("alias", "revert", str(first["version"]))["to"] == ["sandbox/sandbox"]
    assert "fast-chat" in console("alias", "list").out
    assert console.json("alias", "remove", "fast-chat", "--platform") == {"name": "fast-chat", "removed": True}
    assert console.json("alias", "list") == []
    assert "Did you mean 'sandbox'" in console("alias", "set", "x", "--platform", "--to", "sandbx", status=1).err


def test_terms_are_tried_without_being_stored(console: Console) -> None:
    console("client", "create", "--name", "shop")
    tried = console.json("preference", "try", "--client", "shop", "--task", "chat", "--order", "sandbox")
    assert [(row["connection"], row["why"]) for row in tried["candidates"]] == [("sandbox", "preference 1")]
    assert tried["last_hour"] == {"requests": 0, "is_whole": True, "places": {}, "refused": 0, "changed": []}
    told = console("preference", "try", "--client", "shop", "--ignore", "sandbox")
    assert "The preferences say to ignore it." in told.out
    assert "There was no request in the last hour to try this on." in told.out
    assert console.json("preference", "list") == []
