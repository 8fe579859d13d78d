"""The command line acts as the machine's operator, by the same table of rights as everybody."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from aiservice.commands.line import whole
from aiservice.services.rights import Reach, action_of
from aiservice.services.rights_table import TABLE, Held

NOBODY = Held(Reach.NONE, Reach.NONE, Reach.NONE)


def commands(group: typer.Typer, path: str = "") -> Iterator[tuple[str, Any]]:
    for each in group.registered_commands:
        yield f"{path}{each.name}", each.callback
    for below in group.registered_groups:
        assert below.typer_instance is not None
        yield from commands(below.typer_instance, f"{path}{below.name} ")


def test_every_command_names_its_action_in_the_table_of_rights() -> None:
    found = dict(commands(whole()))
    assert [name for name, callback in found.items() if action_of(callback) not in TABLE] == []
    assert len(found) > 100
    assert (action_of(found["key budget set"]), action_of(found["serve"])) == ("key.budget", "server.run")


@pytest.mark.parametrize("command", ["team list", "key limits show key_1", "migrate"])
def test_a_command_whose_right_the_table_takes_away_is_refused(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    for action, (_, words) in TABLE.items():
        monkeypatch.setitem(TABLE, action, (NOBODY, words))
    answer = CliRunner().invoke(whole(), command.split())
    assert answer.exit_code == 1
    assert "Nobody else may" in answer.stderr
