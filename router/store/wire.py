"""A socket that redis-py opened (unix, TLS, password, Sentinel) and that a protocol of ours then reads and writes."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis


class Wire:
    """Keeps redis-py's connection alive, and ends it."""

    def __init__(self, connection: Any, transport: asyncio.WriteTransport) -> None:
        self._connection = connection
        self.transport = transport

    @classmethod
    async def open(cls, client: Redis, protocol: asyncio.Protocol) -> Wire:
        """Raises redis-py's ConnectionError and TimeoutError."""
        connection: Any = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        transport = connection._writer.transport  # redis-py has no public way to give its socket away
        protocol.connection_made(transport)
        transport.set_protocol(protocol)
        return cls(connection, transport)

    async def close(self) -> None:
        self.transport.abort()
        await self._connection.disconnect(nowait=True)
