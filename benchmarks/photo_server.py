"""A fast HTTP server on loopback: every path is a photo of about 300 KB that comes after a fixed latency."""

import argparse
import asyncio
import io
import random
from typing import cast
from zlib import crc32

from PIL import Image

NUM_PHOTOS = 8
SIZE_PX = (1024, 683)
GRAIN_SIZE_PX = (512, 342)
QUALITY = 70


class PhotoProtocol(asyncio.Protocol):
    """Answers GET requests, as many as a connection brings, and looks at nothing but their path."""

    def __init__(self, answers: list[bytes], latency_s: float) -> None:
        self._answers = answers
        self._latency_s = latency_s
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Schedule an answer to every request that is complete."""
        *heads, self._unread = (self._unread + data).split(b"\r\n\r\n")
        for head in heads:
            path = head.split(b" ", 2)[1]
            answer = self._answers[crc32(path) % len(self._answers)]
            asyncio.get_running_loop().call_later(self._latency_s, self._send, answer)

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def photo(seed: int) -> bytes:
    """Draw coarse noise, which compresses about as badly as a photo of this size."""
    width, height = GRAIN_SIZE_PX
    noise = Image.frombytes("RGB", GRAIN_SIZE_PX, random.Random(seed).randbytes(width * height * 3))  # noqa: S311
    file = io.BytesIO()
    noise.resize(SIZE_PX, Image.Resampling.BICUBIC).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def answer(body: bytes) -> bytes:
    """Put the headers before a photo."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def serve(port: int, latency_s: float) -> None:
    """Serve until the process ends; the URL is the first line of the output."""
    answers = [answer(photo(seed)) for seed in range(NUM_PHOTOS)]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: PhotoProtocol(answers, latency_s), "127.0.0.1", port, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve photos."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency-s", type=float, default=0.05)
    asked = parser.parse_args()
    asyncio.run(serve(asked.port, asked.latency_s))


if __name__ == "__main__":
    main()
