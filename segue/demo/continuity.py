"""The story of `demo continuity`: an order is asked for on the shop's page, half of what it needs is told on Telegram,
the rest on the page again. What must come is waited for and looked at: the story ends only if it is true."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

from segue.demo.people import Browser, Phone, Said, Whole
from segue.refusal import Refusal

SENTENCES: dict[str, dict[str, str]] = {
    "pt-BR": {
        "starting": "Começando (na primeira vez a assistente é treinada, o que leva um pouco) …",
        "page": "Na página da loja, no computador",
        "ask": "Onde está o meu pedido?",
        "number": "1001",
        "proof": "ana@exemplo.com.br",
        "leaves": 'Ana precisa sair. Ela toca em "Continuar em outro canal":',
        "code": "  link  {url}\n  ou o código {code}, que vale dez minutos",
        "phone": "No Telegram, no celular (aqui um substituto local, que confere cada chamada)",
        "again": "  Só a pergunta pendente foi repetida, {seconds:.1f} s depois de abrir o link.",
        "meanwhile": "Enquanto isso, na página da loja",
        "back": "De volta ao computador, com o formulário pela metade",
        "left": "E no Telegram, um só aviso",
        "end": "O pedido foi encontrado com o que ela disse nos dois canais. Nada foi perguntado duas vezes.",
        "look": (
            "\nVeja e continue: {url}\n"
            "À esquerda o Telegram da Ana, à direita a conversa na loja. Escreva em qualquer um. Ctrl-C encerra."
        ),
        "ana": "Ana",
        "assistant": "Aurora",
        "notice": "aviso",
    },
    "en": {
        "starting": "Starting (the first time trains the assistant, which takes a little) …",
        "page": "On the shop's page, at the computer",
        "ask": "Where is my order?",
        "number": "1001",
        "proof": "ana@exemplo.com.br",
        "leaves": 'Ana has to leave. She taps "Continue elsewhere":',
        "code": "  link  {url}\n  or the code {code}, good for ten minutes",
        "phone": "On Telegram, on the phone (here a local stand-in that checks each call)",
        "again": "  Only the pending question was said again, {seconds:.1f} s after the link was opened.",
        "meanwhile": "Meanwhile, on the shop's page",
        "back": "Back at the computer, with the form half filled",
        "left": "And on Telegram, one notice",
        "end": "The order was found with what she said on both channels. Nothing was asked twice.",
        "look": (
            "\nLook, and go on: {url}\n"
            "On the left Ana's Telegram, on the right the chat at the shop. Write in either. Ctrl-C ends."
        ),
        "ana": "Ana",
        "assistant": "Aurora",
        "notice": "notice",
    },
}


@dataclass
class Story:
    """Who acts, and the words of one language."""

    browser: Browser
    phone: Phone
    words: dict[str, str]

    def scene(self, key: str) -> None:
        show("", bold(f"── {self.words[key]} ──"))

    def line(self, who: str, text: str, titles: tuple[str, ...] = ()) -> None:
        lines = text.splitlines() or [""]
        if titles:
            lines.append(dim(" ".join(f"[{title}]" for title in titles)))
        show(*(f"  {self.words[who] if at == 0 else '':<8} {line}" for at, line in enumerate(lines)))

    def aside(self, key: str, **facts: Any) -> None:
        show(dim(self.words[key].format(**facts)))

    async def writes(self, key: str, whole: Whole = bool) -> list[Said]:
        """Ana writes on the page: what she then sees there."""
        self.line("ana", self.words[key])
        await self.browser.says(self.words[key])
        return self.heard(await self.browser.sees(f"an answer to {self.words[key]!r} on the page", whole), "webchat")

    def heard(self, new: list[Said], at: str) -> list[Said]:
        """Shows what somebody sees on channel `at`; what was said on the other one is named so, as in the widget."""
        for said in new:
            voice = {"customer": "ana", "system": "notice"}.get(said.author, "assistant")
            elsewhere = said.channel != at
            self.line(voice, said.text + (dim(" · Telegram") if elsewhere else ""), said.titles)
        return new


async def tell(story: Story) -> None:
    """Plays it. Refuses when something does not come, or is not as it must be."""
    words, phone = story.words, story.phone
    story.scene("page")
    story.line("assistant", await story.browser.arrive())
    question = (await story.writes("ask"))[-1]

    show("", words["leaves"])
    invitation = await story.browser.invited("telegram")
    story.aside("code", url=invitation["url"], code=invitation["code"])

    story.scene("phone")
    opened = time.monotonic()
    story.line("ana", phone.opens(invitation["url"]))
    arrived = story.heard(await phone.sees("the conversation on Telegram", ends_with(question)), "telegram")
    took = phone.heard_at - opened
    must(ends_with(question)(arrived), "the pending question was not said again on Telegram")
    story.aside("again", seconds=took)
    story.line("ana", words["number"])
    phone.says(words["number"])
    story.heard(await phone.sees("the next question on Telegram"), "telegram")

    story.scene("meanwhile")
    there = was_said_there(words["number"])
    mirrored = story.heard(await story.browser.sees("what was said on Telegram, on the page", there), "webchat")
    must(there(mirrored), "the page does not show what was said on Telegram")

    story.scene("back")
    answer = await story.writes("proof", names(words["number"]))
    must(names(words["number"])(answer), "the order was not found on the page")
    story.scene("left")
    story.heard(await phone.sees("the notice on Telegram"), "telegram")
    must(not phone.api.complaints, f"Telegram would not have taken: {phone.api.complaints}")
    show("", bold(words["end"]))


def ends_with(question: Said) -> Whole:
    """The last thing said is this question, word for word and with the same to tap."""
    return lambda new: bool(new) and (new[-1].text, new[-1].titles) == (question.text, question.titles)


def was_said_there(text: str) -> Whole:
    """The customer's words on Telegram, and an answer to them."""

    def whole(new: list[Said]) -> bool:
        at = next((at for at, said in enumerate(new) if (said.channel, said.text) == ("telegram", text)), len(new))
        return any(said.author == "bot" for said in new[at:])

    return whole


def names(number: str) -> Whole:
    return lambda new: any(number in said.text for said in new)


def must(holds: bool, what: str) -> None:
    """Refuses to tell a story that is not true."""
    if not holds:
        raise Refusal(f"The demo went wrong: {what}.")


def show(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)


def bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else text


def dim(text: str) -> str:
    return f"\x1b[2m{text}\x1b[0m" if sys.stdout.isatty() else text
