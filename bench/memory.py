"""What the long-lived processes hold after real work, and what the router and Redis use when nothing happens."""

from __future__ import annotations

import time

from bench.assistant import Assistant
from bench.processes import House
from bench.report import Row
from bench.visitors import arrive, spread, write_requests

MESSAGES = 3000
TURNS = 100
IDLE = 5.0


def run(rounds: int = 1) -> list[Row]:
    """`rounds` times the work, to see whether memory stays."""
    with House() as house:
        store = house.redis()
        router = house.router(store, house.bot(events=60))
        driver = house.driver()
        holders = arrive(router, 1000)
        for number in range(rounds):
            file = write_requests(house.folder / f"requests-{number}", spread(holders, MESSAGES, seed=number))
            driver.send(router.port, file, first=0, count=MESSAGES)
            store.drain()
        began, ours, theirs = time.monotonic(), router.cpu(), store.cpu()
        time.sleep(IDLE)
        passed = (time.monotonic() - began) / 100
        ours, theirs = (router.cpu() - ours) / passed, (store.cpu() - theirs) / passed
        with Assistant(house.folder) as assistant:
            dialogue = assistant.dialogue()
            for number in range(TURNS * rounds):
                dialogue.say(("cadê meu pedido?", "1001", "ana@exemplo.com.br", "qual o horário da loja?")[number % 4])
            bot, actions = assistant.bot.memory(), assistant.actions.memory()
        rss, pss = router.memory()
        return [
            Row(what=f"router after {MESSAGES * rounds:,} messages, RSS", unit="MB", ours=rss, must=120, aim=90),
            Row(what="the same, PSS", unit="MB", ours=pss),
            Row(what=f"bot worker after {TURNS * rounds:,} turns, RSS", unit="MB", ours=bot[0], must=350, aim=280),
            Row(what="the same, PSS", unit="MB", ours=bot[1]),
            Row(what="router, CPU of one core when idle", unit="%", ours=ours),
            Row(what="Redis, CPU of one core when the router is idle", unit="%", ours=theirs),
            Row(what="action server, RSS", unit="MB", ours=actions[0]),
        ]
