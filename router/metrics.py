"""Numbers that the router counts, for `GET /metrics`. Labels are kinds, never ids or words."""

from functools import lru_cache

from prometheus_client import Counter, Histogram

ACCEPTED = Counter("segue_messages_accepted_total", "Messages written down, by channel", ["channel", "repeated"])
RECEIPTS = Counter(
    "segue_receipts_total", "What platforms said of our messages, by what came of it", ["channel", "kept"]
)
DELIVERIES = Counter("segue_deliveries_total", "Sends by what came of them", ["channel", "result"])
REFUSED = Counter("segue_refused_total", "Messages turned away with 503, by why", ["why"])
TURNS = Counter("segue_turns_total", "Turns by outcome: answered, silent, failed, dead", ["outcome"])
BOT_SECOND = Counter("segue_bot_second_worker_total", "Turns given to a second bot worker because the first was slow")
BOT_GONE = Counter("segue_bot_gone_total", "Questions whose bot worker was gone or went away")
TURN_SECONDS = Histogram("segue_turn_seconds", "Claim to commit", buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10))
FETCHED = Counter(
    "segue_files_fetched_total", "Files of people, by what came of them: kept, or why not", ["channel", "what"]
)
MERGES = Counter("segue_merges_total", "Merges of two customers that are over: done, undone, void", ["phase"])
LEASES_LOST = Counter("segue_leases_lost_total", "Turns dropped because another worker had the customer")
LINKS = Counter("segue_links_total", "Link codes by what came of them", ["what", "channels"])
"""offered · redeemed · arrived · disputed, with `from>to`; unknown, used, expired, with the channel that tried."""
REROUTED = Counter(
    "segue_rerouted_total", "Replies that could not go where the customer wrote last", ["why", "channel"]
)


@lru_cache(maxsize=256)
def accepted(channel: str, *, repeated: bool) -> Counter:
    """The counter of these labels, kept: prometheus_client's own look-up costs as much as counting."""
    return ACCEPTED.labels(channel, str(repeated).lower())


@lru_cache(maxsize=16)
def turns(outcome: str) -> Counter:
    return TURNS.labels(outcome)
