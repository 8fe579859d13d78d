"""The two upstreams as processes: nginx with one fixed answer, and the paced stream mock."""

import shutil
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Self

from tests.bench.fixtures import answer_body
from tests.harness.databases import NotInstalled
from tests.harness.mock import is_answering
from tests.harness.process import Child, free_port

_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; default_type application/json;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{ return 200 '{answer}'; }}
  }}
}}
"""


class Mocks:
    """Both mocks on one core. `whole_url` and `stream_url` end in `/v1`."""

    def __init__(self, folder: Path, *, core: int) -> None:
        self._folder = folder
        self._core = core
        self._stack = ExitStack()
        self.processes: list[Child] = []
        self.whole_port = free_port()
        self.stream_port = free_port()

    @property
    def whole_url(self) -> str:
        return f"http://127.0.0.1:{self.whole_port}/v1"

    @property
    def stream_url(self) -> str:
        return f"http://127.0.0.1:{self.stream_port}/v1"

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.bench.stream_mock", "--port", str(self.stream_port)]
        self.processes = [self._nginx(), Child(command, log=self._folder / "stream.log", core=self._core)]
        with self._stack:
            for process, url in zip(self.processes, (self.whole_url, self.stream_url), strict=True):
                self._stack.enter_context(process)
                process.wait_ready(partial(is_answering, f"{url}/models"), seconds=10)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    def _nginx(self) -> Child:
        program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if program is None:
            raise NotInstalled("nginx (apt-get install nginx)")
        config = self._folder / "nginx.conf"
        config.write_text(_NGINX.format(folder=self._folder, port=self.whole_port, answer=answer_body().decode()))
        command = [program, "-c", str(config), "-e", str(self._folder / "nginx.err")]
        return Child(command, log=self._folder / "nginx.log", core=self._core)
