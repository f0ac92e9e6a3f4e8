"""Who may ask: this machine, with the token, from the laboratory's own page."""

import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Answer = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Answer], Awaitable[None]]
HOST = re.compile(r"(?:127\.0\.0\.1|localhost)(?::[0-9]{1,5})?")
"""This machine by its own names; at whatever port, for one may be forwarded here."""
PATHS = frozenset({"/", "/live"})
FORBIDDEN, NOT_FOUND = 403, 404


class Guard:
    """Stands before an application: what may not ask is refused before anything of it is read.

    A page of another site can make a browser ask here, with its own Origin, or under a name of its own that
    leads to this machine, with its own Host; neither knows the token. Each of the three is enough to refuse.

    Args:
        app: What is guarded.
        token: That has to stand in the address.
    """

    def __init__(self, app: App, *, token: str) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Answer) -> None:
        """Let through, or refuse."""
        status = self.refusal(scope)
        if status is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            plain = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": status, "headers": plain})
            words = b"linrep explore: open the whole address that it printed, with its token\n"
            await send({"type": "http.response.body", "body": words})

    def refusal(self, scope: Scope) -> int | None:
        """The status by which a request is refused; None where it is let through."""
        if scope["type"] == "lifespan":
            return None
        headers = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        hosts = [value for name, value in headers if name == "host"]
        origins = [value for name, value in headers if name == "origin"]
        if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):
            return FORBIDDEN
        if any(origin != f"http://{hosts[0]}" for origin in origins):
            return FORBIDDEN
        if scope["type"] == "websocket" and len(origins) != 1:  # every browser sends one
            return FORBIDDEN
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        if len(given) != 1 or not secrets.compare_digest(given[0].encode(), self.token.encode()):
            return FORBIDDEN
        return None if scope["path"] in PATHS else NOT_FOUND
