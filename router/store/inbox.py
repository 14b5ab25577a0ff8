"""A message written down; the claim that may come with it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from connectors.contract import CustomerId, Identity
from router.store.hints import Hints
from router.store.types import Claim, Enqueued, Entry, MailboxFull, NotMine, PassedOver, Written, why_gone

_PLAIN = 4
"""Parts of a reply without a claim."""

read_entry = msgspec.json.Decoder(Entry)
_read_state = msgspec.msgpack.Decoder(dict[str, str])


class Enqueuing:
    """Takes the reply of `enqueue` where it arrives: a claim in it is begun also when the sender went away."""

    def __init__(
        self, customer: CustomerId, entry: Entry, answer: asyncio.Future[list[Any]], stands_by: Hints | None
    ) -> None:
        self._customer = customer
        self._entry = entry
        self._answer = answer
        self._stands_by = stands_by

    def done(self) -> bool:
        return False

    def set_exception(self, error: BaseException) -> None:
        if not self._answer.done():
            self._answer.set_exception(error)

    def set_result(self, reply: list[Any]) -> None:
        if not self._answer.done():
            self._answer.set_result(reply)
        if self._stands_by and reply[0] == b"ok":
            if len(reply) > _PLAIN:
                # Behind the acknowledgement, which goes out first.
                asyncio.get_running_loop().call_soon(self._begin, self._stands_by, reply)
            elif reply[3] >= 0:
                self._stands_by.ready(self._customer, reply[3])

    def _begin(self, here: Hints, reply: list[Any]) -> None:
        _, seq, _, _, now, state, window = reply
        here.claimed(claim_of(self._customer, now, state, window, [(seq, self._entry)]))


def enqueued(customer: CustomerId, entry: Entry, reply: list[Any]) -> Enqueued:
    """What the reply says to who wrote. Raises `NotMine`, `Erased`, `Moving`, `Moved`, `PassedOver`, `MailboxFull`."""
    match reply[0]:
        case b"ok":
            return Enqueued(reply[1], reply[2].decode(), entry.id, repeated=False)
        case b"repeat":
            first = read_entry.decode(reply[3]).id if reply[3] else ""
            return Enqueued(reply[1], reply[2].decode(), first, repeated=True)
        case b"gone":
            raise why_gone(customer, reply[1])
        case b"not_mine":
            raise NotMine(customer)
        case b"refused":
            raise PassedOver(customer)
        case _:
            raise MailboxFull(customer)


def claim_of(customer: CustomerId, now: Any, state: bytes, window: bytes, said: list[tuple[int, Entry]]) -> Claim:
    """`state` as `turn_needs` of _shared.lua packs it; what was said with the seq of each."""
    fields = _read_state.decode(state)
    conversation, last = fields["cid"], said[-1][1]
    return Claim(
        customer,
        now,
        lease=int(fields["ln"]),
        turn=int(fields["tn"]),
        attempts=int(fields["at"]),
        state=fields,
        window=window,
        batch=tuple([Written(seq, 0, now, "customer", conversation, entry) for seq, entry in said]),
        turn_id=f"{customer}.{fields['tn']}",
        identity=Identity.parse(last.identity),
        trace=last.trace,
    )
