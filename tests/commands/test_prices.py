"""`price` and `provider key`, as a person types them."""

from tests.commands.conftest import Console


def test_a_price_is_set_listed_and_cleared(console: Console) -> None:
    made = ("provider", "add", "openai", "--name", "work", "--models", "gpt-5-mini,unheard-of", "--no-test")
    console.json(*made, stdin="sk-work-0001-abcd")
    known = {row["model"]: row["source_kind"] for row in console.json("price", "list", "openai")}
    assert known == {"gpt-5-mini": "published", "unheard-of": "none"}
    assert [row["model"] for row in console.json("price", "list", "--unpriced")] == ["unheard-of"]
    said = ("--input", "0.20", "--output", "1.6", "--reason", "contract of May")
    assert console.json("price", "set", "openai/unheard-of", *said)["input_mtok"] == "0.2"
    (row,) = console.json("price", "list", "unheard")
    assert (row["source"], row["reason"], row["amounts"]["output_mtok"]) == (
        "set by operator",
        "contract of May",
        "1.6",
    )
    assert console.json("price", "clear", "openai/unheard-of")["cleared"] is True
    assert console.json("price", "clear", "openai/unheard-of", status=1)["error"]["code"] == "own_price_not_found"
    console("price", "set", "unheard-of", *said, status=2)


def test_a_connection_has_several_keys(console: Console) -> None:
    made = ("provider", "add", "openai", "--name", "work", "--models", "gpt-5-mini", "--no-test")
    console.json(*made, stdin="sk-work-0001-abcd")
    added = console.json(
        "provider", "key", "add", "work", "--label", "b", "--weight", "3", "--no-test", stdin="sk-work-0002-efgh"
    )
    assert (added["number"], added["weight"], added["key_hint"]) == (2, 3, "efgh")
    console.json("provider", "key", "update", "work", "2", "--rpm", "60")
    console.json("provider", "key", "disable", "work", "2")
    (row,) = console.json("provider", "key", "list", "work")
    assert (row["rpm"], row["disabled"]) == (60, True)
    (work,) = [row for row in console.json("provider", "list") if row["name"] == "work"]
    assert [key["number"] for key in work["keys"]] == [2]
    console.json("provider", "key", "remove", "work", "2")
    assert console.json("provider", "key", "test", "work", "2", status=1)["error"]["code"] == "provider_key_not_found"
