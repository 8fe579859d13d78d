"""The mock provider as a process: it outlives a killed gateway and shares no event loop with a test."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.harness.process import Child
from tests.mock.record import Served, read_record

# The loopback is never asked through a proxy that the environment may name.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class MockProcess(Child):
    """`python -m tests.mock` with its ground-truth file in `folder`."""

    def __init__(self, folder: Path, *, keys: tuple[str, ...] = (), core: int | None = None, port: int = 0) -> None:
        self.record_path = folder / "served.jsonl"
        self.port = 0
        command = [sys.executable, "-m", "tests.mock", "--port", str(port), "--record", str(self.record_path)]
        for key in keys:
            command += ["--key", key]
        super().__init__(command, log=folder / "mock.log", core=core)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        super().start()
        self.wait_ready(self._has_printed_its_port, seconds=20)

    def _has_printed_its_port(self) -> bool:
        with suppress(ValueError, KeyError, StopIteration):
            # Whatever else may have been written before it, a warning of Python's for one.
            self.port = json.loads(next(line for line in self.log_text().splitlines() if line.startswith("{")))["port"]
        return self.port != 0

    def served(self) -> list[Served]:
        return read_record(self.record_path)

    def chats(self) -> list[Served]:
        """The chat requests alone, without a connection's test for its models."""
        return [call for call in self.served() if call.path.endswith("/chat/completions")]

    def counts(self) -> Mapping[str, Any]:
        with _DIRECT.open(f"http://127.0.0.1:{self.port}/mock/counts", timeout=5) as answer:
            counts: Mapping[str, Any] = json.load(answer)
            return counts


def is_answering(url: str, status: int = 200) -> bool:
    """Whether a GET of `url` gives `status` now."""
    try:
        with _DIRECT.open(url, timeout=2) as answer:
            return int(answer.status) == status
    except urllib.error.HTTPError as error:
        return error.code == status
    except (OSError, subprocess.SubprocessError):
        return False
