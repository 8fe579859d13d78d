"""axe-core, the accessibility checker, pinned: fetched once with npm into the test cache and checked by its digest."""

import base64
import hashlib
import os
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.harness.process import ROOT

VERSION = "4.14.1"
_SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
_FOLDER = ROOT / ".pytest_cache" / "axe-core"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
_RUN = """async (tags) => {
  const { violations } = await axe.run(document, { runOnly: tags });
  return violations.map((v) => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary]);
}"""


def violations(page: Page) -> list[Any]:
    """What axe-core finds against WCAG 2.2 A and AA, and its own good practice: rule, count, first element, why."""
    if not page.evaluate("typeof axe === 'object'"):
        # Not as a script element: the page's own Content-Security-Policy stays on, and would refuse it.
        page.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": source()})
    found: list[Any] = page.evaluate(_RUN, _TAGS)
    return found


@cache
def source() -> str:
    """The library's text; skips the test, saying so, where no registry can be reached."""
    package = _FOLDER / f"axe-core-{VERSION}.tgz"
    if not package.exists():
        _FOLDER.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
        command = ["npm", "pack", f"axe-core@{VERSION}", "--pack-destination", str(_FOLDER), "--silent"]
        done = subprocess.run(command, env=env, cwd=_FOLDER, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            pytest.skip(f"accessibility was NOT checked: npm could not fetch axe-core {VERSION}: {done.stderr[-300:]}")
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    assert digest == _SHA512, f"{package} is not the axe-core {VERSION} that was pinned"
    with tarfile.open(package) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()
