"""TLS: the key leaves only over a verified connection."""

import ssl
from pathlib import Path

import pytest

from aiservice.settings import Deadlines
from aiservice.upstream.client import Upstream
from aiservice.upstream.failures import UpstreamFailure
from tests.upstream.conftest import Maker, Sending, send_streamed, send_whole, target
from tests.upstream.servers import Authority, Server, answer, answering, serving

both_ways = pytest.mark.parametrize("sending", [send_whole, send_streamed])


async def refused(sending: Sending, upstream: Upstream, server: Server) -> None:
    with pytest.raises(UpstreamFailure, match="upstream_tls_failed"):
        await sending(upstream, target(server.port, scheme="https"))
    assert server.received == []


@both_ways
async def test_a_verified_server_is_called(
    upstream: Upstream, authority: Authority, tmp_path: Path, sending: Sending
) -> None:
    async with serving(answering(answer(b"{}")), authority.context(tmp_path)) as server:
        assert await sending(upstream, target(server.port, scheme="https")) == b"{}"
    assert server.received[0].headers["host"] == f"mock.test:{server.port}"


@both_ways
async def test_t36_a_self_signed_certificate_is_refused(
    upstream: Upstream, authority: Authority, tmp_path: Path, sending: Sending
) -> None:
    async with serving(answering(answer(b"{}")), authority.context(tmp_path, is_self_signed=True)) as server:
        await refused(sending, upstream, server)


@both_ways
async def test_t36_an_expired_certificate_is_refused(
    upstream: Upstream, authority: Authority, tmp_path: Path, sending: Sending
) -> None:
    async with serving(answering(answer(b"{}")), authority.context(tmp_path, is_expired=True)) as server:
        await refused(sending, upstream, server)


@both_ways
@pytest.mark.parametrize("name", ["other.test", "127.0.0.1"])
async def test_t36_a_certificate_for_another_name_is_refused(
    upstream: Upstream, authority: Authority, tmp_path: Path, sending: Sending, name: str
) -> None:
    async with serving(answering(answer(b"{}")), authority.context(tmp_path, name)) as server:
        await refused(sending, upstream, server)


@both_ways
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_t36_tls_below_1_2_is_refused(
    upstream: Upstream, authority: Authority, tmp_path: Path, sending: Sending
) -> None:
    context = authority.context(tmp_path)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with serving(answering(answer(b"{}")), context) as server:
        await refused(sending, upstream, server)


@both_ways
async def test_t34_certificate_files_of_the_environment_are_not_trusted(
    make_upstream: Maker, authority: Authority, tmp_path: Path, sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "authority.pem").write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    async with serving(answering(answer(b"{}")), authority.context(tmp_path)) as server:
        await refused(sending, make_upstream(roots=False), server)


@both_ways
async def test_a_server_that_speaks_plain_http_on_the_tls_port_gets_nothing(
    make_upstream: Maker, sending: Sending
) -> None:
    async with serving(answering(answer(b"{}"))) as server:
        with pytest.raises(UpstreamFailure):
            await sending(make_upstream(Deadlines(connect=0.3)), target(server.port, scheme="https"))
    assert server.received == []
