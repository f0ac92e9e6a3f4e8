"""Connections that must ask promptly: one that says nothing, or a letter a second, is closed."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD = 10.0
"""Seconds for the whole head of a request, which a browser sends at once."""
ONE_EACH = [("Connection", "close")]
"""Of every answer: a connection asks once, so that the time of its first request is all it has."""


class Prompt(H11Protocol):
    """HTTP of uvicorn, with a limit on the time that the head of a request takes."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to count."""
        super().connection_made(transport)
        self._asked: Any = self.loop.call_later(HEAD, self._close_unless_asked)

    def connection_lost(self, exc: Exception | None) -> None:
        """No longer count."""
        self._asked.cancel()
        super().connection_lost(exc)

    def _close_unless_asked(self) -> None:
        live = self.transport.get_protocol() is not self  # has become a live connection
        if not live and getattr(self, "cycle", None) is None and not self.transport.is_closing():
            self.transport.abort()
