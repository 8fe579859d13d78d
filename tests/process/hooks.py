"""A receiver of webhooks that holds the first message for as long as a test wants it to."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hook(ThreadingHTTPServer):
    """Holds the first message for as long as it is told to; answers every other at once."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.is_released = threading.Event()
        super().__init__(("127.0.0.1", 0), _Taking)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def wait_for(self, messages: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        while len(self.received) < messages:
            assert time.monotonic() < end, f"{len(self.received)} messages in {seconds} s"
            time.sleep(0.05)


class _Taking(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        if len(self.server.received) == 1:
            self.server.is_released.wait(30)
        try:
            self.send_response(204)
            self.end_headers()
        except OSError:
            pass

    def log_message(self, *_args: object) -> None:
        pass
