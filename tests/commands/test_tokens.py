"""`token`: access tokens of people."""

from aiservice.kit import keyformat
from tests.commands.conftest import Console


def test_a_token_from_its_making_to_its_end(console: Console) -> None:
    console("admin", "create", "--email", "ada@example.org", stdin="a good pass phrase of some length")
    made = console.json("token", "create", "--email", "ada@example.org", "--name", "deploy", "--write")
    assert keyformat.parse_personal(made["token"])
    assert made["scopes"] == ["read", "write"]
    [listed] = console.json("token", "list")
    assert (listed["state"], listed["owner"], listed["last_used_at"]) == ("active", "ada@example.org", None)
    assert made["token"] not in console("token", "list").out
    console("token", "revoke", made["id"])
    assert console.json("token", "list")[0]["state"] == "revoked"


def test_says_what_is_wrong(console: Console) -> None:
    console("token", "create", "--email", "nobody@example.org", "--name", "x", status=1)
    console("token", "create", "--email", "nobody@example.org", "--name", "x", "--expires-in", "90m", status=2)
    console("token", "revoke", "pat_none", status=1)
