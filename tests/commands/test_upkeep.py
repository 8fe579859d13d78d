"""`doctor`, `rotate-master-key`, `migrate` and `usage export`."""

import asyncio
import base64
import csv
import io
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from aiservice.kit.clock import DAY_US, now_us
from aiservice.kit.ids import new_id
from aiservice.kit.segments import Segment
from aiservice.services.request_log import CSV_COLUMNS
from aiservice.store.session import Database
from aiservice.tables import LedgerEntry
from tests.commands.conftest import PROVIDER_KEY, Console

KEY_A, KEY_B = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def states(console: Console, status: int = 0) -> dict[str, str]:
    """The state of each of doctor's checks."""
    answer = console.json("doctor", "--port", str(_free_port()), status=status)
    assert answer["ok"] is (status == 0)
    assert all(check["next"] for check in answer["checks"] if check["status"] != "ok")
    return {check["name"]: check["status"] for check in answer["checks"]}


def test_doctor_finds_a_used_installation_well(console: Console) -> None:
    console("admin", "create", "--email", "a@example.org", stdin="correct horse battery staple")
    found = states(console)
    assert found.pop("portal") in {"ok", "warn"}
    assert found.pop("disk") in {"ok", "warn"}
    assert set(found.values()) == {"ok"}
    assert set(found) == {
        "settings",
        "data folder",
        "database",
        "master key",
        "admin",
        "clock",
        "journal",
        "audit log",
        "ledger",
        "port",
    }


@pytest.mark.sqlite_only("an empty folder is an empty installation only there")
def test_doctor_changes_nothing(console: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AISERVICE_DATA_DIR", str(tmp_path / "new"))
    assert states(console)["database"] == "warn"
    assert not (tmp_path / "new").exists()


def test_doctor_says_what_is_wrong_and_exits_1(
    console: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    console("client", "create", "--name", "shop")
    folder = console.settings.data_dir
    folder.chmod(0o755)
    assert states(console, status=1)["data folder"] == "fail"
    folder.chmod(0o700)
    monkeypatch.setenv("AISERVICE_MASTER_KEY_FILE", str(_key_file(tmp_path, KEY_A)))
    assert states(console, status=1)["master key"] == "fail"
    monkeypatch.delenv("AISERVICE_MASTER_KEY_FILE")
    _sql(console, "UPDATE change SET at_us = at_us + 3600000000")
    assert states(console, status=1)["clock"] == "fail"
    _sql(console, "UPDATE alembic_version SET version_num = 'from-the-future'")
    assert states(console, status=1)["database"] == "fail"
    monkeypatch.setenv("AISERVICE_NOTHING", "1")
    assert states(console, status=1) == {"settings": "fail"}


def test_doctor_sees_a_damaged_secret(console: Console) -> None:
    console(
        *("provider", "add", "openai-compatible", "--name", "m", "--base-url", "https://a.example/v1", "--no-test"),
        stdin=PROVIDER_KEY,
    )
    _sql(console, "UPDATE sealed_secret SET sealed = :zeros", zeros=bytes(60))
    assert states(console, status=1)["master key"] == "fail"


def test_doctor_sees_journals_that_nobody_settles(console: Console) -> None:
    folder = console.settings.journal_dir
    folder.mkdir(mode=0o700)
    segment = Segment(folder, new_id("jrn"), 1)
    os.write(segment.fd, b"x" * 100)
    assert states(console)["journal"] == "ok", "its writer lives"
    os.close(segment.fd)
    os.utime(segment.path, (1, 1))
    assert states(console)["journal"] == "warn"
    assert segment.path.exists()


def test_doctor_sees_a_port_in_use(console: Console) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with _closing_clients(taken):
            answer = console.json("doctor", "--host", "127.0.0.1", "--port", port)
    assert [check["status"] for check in answer["checks"] if check["name"] == "port"] == ["warn"]


@pytest.mark.sqlite_only("an empty folder is an empty installation only there")
def test_migrate_says_from_where_to_where(console: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AISERVICE_DATA_DIR", str(tmp_path / "new"))
    first = console.json("migrate")
    assert first["before"] is None
    assert console.json("migrate") == {"before": first["after"], "after": first["after"]}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_database_of_a_newer_release_is_refused_with_status_1(console: Console) -> None:
    _sql(console, "UPDATE alembic_version SET version_num = 'from-the-future'")
    assert "from-the-future" in console("client", "list", status=1).err


@pytest.mark.usefixtures("no_grace")
@pytest.mark.sqlite_only("only there is a key made")
def test_the_key_file_of_our_own_making_is_rotated_in_place(console: Console) -> None:
    _add_connection(console)
    path = console.settings.data_dir / "master.key"
    before = path.read_text()
    done = console.json("rotate-master-key", "--generate")
    assert (done["version"], done["finished"], done["damaged"]) == (2, True, [])
    assert done["moved"] >= 1
    assert path.read_text() != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert _opens(console)
    path.write_text(before)
    assert not _opens(console)


@pytest.mark.usefixtures("no_grace")
def test_a_configured_key_is_rotated_to_one_from_standard_input(
    console: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AISERVICE_MASTER_KEY_FILE", str(_key_file(tmp_path, KEY_A)))
    _add_connection(console)
    done = console("rotate-master-key", stdin=KEY_B + "\n")
    assert KEY_B not in done.out + done.err
    assert "restart the servers" in done.out
    assert not _opens(console)
    _key_file(tmp_path, KEY_B)
    assert _opens(console)


@pytest.mark.usefixtures("no_grace")
def test_a_generated_key_beside_a_configured_file_is_private_and_kept_over_a_second_run(
    console: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configured = _key_file(tmp_path, KEY_A)
    monkeypatch.setenv("AISERVICE_MASTER_KEY_FILE", str(configured))
    _add_connection(console)
    done = console.json("rotate-master-key", "--generate")
    written = Path(done["key_file"])
    assert written == tmp_path / "kek.next"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert f"mv {written} {configured}" in done["next"][0]
    again = console.json("rotate-master-key", "--generate")
    assert (again["moved"], again["version"]) == (0, 2)
    written.replace(configured)
    assert _opens(console)


@pytest.mark.parametrize("given", ["a passphrase", KEY_A[:-4], ""])
def test_a_master_key_is_32_bytes_of_base64(console: Console, given: str) -> None:
    console("rotate-master-key", stdin=given, status=2)


def test_usage_is_exported_as_csv_and_as_json(console: Console) -> None:
    shop, other = (console.json("client", "create", "--name", name) for name in ("shop", "other"))
    asyncio.run(_entries(console, (shop["id"], "shop"), (other["id"], "other")))
    rows = list(csv.DictReader(io.StringIO(console("usage", "export", "--csv").out)))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["client"] for row in rows] == ["shop", "other", "shop", "other"]
    assert len(console.json("usage", "export", "--since", "24h")) == 2
    assert len(console.json("usage", "export", "--until", "24h")) == 2
    only = console.json("usage", "export", "--client", "shop")
    assert [row["client"] for row in only] == ["shop", "shop"]
    assert only[0]["input_tokens"] == 7
    assert only[0]["attempts"] == []
    assert "Did you mean 'shop'" in console("usage", "export", "--client", "shpo", status=1).err
    assert "is no date" in console("usage", "export", "--since", "yesterday", status=2).err


async def _entries(console: Console, *clients: tuple[str, str]) -> None:
    database = Database(console.settings.effective_database_url)
    async with database.write() as session:
        for client_id, name in clients:
            for age_us in (2 * DAY_US, 60_000_000):
                at_us = now_us() - age_us + (1_000_000 if name == "other" else 0)
                session.add(_entry(client_id, name, at_us))
    await database.close()


def _entry(client_id: str, name: str, at_us: int) -> LedgerEntry:
    return LedgerEntry(
        request_id=new_id("req"),
        client_id=client_id,
        client=name,
        key_id="key_1",
        task="chat",
        surface="/v1/chat/completions",
        provider="m",
        model="x",
        status=200,
        outcome="finished",
        input_tokens=7,
        output_tokens=9,
        usage_source="reported",
        started_us=at_us,
        ended_us=at_us,
    )


def _key_file(folder: Path, key: str) -> Path:
    path = folder / "kek"
    path.write_text(key)
    path.chmod(0o600)
    return path


def _add_connection(console: Console) -> None:
    console(
        *("provider", "add", "openai-compatible", "--name", "m", "--base-url", "http://127.0.0.1:9/v1"),
        *("--allow-private", "--no-test"),
        stdin=PROVIDER_KEY,
    )


def _opens(console: Console) -> bool:
    """Whether the stored provider key can be used: the provider's absence is then what its test finds."""
    answer = console.json("provider", "test", "m", status=1)
    code = answer["code"] if "code" in answer else answer["error"]["code"]
    assert code in {"upstream_connect_failed", "sealed"}
    return bool(code == "upstream_connect_failed")


def _sql(console: Console, statement: str, **values: object) -> None:
    async def run() -> None:
        database = Database(console.settings.effective_database_url)
        async with database.write() as session:
            await session.execute(text(statement), values)
        await database.close()

    asyncio.run(run())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _closing_clients(listener: socket.socket) -> Iterator[None]:
    """Something that accepts and speaks no HTTP."""
    import threading

    def run() -> None:
        peer, _ = listener.accept()
        peer.close()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join(5)
