"""A vendor that the command line adds while the server runs: used at once, in its own words, and changed under way."""

import time
from pathlib import Path

import httpx
import pytest

from tests.harness import Installation, MockProcess
from tests.harness.evidence import Evidence

pytestmark = [pytest.mark.process, pytest.mark.long]

KEY = "sk-of-the-vendor-0001"
ROW = 'kind = "acme"\ntitle = "Acme"\nrefused = ["logit_bias"]\n'


def test_a_vendor_is_used_by_a_running_server_as_soon_as_it_is_added(tmp_path: Path, evidence: Evidence) -> None:
    installation = Installation(tmp_path)
    row = tmp_path / "acme.toml"
    row.write_text(ROW)
    with MockProcess(tmp_path, keys=(KEY,)) as mock, installation.server() as server:
        key = str(installation.add_key("app")["key"])
        installation.command("vendor", "add", "--file", str(row))
        named = ("--name", "acme", "--base-url", mock.base_url, "--allow-private", "--models", "m")
        installation.command("provider", "add", "acme", *named, stdin=KEY)

        def ask(**fields: object) -> httpx.Response:
            body = {"model": "acme/m", "messages": [{"role": "user", "content": "(words-3) hi"}], **fields}
            headers = {"authorization": f"Bearer {key}"}
            return httpx.post(f"{server.api_url}/chat/completions", headers=headers, json=body, timeout=10)

        def seconds_until(status: int, **fields: object) -> float:
            began = time.perf_counter()
            while ask(**fields).status_code != status:
                assert time.perf_counter() - began < 5, f"no {status} within five seconds"
                time.sleep(0.02)
            return time.perf_counter() - began

        added = seconds_until(200)
        refused = ask(logit_bias={"1": 1})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "logit_bias")
        row.write_text(ROW.replace("refused", "left_out").replace("logit_bias", "store"))
        installation.command("vendor", "add", "--file", str(row), "--replace")
        changed = seconds_until(200, logit_bias={"1": 1})
    evidence.note(seconds_until_used=round(added, 2), seconds_until_changed=round(changed, 2))
