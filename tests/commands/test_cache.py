"""`cache`: policies, figures, purges."""

from tests.commands.conftest import Console


def test_a_policy_from_its_making_to_its_end(console: Console) -> None:
    console("client", "create", "--name", "shop")
    made = console.json("cache", "policy", "set", "--client", "shop", "--task", "chat", "--ttl", "90s")
    assert made == {
        "scope": "client",
        "name": "shop",
        "task": "chat",
        "mode": "on",
        "ttl": "1m30s",
        "max_ttl": "1d",
        "shared_by": "client",
        "similar": "no",
    }
    console("cache", "policy", "set", "--platform", "--mode", "off")
    assert [row["scope"] for row in console.json("cache", "policy", "list")] == ["platform", "client"]
    assert console.json("cache", "policy", "clear", "--client", "shop")["cleared"] == 1
    assert console.json("cache", "policy", "clear", "--platform", "--task", "*")["cleared"] == 1
    assert "where a request asks" in console("cache", "policy", "list").err


def test_similar_questions_are_opted_into_by_task(console: Console) -> None:
    adding = ("provider", "add", "openai", "--name", "vectors", "--no-test")
    console(*adding, stdin="sk-of-a-test-0123456789abcdef\n")
    similar = ("--similar", "0.96", "--embeddings", "vectors:text-embedding-3-small", "--judged", "10")
    made = console.json("cache", "policy", "set", "--platform", "--task", "chat", *similar)
    assert (made["similar"], made["similarity"]) == ("from 0.96, by vectors:text-embedding-3-small", 0.96)
    assert (made["judged_percent"], made["least_precision_percent"], made["is_switched_off"]) == (10, 90, False)
    assert "name one" in console("cache", "policy", "set", "--platform", *similar, status=1).err
    alone = ("--task", "chat", "--similar", "0.96")
    assert "both" in console("cache", "policy", "set", "--platform", *alone, status=2).err


def test_what_cannot_be_is_refused_with_what_to_do(console: Console) -> None:
    assert "--client NAME" in console("cache", "policy", "set", status=2).err
    assert "on" in console("cache", "policy", "set", "--platform", "--mode", "sometimes", status=2).err
    assert "90s" in console("cache", "policy", "set", "--platform", "--ttl", "soon", status=2).err
    assert "'chat'" in console("cache", "policy", "set", "--platform", "--task", "chta", status=1).err
    assert "--all" in console("cache", "purge", status=2).err


def test_purges_and_figures_of_an_installation_that_has_none(console: Console) -> None:
    console("client", "create", "--name", "shop")
    assert console.json("cache", "purge", "--client", "shop") == {"purged": "shop"}
    assert console.json("cache", "purge", "--all") == {"purged": "everybody"}
    assert console.json("cache", "stats") == []
