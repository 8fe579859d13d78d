"""Keys of the environment: offered by their names, labelled where they are in use, and never used by themselves."""

import pytest

from aiservice.errors import NotFound, PermissionDenied
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.environment_keys import EnvironmentKeys
from aiservice.settings import Settings, importable_keys
from aiservice.store.session import Database
from tests.services.cast import connections_of, office, person

KEY = "sk-of-the-environment-4f9d2b7c"


def test_only_usual_names_are_read_and_what_is_empty_is_not_there() -> None:
    found = importable_keys({"OPENAI_API_KEY": f" {KEY}\n", "GROQ_API_KEY": " ", "SOME_API_KEY": KEY}, dotenv=None)
    assert {name: key.reveal_text() for name, key in found.items()} == {"OPENAI_API_KEY": KEY}


async def test_a_key_is_offered_until_a_connection_has_it(database: Database, settings: Settings) -> None:
    connections = await connections_of(database, settings, office(database).changes)
    keys = EnvironmentKeys(connections, lambda: {"OPENAI_API_KEY": Secret(KEY)})
    (offered,) = await keys.offered(OPERATOR)
    assert (offered.variable, offered.kind, offered.hint, offered.used_by) == ("OPENAI_API_KEY", "openai", "2b7c", ())
    assert KEY not in repr(offered)
    kind, base_url, secret = await keys.take(OPERATOR, "OPENAI_API_KEY")
    await connections.add(OPERATOR, kind, "imported", base_url or None, secret)
    (offered,) = await keys.offered(OPERATOR)
    assert offered.used_by == ("imported",)


async def test_only_an_admin_is_offered_any_and_only_what_is_set(database: Database, settings: Settings) -> None:
    keys = EnvironmentKeys(await connections_of(database, settings, office(database).changes), dict)
    ada = await person(database, "ada@example.org")
    for refused in (keys.offered(ada), keys.take(ada, "OPENAI_API_KEY")):
        with pytest.raises(PermissionDenied):
            await refused
    with pytest.raises(NotFound):
        await keys.take(OPERATOR, "OPENAI_API_KEY")
