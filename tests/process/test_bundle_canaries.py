"""T-27: the portal is built with a secret in every setting that holds one; nothing of it is in what is built."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.canaries import read_files, search
from tests.harness.evidence import Evidence
from tests.harness.process import ROOT

pytestmark = [pytest.mark.process, pytest.mark.long]

_SECRETS = {
    "AISERVICE_MASTER_KEY": "Y2FuYXJ5LW1hc3Rlci1rZXktb2YtMzItYnl0ZXMhISE=",
    "AISERVICE_DATABASE_URL": "postgresql+asyncpg://canary_user_Xk29:canary_word_Bq71@127.0.0.1/canary_base_Lm44",
    "AISERVICE_REDIS_URL": "redis://:canary_redis_Wd83@127.0.0.1:1/0",
    "AISERVICE_ADMIN_EMAIL": "canary-admin-Jt56@example.test",
    "AISERVICE_ADMIN_PASSWORD": "canary password Rz18 of the admin",
    "AISERVICE_METRICS_TOKEN": "canary-metrics-Vn37",
    "OPENAI_API_KEY": "sk-canary-openai-Pd62",
    "ANTHROPIC_API_KEY": "sk-ant-canary-Gh95",
}


def test_t27_a_build_amid_secrets_holds_none_of_them(tmp_path: Path, evidence: Evidence) -> None:
    web = tmp_path / "web"
    # Reflex's own command, not ours: ours would take the secrets out of the environment first.
    command = [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip"]
    env = {**os.environ, **_SECRETS, "AISERVICE_DATA_DIR": str(tmp_path / "data"), "REFLEX_WEB_WORKDIR": str(web)}
    done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    built = [path for path in web.rglob("*") if path.is_file() and "node_modules" not in path.parts]
    assert any(path.name == "index.html" for path in built)
    parts = {name: secret for name, secret in _SECRETS.items() if "://" not in secret}
    parts |= {"database password": "canary_word_Bq71", "redis password": "canary_redis_Wd83"}
    found = list(search(parts, [*read_files(built), ("what the build said", done.stdout + done.stderr)]))
    evidence.note(files=len(built), found=[f"{find.canary} in {find.place}" for find in found])
    assert found == []
    planted = tmp_path / "planted.js"
    planted.write_text(f'const key = "{_SECRETS["OPENAI_API_KEY"]}"')
    assert list(search(parts, read_files([planted]))), "the search is blind"
