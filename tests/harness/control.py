"""A loop with nothing to do, in a process of its own: how late it runs is the machine's doing, and nobody else's."""

import json
import sys
from pathlib import Path
from typing import Self

from tests.harness.process import Child

_SCRIPT = """
import json, signal, time
is_over = []
signal.signal(signal.SIGTERM, lambda *_: is_over.append(1))
lags = []
due = time.monotonic() + 0.1
while not is_over:
    time.sleep(max(0.0, due - time.monotonic()))
    lags.append(max(0.0, time.monotonic() - due))
    due = time.monotonic() + 0.1
lags.sort()
print(json.dumps([lags[int((len(lags) - 1) * 0.99)], lags[-1]]))
"""


class ControlLoop(Child):
    """Ticks as often as the product's own watch does; afterwards `p99_ms` and `max_ms` tell how late it was."""

    def __init__(self, folder: Path) -> None:
        super().__init__([sys.executable, "-c", _SCRIPT], log=folder / "control.log")
        self.p99_ms = self.max_ms = 0.0

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.terminate()
        p99, worst = json.loads(self.log_text())
        self.p99_ms, self.max_ms = round(p99 * 1000, 1), round(worst * 1000, 1)
        super().__exit__(*exc)
