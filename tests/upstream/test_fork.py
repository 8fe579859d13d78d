"""Importing opens nothing, so a process that forks after the import can still call."""

import os
import subprocess
import sys
import textwrap

SCRIPT = textwrap.dedent(
    """
    import asyncio, os, socket, sys, threading
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    import aiservice.upstream.client
    from aiservice.upstream.socket_transport import SocketTransport
    from aiservice.upstream.httpx_transport import HttpxTransport
    from aiservice.upstream.client import Target, Upstream
    from aiservice.upstream.guard import check_base_url
    from aiservice.wire import HttpCall
    made = [Upstream(SocketTransport()), Upstream(HttpxTransport())]
    assert threading.active_count() == threads and len(os.listdir("/proc/self/task")) == 1
    assert len(os.listdir("/proc/self/fd")) == files, os.listdir("/proc/self/fd")

    async def serve(reader, writer):
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\nconnection: close\\r\\n\\r\\nok")
        await writer.drain()
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = Target("con_1", 1, check_base_url(f"http://127.0.0.1:{port}", True), is_private_allowed=True)
        for upstream in made:
            reply = await asyncio.wait_for(upstream.send(target, HttpCall("/models", b"", "GET", ())), 20)
            assert reply.body == b"ok"
            await upstream.close()

    child = os.fork()
    if child == 0:
        asyncio.run(main())
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    """
)


def test_a_child_that_forked_after_the_import_can_call() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, env=dict(os.environ), check=False
    )
    assert done.returncode == 0, done.stderr
