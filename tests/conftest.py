"""Fixtures and options that many suites share."""

import asyncio
import base64
import hashlib
import os
import random
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from aiservice.kit.passwords import Passwords
from aiservice.settings import MASTER_KEY_BYTES, Settings
from aiservice.store.migrations import migrate
from aiservice.store.session import Database
from tests.harness.canaries import sweep
from tests.harness.databases import FreshDatabase, NotInstalled, PostgresServer, execute, find_postgres
from tests.harness.evidence import Evidence
from tests.harness.installation import Installation

# How long an example takes says something about the machine, not about the code. `tests/run.py --long` asks for more.
hypothesis_settings.register_profile(
    "here",
    deadline=None,
    max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "40")),
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("here")

_DATABASES_USED = {"database", "installed"}
_ABOVE_THE_SERVICES = ("tests.gateway", "tests.portal", "tests.commands", "tests.replay")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also what takes minutes; figures go to tests/evidence/")
    parser.addoption("--seed", type=int, help="of every random choice in the tests; 0 unless --long draws one")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--seed") is None:
        config.option.seed = random.SystemRandom().randrange(2**31) if config.getoption("--long") else 0


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: {config.getoption('--seed')}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the long tests unless they are asked for, and what is about the other database alone."""
    for item in items:
        if item.get_closest_marker("long_on_postgres") and _base_of(item) == "postgres":
            item.add_marker(pytest.mark.long)
    is_long_wanted = config.getoption("--long")
    left_out = [item for item in items if _is_left_out(item, is_long_wanted=is_long_wanted)]
    if left_out:
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]
        config.hook.pytest_deselected(items=left_out)


def _is_left_out(item: pytest.Item, *, is_long_wanted: bool) -> bool:
    if item.get_closest_marker("long") and not is_long_wanted:
        return True
    other = {"postgres": "sqlite_only", "sqlite": "postgres_only"}.get(_base_of(item))
    return other is not None and item.get_closest_marker(other) is not None


def _base_of(item: pytest.Item) -> str:
    """The database that a test is given; "" where it asks for none."""
    params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return str(params.get("base", ""))


@pytest.fixture(scope="session", autouse=True)
def no_trace_holds_a_secret() -> Iterator[None]:
    """After everything that ran: T-24 over all installations that tests made, whatever they were made for."""
    yield
    found = sweep(Installation.all_made)
    assert found == [], found


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    """Of every random choice in a test; `--seed` repeats a run."""
    return int(pytestconfig.getoption("--seed"))


@pytest.fixture
def evidence(request: pytest.FixtureRequest, seed: int) -> Evidence:
    """Where a test notes the figures that it proves."""
    folder = Path(__file__).with_name("evidence") if request.config.getoption("--long") else None
    return Evidence(request.node.name, seed, folder)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever works with a database is tested on both; in the default tier, what stands on the services on one."""
    if "base" in metafunc.fixturenames and _DATABASES_USED & set(metafunc.fixturenames):
        marks = [pytest.mark.postgres]
        if metafunc.module.__name__.startswith(_ABOVE_THE_SERVICES):
            marks.append(pytest.mark.long)
        on_postgres = pytest.param("postgres", marks=marks)
        metafunc.parametrize("base", ["sqlite", on_postgres], indirect=True)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FreshDatabase]:
    """A PostgreSQL of this run, with a database that is migrated and, whenever it is given out, empty."""
    try:
        find_postgres()
    except NotInstalled as missing:
        pytest.skip(f"not run on PostgreSQL: {missing}")
    with PostgresServer(tmp_path_factory.mktemp("pg"), is_durable=False) as server:
        execute(server.url, "CREATE DATABASE migrated")
        asyncio.run(migrate(server.url_of("migrated"), tmp_path_factory.mktemp("migrated-pg")))
        yield FreshDatabase(server, "migrated")


@pytest.fixture
def base(request: pytest.FixtureRequest) -> str | None:
    """The URL of a migrated, empty PostgreSQL database; None where the database is SQLite's file."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    fresh: FreshDatabase = request.getfixturevalue("postgres")
    return fresh.give()


@pytest.fixture
def settings(tmp_path: Path, base: str | None) -> Settings:
    """Settings of a fresh installation in an empty folder."""
    if base is None:
        return Settings(data_dir=tmp_path / "data")
    key = tmp_path / "configured-master.key"
    key.write_text(base64.b64encode(os.urandom(MASTER_KEY_BYTES)).decode())
    key.chmod(0o600)
    return Settings(data_dir=tmp_path / "data", database_url=base, master_key_file=key)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy: migrating takes longer than most tests."""
    fresh = Settings(data_dir=tmp_path_factory.mktemp("migrated"))
    asyncio.run(migrate(fresh.effective_database_url, fresh.data_dir))
    return fresh.data_dir / "aiservice.sqlite"


@pytest.fixture
def installed(settings: Settings, migrated_file: Path) -> Settings:
    """Settings of an installation whose database is migrated and empty."""
    settings.data_dir.mkdir(mode=0o700)
    if settings.is_sqlite:
        shutil.copy(migrated_file, settings.data_dir)
    return settings


@pytest.fixture
async def database(installed: Settings) -> AsyncIterator[Database]:
    """A migrated, empty database."""
    database = Database(installed.effective_database_url)
    yield database
    await database.close()


@pytest.fixture
def quick_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 has tests of its own (marked so), and would be most of the time in all others."""
    if request.node.get_closest_marker("argon2"):
        return

    def digest(password: str) -> str:
        return hashlib.sha256(password.encode()).hexdigest()

    async def hashed(_self: Passwords, password: str) -> str:
        return digest(password)

    async def verify(_self: Passwords, password: str, stored: str | None) -> bool:
        return stored == digest(password)

    monkeypatch.setattr(Passwords, "hash", hashed)
    monkeypatch.setattr(Passwords, "verify", verify)
