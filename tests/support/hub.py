"""A stand-in for the Hub: serves folders as revisions of one model, and counts what is read."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Hub:
    """Where it listens, and what it was asked for."""

    def __init__(self, name: str, revisions: dict[str, Path]) -> None:
        self.name, self.revisions = name, revisions
        self.commits = {self.commit(revision): revision for revision in revisions}
        self.reads: Counter[str] = Counter()
        """Files sent whole or in part, as revision/file."""
        self.endpoint = ""

    @staticmethod
    def commit(revision: str) -> str:
        return hashlib.sha1(revision.encode()).hexdigest()

    def file(self, revision: str, name: str) -> tuple[str, Path] | None:
        """The commit of a revision (or of itself), and the file in it."""
        revision = self.commits.get(revision, revision)
        if revision not in self.revisions:
            return None
        path = self.revisions[revision] / name
        return (self.commit(revision), path) if path.is_file() else (self.commit(revision), Path())


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(send=False)

        def do_GET(self) -> None:
            self.answer(send=True)

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            asked = self.rfile.read(length).decode()
            prefix = f"/api/models/{hub.name}/paths-info/"
            found: list[dict[str, Any]] = []
            if self.path.startswith(prefix):
                revision = self.path.removeprefix(prefix)
                from urllib.parse import parse_qs

                paths = json.loads(asked)["paths"] if asked.startswith("{") else parse_qs(asked)["paths"]
                for name in paths:
                    at = hub.file(revision, name)
                    if at is not None and at[1].name:
                        size = at[1].stat().st_size
                        found.append({"type": "file", "path": name, "size": size, "oid": "0" * 40})
            self.reply(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

        def answer(self, *, send: bool) -> None:
            path = self.path.partition("?")[0]
            prefix = f"/{hub.name}/resolve/"
            if path.startswith(f"/api/models/{hub.name}/revision/") or path == f"/api/models/{hub.name}":
                revision = path.rpartition("/")[2]
                about = {
                    "id": hub.name,
                    "sha": hub.commit(hub.commits.get(revision, revision)),
                    "siblings": [],
                }
                self.reply(200, json.dumps(about).encode(), {"Content-Type": "application/json"}, send=send)
                return
            last = path.rpartition("/")[2]
            asked_for = hub.commits.get(last, last)
            if path.startswith(f"/api/models/{hub.name}/tree/") and asked_for in hub.revisions:
                folder = hub.revisions[asked_for]
                files = [
                    {"type": "file", "path": each.name, "size": each.stat().st_size, "oid": "0" * 40}
                    for each in sorted(folder.iterdir())
                    if each.is_file()
                ]
                self.reply(200, json.dumps(files).encode(), {"Content-Type": "application/json"}, send=send)
                return
            if not path.startswith(prefix):
                self.reply(404, b"", {"X-Error-Code": "EntryNotFound"}, send=send)
                return
            revision, _, name = path.removeprefix(prefix).partition("/")
            found = hub.file(revision, name)
            if found is None:
                self.reply(404, b"", {"X-Error-Code": "RevisionNotFound"}, send=send)
                return
            commit, file = found
            if not file.name:
                self.reply(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, send=send)
                return
            content = file.read_bytes()
            heads = {
                "X-Repo-Commit": commit,
                "ETag": f'"{hashlib.sha1(content).hexdigest()}"',
                "Accept-Ranges": "bytes",
            }
            code, asked = 200, self.headers.get("Range")
            if asked:
                first, _, last = asked.removeprefix("bytes=").partition("-")
                end = min(int(last) if last else len(content) - 1, len(content) - 1)
                heads["Content-Range"] = f"bytes {first}-{end}/{len(content)}"
                code, content = 206, content[int(first) : end + 1]
            if send:
                hub.reads[f"{hub.commits[commit]}/{name}"] += 1
            self.reply(code, content, heads, send=send)

        def reply(self, code: int, content: bytes, heads: dict[str, str], *, send: bool = True) -> None:
            self.send_response(code)
            for name, value in heads.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if send:
                self.wfile.write(content)

    return Handler


@contextmanager
def serving(name: str, revisions: dict[str, Path]) -> Iterator[Hub]:
    """A Hub that holds one model, whose revisions are these folders."""
    hub = Hub(name, revisions)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
