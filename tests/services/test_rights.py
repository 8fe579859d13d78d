"""The table of rights, and that nothing that a person does stands outside of it."""

import ast
import inspect
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

from aiservice.errors import PermissionDenied
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services import rights
from aiservice.services.core import Core
from aiservice.services.rights import Reach, action_of, may, require, scope, whose
from aiservice.services.rights_table import TABLE

SERVICES = Path(rights.__file__).parent
# The action depends on what it is done with, and these ask by themselves; a claim is made before an act, which asks.
ASKS_BY_ITSELF = {"budgets.set", "budgets.clear", "management_calls.claim"}
DEVELOPER, ADMIN = Person("usr_d", "d@example.org", Role.DEVELOPER), Person("usr_a", "a@example.org", Role.ADMIN)


def test_a_right_reaches_no_further_for_a_developer_than_for_an_admin_than_for_the_machine() -> None:
    assert [action for action, (held, _) in TABLE.items() if not held.developer <= held.admin <= held.operator] == []


def test_a_developer_reaches_no_row_of_others_whatever_the_action() -> None:
    assert [action for action in TABLE if may(DEVELOPER, action, Reach.ANYONE)] == []


def test_what_one_may_do_with_the_own_row_one_may_not_with_anothers() -> None:
    own, foreign = whose(DEVELOPER, "usr_d"), whose(DEVELOPER, "usr_b")
    assert (may(DEVELOPER, "key.roll", own), may(DEVELOPER, "key.roll", foreign)) == (True, False)
    assert may(ADMIN, "key.roll", whose(ADMIN, None))
    assert not may(ADMIN, "key.reveal", whose(ADMIN, "usr_d"))  # nobody else, not even an admin


def test_a_query_is_narrowed_to_the_person_unless_the_right_reaches_everybody() -> None:
    assert [scope(person, "key.list") for person in (DEVELOPER, ADMIN, OPERATOR)] == ["usr_d", None, None]
    with pytest.raises(PermissionDenied):
        scope(DEVELOPER, "person.list")


@pytest.mark.parametrize(
    ("action", "row", "code", "words"),
    [
        ("person.list", Reach.OWN, "admin_only", "Only an admin may see people."),
        ("preference.set", Reach.PLATFORM, "admin_only", "Only an admin may set the preferences of the platform."),
        ("key.reveal", Reach.ANYONE, "owner_only", "Nobody else may see a key again."),
    ],
)
def test_a_refusal_says_who_may(action: str, row: Reach, code: str, words: str) -> None:
    with pytest.raises(PermissionDenied) as raised:
        require(DEVELOPER, action, row)
    assert (raised.value.code, raised.value.message) == (code, words)


def test_an_action_that_is_not_in_the_table_cannot_even_be_named() -> None:
    with pytest.raises(LookupError, match=r"'key\.eat' is not an action"):
        rights.needs("key.eat")


def test_every_method_of_a_service_that_takes_a_person_names_its_action() -> None:
    unnamed = []
    for field, service in get_type_hints(Core).items():
        for name, method in inspect.getmembers(service, inspect.isfunction):
            takes_a_person = "actor" in inspect.signature(method).parameters
            if takes_a_person and not name.startswith("_") and action_of(method) is None:
                unnamed.append(f"{field}.{name}")
    assert sorted(unnamed) == sorted(ASKS_BY_ITSELF)
    assert len(fields(Core)) > 40


def test_nothing_asks_for_a_role_but_the_table() -> None:
    """What is left of the portal's frame shows what the table says, to whom the gate found."""
    frame = {"frame.py", "site.py", "registry.py", "gate.py", "guard.py"}
    asking = [
        path.name
        for folder in ("services", "portal", "management", "commands")
        for path in sorted((SERVICES.parent / folder).rglob("*.py"))
        if path.name not in frame
        and any(isinstance(node, ast.Attribute) and node.attr == "is_admin" for node in ast.walk(_parsed(path)))
    ]
    assert asking == []


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
