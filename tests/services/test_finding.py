"""The command palette finds what its person may see, by part of a name or by a whole id, and nothing else."""

from aiservice.kit.clock import now_us
from aiservice.kit.ids import new_id
from aiservice.principal import Person
from aiservice.services.finding import Found, find
from aiservice.store.session import Database
from aiservice.tables import Client, ClientKey, KeySecret
from tests.services.cast import person
from tests.services.usage_rows import ADMIN, put, row_of


async def client_of(db: Database, owner: Person, name: str) -> Client:
    client = Client(id=new_id("cli"), name=name, owner_id=owner.user_id, created_us=now_us())
    async with db.write() as session:
        session.add(client)
    return client


async def key_of(db: Database, client: Client, name: str, public_id: str) -> ClientKey:
    key = ClientKey(id=new_id("key"), client_id=client.id, name=name, created_us=now_us())
    secret = KeySecret(public_id=public_id, key_id=key.id, digest=b"d", pepper_version=1, created_us=now_us())
    async with db.write() as session:
        session.add(key)
        await session.flush()
        session.add(secret)
    return key


def names(found: list[Found]) -> list[tuple[str, str]]:
    return [(one.kind, one.name) for one in found]


async def test_each_person_finds_only_what_is_theirs(db: Database) -> None:
    ann, bob = await person(db, "ann@example.test"), await person(db, "bob@example.test")
    for owner, word in ((ann, "ann"), (bob, "bob")):
        client = await client_of(db, owner, f"shop of {word}")
        await key_of(db, client, f"Shop key of {word}", f"{word}000000000")
        await put(db, row_of(f"req_{word}", client_id=client.id))
    assert names(await find(db, ann, "SHOP")) == [("key", "Shop key of ann"), ("client", "shop of ann")]
    assert len(await find(db, ADMIN, "shop")) == 4
    assert await find(db, ann, "bob000000000") == []
    assert await find(db, ann, "req_bob") == []
    assert names(await find(db, ann, "req_ann")) == [("request", "req_ann")]
    assert names(await find(db, bob, "bob000000000")) == [("key", "Shop key of bob")]


async def test_only_an_admin_finds_people(db: Database) -> None:
    ann = await person(db, "ann@example.test")
    assert names(await find(db, ADMIN, "ann@")) == [("person", "ann@example.test")]
    assert await find(db, ann, "ann@") == []


async def test_what_means_something_to_sql_means_only_itself(db: Database) -> None:
    ann = await person(db, "ann@example.test")
    await client_of(db, ann, "a_c")
    await client_of(db, ann, "abc")
    assert names(await find(db, ann, "a_c")) == [("client", "a_c")]
    assert await find(db, ann, "%%") == []


async def test_one_letter_and_an_endless_text_find_nothing(db: Database) -> None:
    ann = await person(db, "ann@example.test")
    await client_of(db, ann, "abc")
    assert await find(db, ann, " a ") == []
    assert await find(db, ann, "x" * 100_000) == []


async def test_of_each_kind_five_are_given_at_most(db: Database) -> None:
    ann = await person(db, "ann@example.test")
    for n in range(9):
        await client_of(db, ann, f"many {n}")
    assert len(await find(db, ann, "many")) == 5
