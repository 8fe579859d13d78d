"""Three ways to one portal: plain http under a name (no secure context), a TLS proxy, and a proxy that serves it below
a path. Each has a server of its own, a provider that is a mock, and a mail server."""

import base64
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.browser.chromium import PLAIN_HOST
from tests.harness import Installation, MockProcess, ServerProcess
from tests.harness.certificates import self_signed
from tests.harness.process import ROOT, free_port, wait_until
from tests.upstream.test_mail import Inbox

NAMES = ("plain-http", "tls", "below-a-path")
PROVIDER_KEY = "sk-of-the-provider"
FURTHER_KEYS = ("sk-another-of-the-provider", "sk-the-third-of-the-provider")
PATH = "/ai"
_BUILT_BELOW = ROOT / ".pytest_cache" / "web-below-a-path"
PROXY = """
pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; events {{}}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{port}{tls};
    location {under}/ {{
      proxy_pass http://127.0.0.1:{server}; proxy_http_version 1.1;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
    }}
  }}
}}
"""


@dataclass(slots=True)
class Leg:
    """A portal that runs, and how it is reached. `origin` is scheme, host and port, `under` the path below it.
    `chromium_flags` have the browser trust its certificate."""

    name: str
    origin: str
    under: str
    installation: Installation
    server: ServerProcess
    mock: MockProcess
    inbox: Inbox
    chromium_flags: tuple[str, ...] = ()
    has_admin: bool = False
    is_prepared: bool = False

    @property
    def base(self) -> str:
        return self.origin + self.under

    @property
    def is_secure(self) -> bool:
        """Whether the browser takes its pages for a secure context: passkeys and the clipboard's API need one."""
        return self.origin.startswith("https:")

    def ask(self, key: str, **body: Any) -> httpx.Response:
        """A request as a program sends it, through the same door as the browser's."""
        host = self.origin.partition("://")[2]
        url = self.base.replace(PLAIN_HOST, "127.0.0.1") + "/ai-service"
        headers = {"Authorization": f"Bearer {key}", "Host": host}
        return httpx.post(url, headers=headers, json={"input": "hello", **body}, verify=False, timeout=30)

    def get(self, path: str) -> str:
        """A text as a program reads it, through the same door."""
        url, host = self.base.replace(PLAIN_HOST, "127.0.0.1") + path, self.origin.partition("://")[2]
        return httpx.get(url, headers={"Host": host}, verify=False, timeout=30).raise_for_status().text

    def command(self, *arguments: str, stdin: str = "") -> Any:
        return self.installation.command(*arguments, stdin=stdin)


@contextmanager
def leg(name: str, folder: Path) -> Iterator[Leg]:
    """Starts everything that the leg needs, and ends it."""
    inner, port, mail = free_port(), free_port(), free_port()
    is_proxied, under = name != "plain-http", PATH if name == "below-a-path" else ""
    origin = f"{'https' if name == 'tls' else 'http'}://{PLAIN_HOST}:{port if is_proxied else inner}"
    settings = _settings(origin + under, mail)
    with ExitStack() as stack:
        inbox = Inbox()
        controller = Controller(inbox, hostname="127.0.0.1", port=mail)
        controller.start()
        stack.callback(controller.stop)
        if under:
            settings["REFLEX_WEB_WORKDIR"] = str(folder_for_a_build())
        installation = Installation(folder, settings)
        mock = stack.enter_context(MockProcess(folder, keys=(PROVIDER_KEY, *FURTHER_KEYS)))
        flags: tuple[str, ...] = ()
        if is_proxied:
            tls, flags = _tls(folder) if name == "tls" else ("", ())
            names = {"folder": folder, "port": port, "tls": tls, "under": under, "server": inner}
            stack.enter_context(_nginx(folder, names))
        server = stack.enter_context(installation.server(port=inner))
        yield Leg(name, origin, under, installation, server, mock, inbox, flags)


def _settings(public_url: str, mail_port: int) -> dict[str, str]:
    return {
        "AISERVICE_SIGNUP": "open",
        "AISERVICE_PUBLIC_URL": public_url,
        "AISERVICE_TRUSTED_PROXIES": "127.0.0.1",
        "AISERVICE_SMTP_URL": f"smtp://127.0.0.1:{mail_port}",
        "AISERVICE_LOG_PAYLOADS": "on",
        "GROQ_API_KEY": "gsk_found_in_the_environment",
    }


def _tls(folder: Path) -> tuple[str, tuple[str, ...]]:
    """The words of a listener that speaks TLS, and what makes the browser trust its certificate wholly: a page with a
    certificate that it only puts up with gets no passkeys."""
    cert, key = self_signed(folder)
    public = x509.load_pem_x509_certificate(cert.read_bytes()).public_key()
    info = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = base64.b64encode(hashlib.sha256(info).digest()).decode()
    words = f" ssl; ssl_certificate {cert}; ssl_certificate_key {key}"
    return words, (f"--ignore-certificate-errors-spki-list={digest}",)


@contextmanager
def _nginx(folder: Path, names: Mapping[str, object]) -> Iterator[None]:
    (folder / "nginx.conf").write_text(PROXY.format(**names))
    proxy = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"])
    try:
        wait_until(lambda: (folder / "nginx.pid").exists() or proxy.poll() is not None, seconds=10)
        assert proxy.poll() is None, (folder / "error.log").read_text()
        yield
    finally:
        proxy.terminate()
        proxy.wait(10)


def folder_for_a_build() -> Path:
    """For scripts that are made for the path. It stays, so that a leg that is walked in pieces is built once; only
    node_modules, which no build writes to, are those of the other build."""
    web, usual = _BUILT_BELOW, ROOT / ".web"
    if not web.exists():
        shutil.copytree(usual, web, ignore=_what_is_not_copied, symlinks=True)
        shutil.copytree(usual / "node_modules", web / "node_modules", copy_function=os.link, symlinks=True)
    return web


def _what_is_not_copied(folder: str, names: list[str]) -> set[str]:
    ours = {"build", "aiservice-build.json", "node_modules"}
    return ours.intersection(names) if Path(folder) == ROOT / ".web" else set()
