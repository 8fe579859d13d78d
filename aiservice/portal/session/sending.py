"""What goes to a page's socket is put into its queue at once."""

from contextlib import suppress
from typing import Any

from engineio.exceptions import SocketIsClosedError  # type: ignore[import-untyped]
from socketio import AsyncManager, AsyncServer, packet


class PageManager(AsyncManager):  # type: ignore[misc]
    """The library's, but for a message to one socket, which all of ours are. It makes a task of each recipient and
    waits for all of these: three turns of the loop, which a page's next event waits for, too. While the gateway is busy
    a turn takes milliseconds."""

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: str | None = None,
        *args: Any,
        to: str | None = None,
        **how: Any,
    ) -> None:
        recipients = [] if args or any(how.values()) else list(self.get_participants(namespace, to or room))
        if len(recipients) != 1 or isinstance(data, tuple) or data is None:
            await super().emit(event, data, namespace, room, *args, to=to, **how)
            return
        with suppress(SocketIsClosedError):  # in this moment; the library leaves that in its task
            told = self.server.packet_class(packet.EVENT, namespace=namespace, data=[event, data])
            await self.server._send_packet(recipients[0][1], told)


def send_at_once(sio: AsyncServer) -> None:
    """To be called before the first socket is opened."""
    manager = PageManager()
    manager.set_server(sio)
    sio.manager = manager
