"""The portal behind a TLS proxy and below a path: nothing that a page does leaves the path, and everything works."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import Tab, chromium
from tests.browser.test_walk import ADMIN, PASSWORD, create_key
from tests.browser.walk.legs import folder_for_a_build
from tests.harness import Installation
from tests.harness.certificates import self_signed
from tests.harness.process import free_port, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.long]
UNDER = "/ai"
PROXY = """
pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; events {{}}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key};
    location {under}/ {{
      proxy_pass http://127.0.0.1:{server}{way}; proxy_http_version 1.1;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
    }}
  }}
}}
"""


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed here: NOT tested behind a proxy")
@pytest.mark.parametrize("way", ["/", ""], ids=["the-path-is-taken-off", "the-path-is-passed-on"])
def test_everything_works_behind_tls_and_below_a_path(way: str, tmp_path: Path, browser: Browser, shots: Path) -> None:
    port, inner = free_port(), free_port()
    base = f"https://127.0.0.1:{port}{UNDER}"
    settings = {
        "AISERVICE_PUBLIC_URL": base,
        "AISERVICE_TRUSTED_PROXIES": "127.0.0.1",
        "REFLEX_WEB_WORKDIR": str(folder_for_a_build()),
    }
    installation = Installation(tmp_path, settings)
    installation.add_admin(ADMIN, PASSWORD)
    cert, key = self_signed(tmp_path)
    names = {"folder": tmp_path, "port": port, "cert": cert, "key": key, "server": inner, "way": way, "under": UNDER}
    (tmp_path / "nginx.conf").write_text(PROXY.format(**names))
    with installation.server(port=inner):
        proxy = subprocess.Popen(["nginx", "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"])
        try:
            wait_until(lambda: httpx.get(f"{base}/healthz", verify=False).status_code == 200, seconds=10)
            walk(Tab(browser, f"https://127.0.0.1:{port}", shots, ignore_https_errors=True), base)
        finally:
            proxy.terminate()
            proxy.wait(10)


def walk(tab: Tab, base: str) -> None:
    """Signs in, goes around, makes a key and a call with it, reads the docs: and never asks for anything elsewhere."""
    page = tab.page
    outside: list[str] = []
    page.on("request", lambda request: None if request.url.startswith(base) else outside.append(request.url))
    page.on("websocket", lambda socket: None if f"{UNDER}/_event" in socket.url else outside.append(socket.url))
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{base}/keys")
    page.wait_for_url(re.compile(rf"{UNDER}/sign-in/?\?next=/keys"))
    page.get_by_label("E-mail").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(re.compile(rf"{UNDER}/keys/?$"))
    secret = create_key(tab, "Below a path")
    page.get_by_role("link", name="Overview").click()
    page.wait_for_url(re.compile(rf"{UNDER}/?$"))
    answer = httpx.post(f"{base}/ai-service", headers={"x-api-key": secret}, json={"input": "hello"}, verify=False)
    assert answer.status_code == 200
    requests = page.get_by_role("table", name="Newest requests").locator("tbody tr")
    expect(requests).to_have_count(1)  # by itself, over the socket
    page.reload()
    expect(requests).to_have_count(1)
    page.get_by_role("link", name="Docs").click()
    page.wait_for_url(f"{base}/docs/start")
    page.get_by_role("link", name="Errors", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Errors")
    refused = httpx.post(f"{base}/ai-service", headers={"x-api-key": "none"}, json={"input": "x"}, verify=False)
    assert refused.headers["link"] == f'<{UNDER}/docs/errors/invalid_api_key>; rel="help"'
    page.goto(f"{base}/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile(rf"{UNDER}/sign-in"))
    assert outside == []
    assert tab.problems == []
