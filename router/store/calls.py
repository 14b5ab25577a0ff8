"""What the two scripts of every message are given: one argument in MessagePack, which Lua reads by name.

Twenty arguments of a command cost more to pack, and Redis more to take apart, than this one. Redis' MessagePack knows
no bytes, so what is bytes already (a message's entry, a turn's window) goes in beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec


class Enqueue(msgspec.Struct, frozen=True):
    customer: str
    identity: str
    channel: str
    dedupe: str
    mode: Literal["t", "x"]
    """t joins a burst, x stands alone"""
    window: int
    most: int
    """messages in the mailbox"""
    journal: str
    """id of a new customer's journal"""
    conversation: str
    """id of a conversation that begins"""
    visitor: str
    """whose generation must be good; '' none"""
    generation: int
    locale: str
    origin: Mapping[str, str]
    idle: int
    """ms until an idle conversation is closed, 0 never"""
    lease: int
    """of the worker that stands by; 0: none does"""
    hint: Literal["", "e", "b"]
    """'' nobody, e those who read, b also those who work"""


class Commit(msgspec.Struct, frozen=True):
    customer: str
    lease: int
    turn: int
    channel: str
    dead: str
    """why the batch is a dead letter, or ''"""
    hint: bool
    state: Mapping[str, str]
    """'' removes a field"""
    entries: Sequence[tuple[Literal["c", "a"], str]]
    """audience, JSON"""
    buttons: Sequence[tuple[int, str, str]]
    """entry (1…), id, JSON"""
    events: Sequence[str]
    deliveries: Sequence[tuple[int, int, str, str, str]]
    """entry (1…), lane (1…), lane member, author letter, identity"""


packed = msgspec.msgpack.Encoder().encode
