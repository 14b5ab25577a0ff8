"""Lanes: what goes to platforms, in order, each entry once as far as the platform lets us. See decision 0002."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from connectors.contract import CustomerId, DeliveryState, Identity
from router.store import keys
from router.store.kin import MOST_HOPS
from router.store.runner import Runner
from router.store.types import Bucket, Entry, Lane, SendResult, Try, why_gone

_read_entry = msgspec.json.Decoder(Entry)


class Lanes:
    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def ready(self, shards: Iterable[int], most: int = 16) -> list[Lane]:
        """Lanes whose head may be tried now, at most `most` a shard. The reservation decides."""
        upto = int(time.time() * 1000) + self._runner.offset + 1
        members = await self._runner.first([keys.lanes_run(shard) for shard in shards], upto, most)
        return [Lane(CustomerId(customer), account) for customer, account in (one.split(" ", 1) for one in members)]

    async def reserve(self, lane: Lane, *, lease: int, safe: bool, bucket: Bucket) -> Try | None:
        """The head, to be sent once; None when there is nothing to send now. `safe`: a repeat does no harm."""
        answer = await self._runner.run(
            "reserve",
            keys.for_reserve(lane.customer, lane.account),
            lane.customer,
            keys.lane_member(lane.customer, lane.account),
            lane.account,
            lease,
            int(safe),
            bucket.every,
            bucket.burst,
        )
        if answer[0] != b"ok":
            return None
        _, fence, tries, item, entry, taken = answer
        seq, _, _, identity = item.decode().split(" ", 3)
        read = _read_entry.decode(entry)
        return Try(lane, int(fence), int(tries), int(seq), Identity.parse(identity), read, int(taken))

    async def settle(
        self,
        attempt: Try,
        result: SendResult,
        *,
        vendor_id: str = "",
        reason: str = "",
        delay: int = 0,
        counts: bool = True,
        taken: int = 0,
    ) -> bool:
        """What became of a try. False when it is no longer the one under way. May be run again after a lost reply.

        `taken` parts were taken before a retry became necessary: the next try is told.
        """
        lane = attempt.lane
        settled = await self._runner.run(
            "settle",
            keys.for_settle(lane.customer, lane.account),
            lane.customer,
            keys.lane_member(lane.customer, lane.account),
            lane.account,
            attempt.fence,
            result,
            vendor_id,
            reason,
            delay,
            int(counts),
            taken,
        )
        return bool(settled)

    async def receipt(
        self, customer: CustomerId, account: str, vendor_id: str, status: DeliveryState, reason: str = ""
    ) -> int:
        """What a platform says of our message: its seq, 0 when it waits for our record, -1 when it is nothing new.

        What was sent before a merge, or before its undo, stands with the kin. Raises `Moving`, `Moved`.
        """
        seq, gone, kin = await self._receipt(customer, account, vendor_id, status, reason, waits=True)
        asked = {customer}
        left = kin.split()
        while seq in (0, -2) and left and len(asked) < MOST_HOPS:
            one = CustomerId(left.pop(0))
            if one in asked:
                continue
            asked.add(one)
            found, _, more = await self._receipt(one, account, vendor_id, status, reason, waits=False)
            if found != -2:
                return found
            left += more.split()
        if seq == -2:
            raise why_gone(customer, gone)
        return seq

    async def _receipt(
        self, customer: CustomerId, account: str, vendor_id: str, status: DeliveryState, reason: str, *, waits: bool
    ) -> tuple[int, str, str]:
        touched = keys.for_receipt(customer)
        answer = await self._runner.run("receipt", touched, customer, account, vendor_id, status, reason, int(waits))
        return int(answer[0]), answer[1].decode(), answer[2].decode()

    async def wait_for(self, account: str, bucket: Bucket) -> int:
        """Milliseconds until the account may send again; 0 takes a place now."""
        if bucket.every <= 0:
            return 0
        return int(await self._runner.run("limit", [keys.limit(account)], bucket.every, bucket.burst))

    async def states(self, customer: CustomerId, seqs: Iterable[int]) -> dict[int, DeliveryState]:
        """Delivery states of those messages that went to a platform."""
        wanted = list(seqs)
        if not wanted:
            return {}
        found = await self._runner.call("HMGET", keys.deliveries(customer), *wanted)
        return {seq: state.decode() for seq, state in zip(wanted, found, strict=True) if state}
