"""`team` and `client set-team`."""

from tests.commands.conftest import Console


def test_a_team_from_its_making_to_its_end(console: Console) -> None:
    made = console.json("team", "create", "--name", "search")
    assert set(made) == {"id", "name"}
    console("client", "create", "--name", "shop", "--team", "search")
    assert console.json("client", "list")[0]["team"] == "search"
    stored = console.json("team", "limits", "set", "search", "--rpm", "60", "--limit", "tokens/day=1000")
    assert stored["limits"] == {"requests/minute": 60, "tokens/day": 1000}
    assert console.json("team", "limits", "show", "search")["limits"] == stored["limits"]
    assert console.json("team", "limits", "clear", "search", "--limit", "tokens/day")["limits"] == {
        "requests/minute": 60
    }
    assert console.json("team", "rename", "search", "find")["name"] == "find"
    assert console.json("team", "delete", "find", status=1)["error"]["code"] == "team_not_empty"
    assert console.json("client", "set-team", "shop", "--none")["team"] is None
    assert console.json("team", "delete", "find")["deleted"] is True
    assert console.json("team", "list") == []


def test_setting_a_team_takes_a_team_or_none(console: Console) -> None:
    assert "--none" in console("client", "set-team", "shop", status=2).err
    assert "--none" in console("client", "set-team", "shop", "search", "--none", status=2).err
