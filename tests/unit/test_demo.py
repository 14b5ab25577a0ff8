"""The demo tells its story only if it is true: each thing that it says of Segue is looked at, and a lie is refused."""

from __future__ import annotations

from typing import Any, cast

import pytest

from segue.demo.continuity import SENTENCES, Story, tell
from segue.demo.people import Said, until
from segue.refusal import Refusal

QUESTION = Said("bot", "webchat", "Qual é o número do pedido?", ("Parar",))
ON_TELEGRAM = Said("bot", "telegram", QUESTION.text, QUESTION.titles)
MIRRORED = Said("customer", "telegram", "1001")
FOUND = Said("bot", "webchat", "O pedido 1001 está a caminho.")
NOTICE = Said("system", "telegram", "A conversa continua no site.")


class PlayedBrowser:
    def __init__(self, *seen: list[Said]) -> None:
        self.seen = list(seen)

    async def arrive(self) -> str:
        return "Olá."

    async def says(self, text: str) -> None: ...
    async def invited(self, channel: str) -> dict[str, Any]:
        return {"url": "https://t.me/x?start=y", "code": "ABCD-2345"}

    async def sees(self, what: str, whole: object = None) -> list[Said]:
        return self.seen.pop(0)


class PlayedPhone(PlayedBrowser):
    heard_at = 0.0
    api: Any = type("Api", (), {"complaints": []})

    def opens(self, link: str) -> str:
        return "/start"

    def says(self, text: str) -> None: ...  # type: ignore[override]  # a telephone answers nothing by itself


def story(browser: list[list[Said]], phone: list[list[Said]], complaints: list[str] | None = None) -> Story:
    telephone = PlayedPhone(*phone)
    telephone.api = type("Api", (), {"complaints": complaints or []})
    return Story(cast("Any", PlayedBrowser(*browser)), cast("Any", telephone), SENTENCES["pt-BR"])


PAGE = [[QUESTION], [MIRRORED, Said("bot", "telegram", "E o e-mail?")], [FOUND]]
TELEGRAM = [[ON_TELEGRAM], [Said("bot", "telegram", "E o e-mail?")], [NOTICE]]


async def test_a_true_story_is_told_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    await tell(story(PAGE, TELEGRAM))
    told = capsys.readouterr().out
    assert told.rstrip().endswith(SENTENCES["pt-BR"]["end"])
    assert "[Parar]" in told


@pytest.mark.parametrize(
    ("page", "telegram", "complaints", "lie"),
    [
        (PAGE, [[Said("bot", "telegram", "Olá.")], *TELEGRAM[1:]], [], "was not said again"),
        (PAGE, [[Said("bot", "telegram", QUESTION.text)], *TELEGRAM[1:]], [], "was not said again"),
        ([PAGE[0], [FOUND], PAGE[2]], TELEGRAM, [], "does not show what was said on Telegram"),
        ([*PAGE[:2], [Said("bot", "webchat", "Qual é o número?")]], TELEGRAM, [], "was not found"),
        (PAGE, TELEGRAM, ["no method sendTelepathy"], "would not have taken"),
    ],
)
async def test_a_story_that_is_not_true_is_not_told(
    page: list[list[Said]], telegram: list[list[Said]], complaints: list[str], lie: str
) -> None:
    with pytest.raises(Refusal, match=lie):
        await tell(story(page, telegram, complaints))


async def test_what_never_comes_is_a_refusal_that_names_it() -> None:
    async def nothing() -> None:
        return None

    with pytest.raises(Refusal, match="an answer on the page, which did not come"):
        await until(nothing, "an answer on the page", seconds=0)


def test_both_languages_say_everything_with_the_same_gaps_and_calmly() -> None:
    assert SENTENCES["pt-BR"].keys() == SENTENCES["en"].keys()
    for key, sentence in SENTENCES["en"].items():
        assert "!" not in sentence + SENTENCES["pt-BR"][key]
        assert {gap for gap in ("{url}", "{code}", "{seconds:.1f}") if gap in sentence} == {
            gap for gap in ("{url}", "{code}", "{seconds:.1f}") if gap in SENTENCES["pt-BR"][key]
        }
