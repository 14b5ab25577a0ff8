"""Everything that is live, in Redis. Each script in `scripts/` keeps one promise; `keys.py` lists the keys.

find_customer   identity → customer, the same for everybody who asks
enqueue         written down once, in journal and mailbox, or not at all
claim           one worker at a time; the same batch until its commit
renew, retry    the lease goes on; the batch waits
commit          a turn whole, once, by the holder of the lease
interject       once in a turn
mark_read       never backwards
merges          two customers become one, and two again
"""

from router.store.merges import Merge
from router.store.runner import connect
from router.store.store import Store
from router.store.types import (
    Audience,
    Bucket,
    Busy,
    Claim,
    Commit,
    Committed,
    ControlMoved,
    DeadLetter,
    Enqueued,
    Entry,
    Erased,
    Lane,
    LeaseLost,
    MailboxFull,
    Moved,
    Moving,
    NewEntry,
    NotMine,
    NotUndone,
    OfferedButton,
    PassedOver,
    SendResult,
    StoreError,
    StoreUnavailable,
    Try,
    Written,
)

__all__ = [
    "Audience",
    "Bucket",
    "Busy",
    "Claim",
    "Commit",
    "Committed",
    "ControlMoved",
    "DeadLetter",
    "Enqueued",
    "Entry",
    "Erased",
    "Lane",
    "LeaseLost",
    "MailboxFull",
    "Merge",
    "Moved",
    "Moving",
    "NewEntry",
    "NotMine",
    "NotUndone",
    "OfferedButton",
    "PassedOver",
    "SendResult",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "Try",
    "Written",
    "connect",
]
