"""A real HTTP server on loopback that gives the answers it is told to, in turn, whatever is asked."""

import re
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

Answer: TypeAlias = bytes | Callable[[int], bytes]
"""What is sent, or what makes it of the byte that a Range header begins at (0 without one)."""


@dataclass(frozen=True)
class Script:
    """The server's URL, and the heads of the requests that it has answered."""

    url: str
    requests: list[str] = field(default_factory=list)


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """One answer; it may declare another Content_Length than it has (HEAD, a body cut short)."""
    lines = [f"HTTP/1.1 {status} As told", "Connection: close"]
    told = {"Content_Length": str(len(body))} | headers
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in told.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def answering(*answers: Answer) -> Iterator[Script]:
    """Give the answers one after the other, each on a connection of its own; the last one again and again."""
    with _Server(answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="script")
        thread.start()
        try:
            yield server.script
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.TCPServer):
    """Answers one connection at a time."""

    allow_reuse_address = True

    def __init__(self, answers: Sequence[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.script = Script(f"http://127.0.0.1:{self.server_address[1]}")


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Read a request's head, and answer."""
        head = "".join(iter(lambda: self.rfile.readline().decode("latin-1").rstrip("\r\n") + "\n", "\n"))
        if head.strip():
            told = self.server.answers[min(len(self.server.script.requests), len(self.server.answers) - 1)]
            self.server.script.requests.append(head)
            first = re.search(r"^range: bytes=(\d+)-", head, re.IGNORECASE | re.MULTILINE)
            self.wfile.write(told if isinstance(told, bytes) else told(int(first[1]) if first else 0))
