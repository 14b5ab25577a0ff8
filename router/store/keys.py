"""Every key, its type, its lifetime: one page.

`{s}` is the shard of a customer, crc32(customer id) mod 256. Redis Cluster hashes what stands in the braces, so all
keys of a customer live together and one script may touch them all. Times are milliseconds.

    key                     type    lives            holds
    identity:<identity>     string  for ever         customer id; a hint (SET NX, the loser reads again)
    {s}id:<c>               set     with customer    identities: the authority
    {s}st:<c>               hash    with customer    state, see below
    {s}mb:<c>               list    until committed  mailbox: "<seq> <t|x> <identity>"; t joins a burst, x stands alone
    {s}dd:<c>               zset    8 days           message ids of the platforms → seq; with a half: seen by kin
    {s}jr:<c>               stream  with customer    journal, id <seq>-0 (docs/decisions/0001)
    {s}tr:<c>               string  with customer    the dialogue's window: format byte (1 zlib, 2 plain), JSON list
    {s}bt:<c>               hash    30 days          offered buttons: id → "<seq> <JSON of payload and title>", last 200
    {s}run                  zset    for ever         customer → when it may be claimed: ready, leased and delayed in one
    {s}out:<c>:<account>    list    until settled    "<seq> <author letter><parts taken> <control number> <identity>"
    {s}oh:<c>:<account>     hash    1 day, if empty  head: fence, at (tries), phase, tat (bucket), pd (parts taken)
    {s}out:run              zset    for ever         "<customer> <account>" → when its head may be tried
    {s}ds:<c>               hash    last 500         seq of what we sent → its delivery state; e<seq> → seq of an edit
    {s}mid:<c>              zset    30 days          "<account>/<vendor id>" → seq
    {s}rw:<c>               hash    60 s             receipts that came before our own record
    {s}tmr                  zset    until due        "<customer> <kind>" → due; what it belongs to is in the state
    {s}ev                   stream  until all had it domain events: ids, kinds, numbers, never text
    {s}evc                  hash    for ever         who reads the events: name → last id done
    {s}dlq                  stream  until requeued   batches given up: customer, turn, seqs, reason
    {s}so:<c>               string  1 day            the visitor signed out before there was a customer
    {s}mg:<c>               hash    with customer    merges of this customer: id → JSON of the record (decision 0005)
    {s}mgr                  zset    until done       "<survivor> <merge>" → when a sweep goes on with it
    {s}rest:<c>:<merge>     hash    30 days          the dialogue that did not go on: fields of the state, and `window`
    limit:<account or hash> string  while in use     bucket of an account over all customers, or of what somebody does
    link:<hash>             hash    1 day            a link code, or its typed twin, by keyed hash (decision 0005)
    once:<hash>             string  its time         names that count once: signed identities
    segue:lease:<name>      string  its time         which process does a job that only one may do
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
    rd    read up to             via  identity last used      ns   1: a new Rasa session; back: a form goes on
    days  "<day>:<first seq>" of the last 30 days, for the trimming of dd and mid
    hg:<visitor>  current generation of a handle and when its follower alone is good, or `out`
    about JSON of what a form or a site said of the customer, for the desk
    num   buttons offered as numbers, on a channel that shows none           t:<kind>  what a timer belongs to
    lk    generation of the codes made here: older ones are dead        to  identity chosen for replies
    lt    identity that the last turn answered          nt:<identity>  what it was told of channels: conversation, words
    fa    when a file that came without words was acknowledged
    ps:<customer>  why that one may be the same person; a person decides
    un:<identity>  why this identity cannot be written to; gone when it writes
    gone  every script refuses: `moving <merge>`, `moved <survivor>`, anything else is erased
    hold  "<merge> <until>": no new batch, no new try    mgo  merge under way     mga  accounts whose lanes were frozen
    kin   customers who were merged with this one: their records may know a message that this one does not
    ca    when the person in control accepted             cf    the bot's words of this control number on are still good
    vf:<identity>  merges of which it is not shown what the other side had said before
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from zlib import crc32

from connectors.contract import CustomerId, Identity

SHARDS = 256
FORMAT = 1
FORMAT_KEY = "segue:format"
HINTS = "segue:hint"


_remembered = lru_cache(maxsize=4096)
"""A message needs the keys of its customer three times within a moment; making them costs more than most scripts."""


@_remembered
def shard_of(customer: CustomerId) -> int:
    return crc32(customer.encode()) % SHARDS


def identity(of: Identity) -> str:
    return f"identity:{of}"


@cache
def run(shard: int) -> str:
    return f"{{{shard}}}run"


@cache
def events(shard: int) -> str:
    return f"{{{shard}}}ev"


def event_cursors(shard: int) -> str:
    return f"{{{shard}}}evc"


@cache
def timers(shard: int) -> str:
    return f"{{{shard}}}tmr"


@cache
def lanes_run(shard: int) -> str:
    return f"{{{shard}}}out:run"


def lane_member(customer: CustomerId, account: str) -> str:
    return f"{customer} {account}"


def lane(customer: CustomerId, account: str) -> str:
    return f"{_of('out', customer)}:{account}"


def lane_head(customer: CustomerId, account: str) -> str:
    return f"{_of('oh', customer)}:{account}"


def deliveries(customer: CustomerId) -> str:
    return _of("ds", customer)


def vendor_ids(customer: CustomerId) -> str:
    return _of("mid", customer)


def early_receipts(customer: CustomerId) -> str:
    return _of("rw", customer)


def limit(account: str) -> str:
    return f"limit:{account}"


def link(name: str) -> str:
    return f"link:{name}"


def once(name: str) -> str:
    return f"once:{name}"


def lease(name: str) -> str:
    return f"segue:lease:{name}"


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


def signed_out(customer: CustomerId) -> str:
    return _of("so", customer)


def journal(customer: CustomerId) -> str:
    return _of("jr", customer)


def tracker(customer: CustomerId) -> str:
    return _of("tr", customer)


def buttons(customer: CustomerId) -> str:
    return _of("bt", customer)


def merges(customer: CustomerId) -> str:
    return _of("mg", customer)


def merges_under_way(shard: int) -> str:
    return f"{{{shard}}}mgr"


def resting(customer: CustomerId, merge: str) -> str:
    return f"{_of('rest', customer)}:{merge}"


# What each script of a customer is given in KEYS, in this order. A test checks that they all share one tag.
def for_enqueue(c: CustomerId) -> tuple[str, ...]:
    s = shard_of(c)
    mine = (state(c), identities(c), seen(c), journal(c), mailbox(c))
    return (*mine, run(s), events(s), timers(s), vendor_ids(c), tracker(c), signed_out(c))


@_remembered
def for_claim(c: CustomerId) -> tuple[str, ...]:
    return (state(c), run(shard_of(c)), mailbox(c), journal(c), tracker(c))


def for_commit(c: CustomerId) -> tuple[str, ...]:
    """Behind these stand the lanes of the commit."""
    s = shard_of(c)
    mine = (state(c), run(s), mailbox(c), journal(c), tracker(c))
    return (*mine, events(s), buttons(c), dead_letters(s), deliveries(c), lanes_run(s))


def for_renew(c: CustomerId) -> tuple[str, ...]:
    return (state(c), run(shard_of(c)))


def for_retry(c: CustomerId) -> tuple[str, ...]:
    return (state(c), run(shard_of(c)))


def for_read(c: CustomerId) -> tuple[str, ...]:
    return (state(c), journal(c), events(shard_of(c)))


def for_control(c: CustomerId) -> tuple[str, ...]:
    s = shard_of(c)
    return (state(c), run(s), mailbox(c), journal(c), events(s), timers(s))


def for_timer(c: CustomerId) -> tuple[str, ...]:
    s = shard_of(c)
    return (state(c), journal(c), events(s), timers(s), run(s))


def for_receipt(c: CustomerId) -> tuple[str, ...]:
    return (state(c), journal(c), events(shard_of(c)), deliveries(c), vendor_ids(c), early_receipts(c))


def for_requeue(c: CustomerId) -> tuple[str, ...]:
    s = shard_of(c)
    return (dead_letters(s), mailbox(c), run(s), state(c), journal(c))


@_remembered
def for_handle(c: CustomerId) -> tuple[str, ...]:
    return (state(c), signed_out(c), identities(c))


def for_join(c: CustomerId) -> tuple[str, ...]:
    return (state(c), identities(c))


def for_append(c: CustomerId) -> tuple[str, ...]:
    return (state(c), seen(c), journal(c), events(shard_of(c)), deliveries(c))


def for_expect(c: CustomerId) -> tuple[str, ...]:
    return (state(c), identities(c))


def for_close(c: CustomerId) -> tuple[str, ...]:
    s = shard_of(c)
    return (state(c), run(s), journal(c), events(s), timers(s))


def for_part(c: CustomerId) -> tuple[str, ...]:
    return (state(c), identities(c), journal(c), events(shard_of(c)))


def for_about(c: CustomerId) -> tuple[str, ...]:
    return (state(c),)


def for_word(c: CustomerId) -> tuple[str, ...]:
    return (state(c),)


def for_merge_begin(c: CustomerId) -> tuple[str, ...]:
    return (state(c), identities(c), merges(c), merges_under_way(shard_of(c)))


def for_hold(c: CustomerId) -> tuple[str, ...]:
    return (state(c), merges(c))


def for_freeze(c: CustomerId) -> tuple[str, ...]:
    """Behind these stand the heads of the lanes."""
    s = shard_of(c)
    return (state(c), run(s), lanes_run(s))


def for_adopt(c: CustomerId, merge: str = "") -> tuple[str, ...]:
    """Behind these stand the lanes."""
    s = shard_of(c)
    mine = (state(c), identities(c), journal(c), mailbox(c), run(s), events(s), timers(s), tracker(c))
    return (*mine, merges(c), resting(c, merge), deliveries(c), lanes_run(s))


def for_alias(c: CustomerId) -> tuple[str, ...]:
    """Behind these stand lane and head of each account."""
    s = shard_of(c)
    return (state(c), mailbox(c), run(s), timers(s), events(s), lanes_run(s))


def for_merge_end(c: CustomerId) -> tuple[str, ...]:
    s = shard_of(c)
    return (state(c), merges(c), merges_under_way(s), events(s))


def for_thaw(c: CustomerId) -> tuple[str, ...]:
    """Behind these stand the lanes."""
    s = shard_of(c)
    return (state(c), mailbox(c), run(s), lanes_run(s))


def for_unmerge(c: CustomerId) -> tuple[str, ...]:
    return (state(c), merges(c), merges_under_way(shard_of(c)))


def for_split(c: CustomerId, merge: str = "") -> tuple[str, ...]:
    """Behind these stand lane and head of each account."""
    s = shard_of(c)
    mine = (state(c), identities(c), journal(c), mailbox(c), run(s), events(s), merges(c), lanes_run(s))
    return (*mine, resting(c, merge), tracker(c))


def for_revive(c: CustomerId) -> tuple[str, ...]:
    """Behind these stand the lanes."""
    s = shard_of(c)
    mine = (state(c), identities(c), journal(c), mailbox(c), run(s), events(s), timers(s))
    return (*mine, merges(c), deliveries(c), lanes_run(s))


SCRIPTS: dict[str, Callable[[CustomerId], tuple[str, ...]]] = {
    "enqueue": for_enqueue,
    "claim": for_claim,
    "commit": for_commit,
    "renew": for_renew,
    "retry": for_retry,
    "read": for_read,
    "control": for_control,
    "timer": for_timer,
    "expect": for_expect,
    "close": for_close,
    "receipt": for_receipt,
    "requeue": for_requeue,
    "handle": for_handle,
    "join": for_join,
    "about": for_about,
    "append": for_append,
    "merge_begin": for_merge_begin,
    "hold": for_hold,
    "freeze": for_freeze,
    "adopt": for_adopt,
    "alias": for_alias,
    "merge_end": for_merge_end,
    "thaw": for_thaw,
    "unmerge": for_unmerge,
    "split": for_split,
    "revive": for_revive,
    "part": for_part,
    "word": for_word,
}


# The same for a customer and a channel account.
def for_reserve(c: CustomerId, account: str) -> tuple[str, ...]:
    s = shard_of(c)
    return (state(c), journal(c), events(s), lanes_run(s), lane(c, account), lane_head(c, account), deliveries(c))


def for_settle(c: CustomerId, account: str) -> tuple[str, ...]:
    return (*for_reserve(c, account), vendor_ids(c), early_receipts(c))


def for_interject(c: CustomerId, account: str) -> tuple[str, ...]:
    s = shard_of(c)
    return (state(c), journal(c), events(s), deliveries(c), lanes_run(s), lane(c, account))


def for_announce(c: CustomerId, account: str) -> tuple[str, ...]:
    s = shard_of(c)
    mine = (state(c), seen(c), journal(c), events(s), buttons(c), deliveries(c))
    return (*mine, lanes_run(s), lane(c, account))


def for_relane(c: CustomerId, account: str) -> tuple[str, ...]:
    s = shard_of(c)
    return (state(c), seen(c), journal(c), events(s), deliveries(c), lanes_run(s), lane(c, account))


LANE_SCRIPTS = {
    "announce": for_announce,
    "relane": for_relane,
    "reserve": for_reserve,
    "settle": for_settle,
    "interject": for_interject,
}
