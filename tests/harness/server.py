"""The product as a process, the way the README starts it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tests.harness.mock import is_answering
from tests.harness.process import ROOT, Child

How = Literal["serve", "reflex"]

# A portal that has to be compiled first takes about a minute on two cores; a built one about a second.
_BUILD_SECONDS = 240.0


class ServerProcess(Child):
    """`python -m aiservice serve`, or `reflex run --env prod`, on `port` of the loopback; ready after `start()`.

    `ready_seconds` is the time from its start to the first 200 of `/readyz`.
    """

    def __init__(
        self,
        *,
        port: int,
        env: Mapping[str, str],
        log: Path,
        how: How = "serve",
        core: int | None = None,
        code: Path = ROOT,
    ) -> None:
        self.port = port
        self.ready_seconds = 0.0
        bin_folder = Path(sys.executable).parent
        if how == "serve":
            command: list[str | Path] = [sys.executable, "-m", "aiservice", "serve", "--host", "127.0.0.1"]
            command += ["--port", str(port)]
        else:
            command = [bin_folder / "reflex", "run", "--env", "prod", "--backend-host", "127.0.0.1"]
            command += ["--single-port", "--backend-port", str(port)]
        super().__init__(command, log=log, env=env, core=core, cwd=code)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """The base URL for OpenAI's library."""
        return f"{self.url}/v1"

    def start(self) -> None:
        super().start()
        self.ready_seconds = self.wait_ready(self.is_ready, seconds=_BUILD_SECONDS)

    def is_ready(self) -> bool:
        return is_answering(f"{self.url}/readyz")
