"""The laboratory's server: one page and one live connection a tab, on this machine alone."""

import asyncio
import contextlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from linrep.errors import InputError, shown
from linrep.explore.guard import App, Guard
from linrep.explore.page import page
from linrep.explore.prompt import ONE_EACH, Prompt
from linrep.explore.setting import FIRST, LARGEST_WISH, field_of
from linrep.explore.tab import Tab
from linrep.explore.turns import Turns
from linrep.runs.toml import DEEPEST, deeper

MOST_TABS = 32
ALIVE = 1.5
"""Seconds between signs of life of a connection, and after which one that gives none is closed."""
LAST = 4.0
"""Seconds in which training ends, all of it: a thread inside a step would else break off the process."""


class Server:
    """What tabs share, and what they talk to.

    Args:
        first: The config that the page opens with.
        network: A network's file that it names, which tabs may read.
        turns: At the processors.
    """

    def __init__(
        self,
        first: Mapping[str, Any] = FIRST,
        *,
        network: str | None = None,
        turns: Turns | None = None,
    ) -> None:
        self.first, self.network = first, network
        self.turns = turns or Turns()
        self.token = secrets.token_urlsafe(24)
        self.theorist = ThreadPoolExecutor(1, thread_name_prefix="linrep theory")
        self.tabs: set[Tab] = set()
        self.closed = False
        routes = [Route("/", self.page), WebSocketRoute("/live", self.live)]
        self.app: App = Guard(Starlette(routes=routes), token=self.token)

    async def page(self, request: Request) -> HTMLResponse:
        """The one page."""
        nonce = secrets.token_urlsafe(16)
        host = request.headers["host"]
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            f"connect-src 'self' ws://{host}; img-src data: blob:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        headers = {
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return HTMLResponse(page(self.first, nonce=nonce), headers=headers)

    async def live(self, socket: WebSocket) -> None:
        """One tab, from its opening to its closing."""
        await socket.accept()
        if self.closed or len(self.tabs) >= MOST_TABS:
            says = "the laboratory has ended" if self.closed else f"{MOST_TABS} tabs are open: close one"
            await socket.send_json({"kind": "refused", "field": "", "says": says})
            await socket.close()
            return
        loop, out = asyncio.get_running_loop(), asyncio.Queue[bytes | str]()

        def send(message: bytes | dict[str, Any]) -> None:
            ready = message if isinstance(message, bytes) else json.dumps(message, allow_nan=False)
            with contextlib.suppress(RuntimeError):  # the server has ended before the tab's thread
                loop.call_soon_threadsafe(out.put_nowait, ready)

        tab = Tab(self.turns, self.theorist, send, network=self.network)
        self.tabs.add(tab)
        sender = asyncio.create_task(_sent(socket, out))
        try:
            while (message := await socket.receive())["type"] != "websocket.disconnect":
                wish = _wish(message.get("text"))
                if isinstance(wish, InputError):
                    send({"kind": "refused", "field": field_of(wish), "says": str(wish)})
                elif not tab.do(wish):
                    await socket.close(1008)
                    break
        finally:
            tab.close()
            self.tabs.discard(tab)
            sender.cancel()

    def close(self) -> None:
        """End all training, and wait until it has ended."""
        self.closed = True
        ending = list(self.tabs)
        for tab in ending:
            tab.close()
        until = time.monotonic() + LAST
        for tab in ending:
            tab.thread.join(max(until - time.monotonic(), 0.0))
        self.theorist.shutdown(wait=False, cancel_futures=True)


async def _sent(socket: WebSocket, out: "asyncio.Queue[bytes | str]") -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            message = await out.get()
            if isinstance(message, bytes):
                await socket.send_bytes(message)
            else:
                await socket.send_text(message)


def _wish(text: str | None) -> Mapping[str, Any] | InputError:
    """What a tab asked for, or what is wrong with how it did."""
    try:
        wish = json.loads(text or "")  # bytes nobody sends
    except (ValueError, RecursionError):
        return InputError("wish: expected JSON, got something else")
    if not isinstance(wish, dict) or deeper(wish, DEEPEST):
        return InputError(f"wish: expected an object of few levels, got {shown(wish)}")
    return wish


class Laboratory:
    """A server that runs in a thread of its own until it is closed.

    Args:
        server: What it serves.
        port: On 127.0.0.1; 0 for any that is free.

    Raises:
        InputError: A port that is taken.
    """

    def __init__(self, server: Server, *, port: int = 0) -> None:
        self.server = server
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        settings = uvicorn.Config(
            server.app,
            log_level="critical",
            access_log=False,
            lifespan="off",
            http=Prompt,
            headers=ONE_EACH,
            ws="websockets-sansio",
            ws_max_size=LARGEST_WISH,
            ws_ping_interval=ALIVE,
            ws_ping_timeout=ALIVE,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        self._uvicorn = uvicorn.Server(settings)
        self._thread = threading.Thread(
            target=self._uvicorn.run, kwargs={"sockets": [self._socket]}, name="linrep server", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """What to open."""
        return f"http://127.0.0.1:{self.port}/?token={self.server.token}"

    @property
    def running(self) -> bool:
        """Whether it still answers."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End it and all training."""
        self._uvicorn.should_exit = True
        self.server.close()
        self._thread.join(5)
        self._socket.close()

    def __enter__(self) -> "Laboratory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _bound(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(("127.0.0.1", port))
        found.listen()  # from now on whoever connects is heard, if later
    except (OSError, OverflowError) as error:
        found.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"--port: {port} cannot be used ({reason}); leave it out for a free one") from None
    return found
