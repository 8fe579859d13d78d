"""What a worker that nobody has asked anything holds in memory, and that what it has left out can be had."""

import asyncio
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import aiservice
from aiservice.store.migrations import migrate
from tests.harness.installation import Installation
from tests.harness.process import ROOT

# Each was there once, or would come in by one careless import; together they are 40 MB and more.
_NOT_WHEN_IDLE = (
    *("aiohttp", "requests", "httpx", "httpx2", "urllib3", "botocore", "google.auth"),
    *("redis", "opentelemetry", "prometheus_client", "wsgiref", "watchfiles", "smtplib"),
    *("joserfc", "webauthn", "cbor2", "segno", "slowapi", "limits", "markdown_it"),
    *("alembic", "asyncpg", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.mysql"),
    *("numpy", "pandas", "plotly", "PIL", "pytest", "hypothesis"),
    *("aiservice.management", "aiservice.docs", "aiservice.kit._signatures"),
)
# Opens what `serve` opens in a worker, after what it does before it forks.
_WORKER = """
import asyncio, json, sys
from aiservice.commands.supervisor import LEFT_OUT, leave_out

leave_out(*LEFT_OUT)
from aiservice.commands import line, worker

worker.prepare_environment("http://localhost", "nod_idle")
worker.spare_memory(with_redis=False)
from aiservice.aiservice import app

async def idle():
    app()
    async with app.opened():
        await asyncio.sleep(1)
        held = [name for name, module in sys.modules.items() if module is not None]
        print("HELD", json.dumps(held), flush=True)

asyncio.run(idle())
"""


def test_an_idle_worker_holds_nothing_that_only_some_need(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    # A worker that finds its database as it has to be does not load what migrates.
    asyncio.run(migrate(f"sqlite+aiosqlite:///{installation.database_path}", installation.data_dir))
    done = subprocess.run(
        [sys.executable, "-c", _WORKER],
        env=installation.env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("HELD "))
    held = set(json.loads(line.removeprefix("HELD ")))
    assert "aiservice.gateway.pipeline" in held
    assert not held.intersection(_NOT_WHEN_IDLE)


def test_whatever_is_left_for_later_can_be_imported() -> None:
    names = [info.name for info in pkgutil.walk_packages(aiservice.__path__, "aiservice.")]
    assert len(names) > 500
    for name in names:
        if name not in ("aiservice.__main__", "aiservice.aiservice"):  # these two are programs
            importlib.import_module(name)
