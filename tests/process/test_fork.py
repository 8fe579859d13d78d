"""Importing the product opens nothing: after a fork the child calls a provider and queries the database.

Reflex's production mode imports the app in a supervisor and then forks; a client, engine or thread made before that
would hang every request of the worker.
"""

import subprocess
import sys

import pytest

from tests.harness.process import ROOT
from tests.process.conftest import Rig

pytestmark = pytest.mark.process

_SCRIPT = """
import asyncio, os, signal, sys, threading

from aiservice.aiservice import app

assert threading.active_count() == 1, threading.enumerate()
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

signal.alarm(25)  # a hang ends as a failure
from sqlalchemy import text

from aiservice.principal import OPERATOR
from aiservice.services.opening import open_core
from aiservice.settings import load_settings

async def use():
    async with open_core(load_settings()) as core:
        async with core.db.read() as session:
            clients = (await session.execute(text("SELECT count(*) FROM client"))).scalar_one()
        result = await core.connections.test(OPERATOR, "mock")
        print(clients, result)
        return clients == 1

sys.exit(0 if asyncio.run(use()) else 3)
"""


def test_a_forked_child_of_the_imported_app_calls_upstream_and_queries(rig: Rig) -> None:
    before = rig.mock.counts()["calls"]
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        env=rig.installation.env,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert rig.mock.counts()["calls"] > before, done.stdout
