"""The router's small HTTP client, against a server that answers bytes the test chose."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fakes.waiting import until

from router.unix_http import TooLarge, UnixHttp

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Writes the next of `answers` for each read; None closes the connection."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: list[bytes | None] = []
        self.connections = 0
        self.heard = b""
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> Server:
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        while heard := await reader.read(65536):
            self.heard = heard
            answer = self.answers.pop(0)
            if answer is None:
                break
            writer.write(answer)
        writer.close()

    async def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()
            await writer.wait_closed()

    async def stop(self) -> None:
        self._server.close()
        await self.hang_up()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory(prefix="sg") as folder:
        server = await Server(Path(folder) / "s.sock").start()
        yield server
        await server.stop()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[UnixHttp]:
    client = UnixHttp(server.path, most=100)
    yield client
    client.close()


async def test_a_connection_is_kept_for_the_next_question(server: Server, client: UnixHttp) -> None:
    server.answers = [OK, b"HTTP/1.1 503 Away\r\ncontent-length: 0\r\n\r\n"]
    assert (200, b"ok") == await client.ask("POST", "/turn", b"{}")
    assert b"Content-Length: 2\r\n\r\n{}" in server.heard
    assert (503, b"") == await client.ask("GET", "/health")
    assert 1 == server.connections


async def test_an_answer_in_pieces_is_put_together(server: Server, client: UnixHttp) -> None:
    server.answers = [OK[:20]]
    asked = asyncio.ensure_future(client.ask("GET", "/"))
    await until(lambda: not server.answers)
    for byte in OK[20:]:
        server._writers[0].write(bytes([byte]))
        await server._writers[0].drain()
    assert (200, b"ok") == await asked


async def test_a_kept_connection_that_was_closed_is_replaced(server: Server, client: UnixHttp) -> None:
    server.answers = [OK, None, OK]
    await client.ask("GET", "/")
    # The second question goes out on the kept connection, which closes without an answer.
    assert (200, b"ok") == await client.ask("GET", "/")
    assert 2 == server.connections


async def test_a_server_that_hangs_up_on_a_new_connection_is_gone(server: Server, client: UnixHttp) -> None:
    server.answers = [None]
    with pytest.raises(ConnectionError):
        await client.ask("GET", "/")


async def test_a_half_answer_is_none(server: Server, client: UnixHttp) -> None:
    server.answers = [OK[:-1]]
    asked = asyncio.ensure_future(client.ask("GET", "/"))
    await until(lambda: not server.answers)
    await server.hang_up()
    with pytest.raises(ConnectionError):
        await asked


async def test_no_socket_is_a_connection_error(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        await UnixHttp(tmp_path / "nobody", most=100).ask("GET", "/")


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"x" * 70_000,
    ],
)
async def test_what_our_servers_never_send_is_refused(server: Server, client: UnixHttp, answer: bytes) -> None:
    server.answers = [answer]
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(client.ask("GET", "/"), 5)


async def test_a_large_answer_is_refused_before_it_is_read(server: Server, client: UnixHttp) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"]
    with pytest.raises(TooLarge):
        await client.ask("GET", "/")


async def test_a_connection_with_an_answer_still_to_come_is_not_used_again(server: Server, client: UnixHttp) -> None:
    server.answers = [OK[:20], OK]
    asked = asyncio.ensure_future(client.ask("GET", "/"))
    await until(lambda: len(server.answers) == 1)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert (200, b"ok") == await client.ask("GET", "/")
    assert 2 == server.connections


async def test_a_connection_that_the_server_closes_is_not_kept(server: Server, client: UnixHttp) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", OK]
    await client.ask("GET", "/")
    await client.ask("GET", "/")
    assert 2 == server.connections
