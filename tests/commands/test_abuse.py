"""`abuse` and decoy keys on the command line."""

import json

from tests.commands.conftest import Console


def test_policies_are_set_shown_and_cleared(console: Console) -> None:
    console("client", "create", "--name", "shop")
    console("abuse", "policy", "--client", "shop", "--set", "automatic", "--ceiling", "cost/hour=2.5:throttle")
    shown = json.loads(console("abuse", "policy", "--json").out)
    assert [(row["client"], row["policy"], row["ceilings"]) for row in shown] == [
        ("(default)", "alert_only", ""),
        ("shop", "automatic", "cost/hour=2.5:throttle"),
    ]
    console("abuse", "policy", "--client", "shop", "--set", "default")
    assert json.loads(console("abuse", "policy", "--json").out)[1]["policy"] == "alert_only"


def test_a_mistake_is_told_with_what_would_be_right(console: Console) -> None:
    assert "Did you mean 'throttle'?" in console("abuse", "policy", "--default", "--set", "throtle", status=1).err
    bad = console("abuse", "policy", "--default", "--set", "throttle", "--ceiling", "much", status=1)
    assert "requests/minute=600:throttle" in bad.err
    assert "--default" in console("abuse", "policy", "--set", "throttle", status=2).err


def test_without_traffic_there_is_nothing_to_list_replay_or_undo(console: Console) -> None:
    console("client", "create", "--name", "shop")
    assert json.loads(console("abuse", "list", "--json").out) == []
    assert json.loads(console("abuse", "replay", "--client", "shop", "--json").out) == []
    assert "sanction_not_found" in console("abuse", "undo", "san_none", "--json", status=1).out


def test_a_decoy_looks_like_any_key(console: Console) -> None:
    console("client", "create", "--name", "shop")
    made = json.loads(console("key", "create", "--client", "shop", "--decoy", "--json").out)
    assert made["key"].startswith("ais_live_")
    assert len(made["key"]) == 60
