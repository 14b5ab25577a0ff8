"""Every key, its type, its lifetime: one page.

`{s}` is the shard of a customer, crc32(customer id) mod 256. Redis Cluster hashes what stands in the braces, so all
keys of a customer live together and one script may touch them all. Times are milliseconds.

    key                     type    lives            holds
    identity:<identity>     string  for ever         customer id; a hint (SET NX, the loser reads again)
    {s}id:<c>               set     with customer    identities: the authority
    {s}st:<c>               hash    with customer    state, see below
    {s}mb:<c>               list    until committed  mailbox: "<seq> <t|x> <identity>"; t joins a burst, x stands alone
    {s}dd:<c>               zset    8 days           message ids of the platforms → seq
    {s}jr:<c>               stream  with customer    journal, id <seq>-0 (docs/decisions/0001)
    {s}tr:<c>               string  with customer    the dialogue's window: format byte 1, zlib of the JSON list
    {s}bt:<c>               hash    30 days          offered buttons: id → "<seq> <JSON of payload and title>", last 200
    {s}run                  zset    for ever         customer → when it may be claimed: ready, leased and delayed in one
    {s}ev                   stream  last 500         domain events: ids, kinds, numbers, never text
    {s}dlq                  stream  until requeued   batches given up: customer, turn, seqs, reason
    segue:format            hash    for ever         format number, number of shards

State, `{s}st:<c>`:

    fmt   format number          jid  journal id              n    last seq            pv   last seq a customer may see
    cid   conversation           open 1 or 0                  ctl  bot, queued, human  cn   control number
    own   agent in control       ln   lease number            lln  lease of the last commit
    tn    turn number            bl   frozen batch length     why  window, lease, backoff, or absent
    at    claims not committed   w0   first text of a burst   wu   the burst ends
    last  answer of the last commit (for its repeat)          im   turn that said "um momento"
    lang  language               lv   votes for another       loc  locale of the channel
    slots copy for the desk      form active form             ask  content last asked   tr_seq last seq the bot knows
    rd    read up to             via  identity last used      ns   1: the next turn starts a new Rasa session
    days  "<day>:<first seq>" of the last 8 days, for the trimming of dd     gone erased: every script refuses
"""

from __future__ import annotations

from zlib import crc32

from connectors.contract import CustomerId, Identity

SHARDS = 256
FORMAT = 1
FORMAT_KEY = "segue:format"
HINTS = "segue:hint"


def shard_of(customer: CustomerId) -> int:
    return crc32(customer.encode()) % SHARDS


def identity(of: Identity) -> str:
    return f"identity:{of}"


def run(shard: int) -> str:
    return f"{{{shard}}}run"


def events(shard: int) -> str:
    return f"{{{shard}}}ev"


def dead_letters(shard: int) -> str:
    return f"{{{shard}}}dlq"


def _of(prefix: str, customer: CustomerId) -> str:
    return f"{{{shard_of(customer)}}}{prefix}:{customer}"


def identities(customer: CustomerId) -> str:
    return _of("id", customer)


def state(customer: CustomerId) -> str:
    return _of("st", customer)


def mailbox(customer: CustomerId) -> str:
    return _of("mb", customer)


def seen(customer: CustomerId) -> str:
    return _of("dd", customer)


def journal(customer: CustomerId) -> str:
    return _of("jr", customer)


def tracker(customer: CustomerId) -> str:
    return _of("tr", customer)


def buttons(customer: CustomerId) -> str:
    return _of("bt", customer)


# What each script of a customer is given in KEYS, in this order. A test checks that they all share one tag.
def for_enqueue(c: CustomerId) -> list[str]:
    s = shard_of(c)
    return [state(c), identities(c), seen(c), journal(c), mailbox(c), run(s), events(s)]


def for_claim(c: CustomerId) -> list[str]:
    return [state(c), run(shard_of(c)), mailbox(c), journal(c), tracker(c)]


def for_commit(c: CustomerId) -> list[str]:
    s = shard_of(c)
    return [state(c), run(s), mailbox(c), journal(c), tracker(c), events(s), buttons(c), dead_letters(s)]


def for_renew(c: CustomerId) -> list[str]:
    return [state(c), run(shard_of(c))]


def for_retry(c: CustomerId) -> list[str]:
    return [state(c), run(shard_of(c))]


def for_interject(c: CustomerId) -> list[str]:
    return [state(c), journal(c), events(shard_of(c))]


def for_read(c: CustomerId) -> list[str]:
    return [state(c), journal(c), events(shard_of(c))]


SCRIPTS = {
    "enqueue": for_enqueue,
    "claim": for_claim,
    "commit": for_commit,
    "renew": for_renew,
    "retry": for_retry,
    "interject": for_interject,
    "read": for_read,
}
