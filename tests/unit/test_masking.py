"""CPF and card numbers are found by their check digits, however people write them."""

from __future__ import annotations

import random

import pytest

from connectors.content import Command, File, Location, Text
from router.masking import is_card, is_cpf, masked, masked_content

BOTH = ("cpf", "card")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("meu cpf é 529.982.247-25, ok?", "meu cpf é •••.•••.•••-25, ok?"),
        ("52998224725", "•••••••••25"),
        ("529 982 247 25", "••• ••• ••• 25"),
        ("529.982.247/25 e 111.444.777-35", "•••.•••.•••/25 e •••.•••.•••-35"),
        ("４ ５２９９８２２４７２５", "４ •••••••••２５"),
        ("cartão 4111 1111 1111 1111 12/29 123", "cartão •••• •••• •••• 1111 12/29 123"),
        ("4111-1111-1111-1111", "••••-••••-••••-1111"),
        ("4111111111111111", "••••••••••••1111"),
        ("5500 0000 0000 0004 4111 1111 1111 1111", "•••• •••• •••• 0004 •••• •••• •••• 1111"),
        ("3782 822463 10005", "•••• •••••• •0005"),
        ("cpf 529.982.247-25 cartão 4111.1111.1111.1111", "cpf •••.•••.•••-25 cartão ••••.••••.••••.1111"),
    ],
)
def test_what_is_one_is_masked_but_its_last_digits(text: str, kept: str) -> None:
    assert kept == masked(text, BOTH)


@pytest.mark.parametrize(
    "text",
    [
        "pedido AU-4821",
        "529.982.247-24",
        "111.111.111-11",
        "4111 1111 1111 1112",
        "(11) 98765-4320",
        "7891000315507",  # a bar code
        "1529982247251",  # digits before and behind
        "01/12/2026 às 14:30",
        "",
    ],
)
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert text == masked(text, BOTH)


def test_only_what_was_asked_for_is_masked() -> None:
    text = "529.982.247-25 4111111111111111"
    assert masked(text, ("cpf",)) == "•••.•••.•••-25 4111111111111111"
    assert masked(text, ("card",)) == "529.982.247-25 ••••••••••••1111"
    assert masked(text, ()) == text


def test_captions_names_of_files_and_what_stands_behind_a_command_are_masked() -> None:
    def mask(words: str) -> str:
        return masked(words, BOTH)

    file = File("https://x/1", name="cpf 52998224725.pdf", text="529.982.247-25")
    assert masked_content(file, mask) == File("https://x/1", name="cpf •••••••••25.pdf", text="•••.•••.•••-25")
    command = Command("/start 52998224725", "start", "52998224725")
    assert masked_content(command, mask) == Command("/start •••••••••25", "start", "•••••••••25")
    assert masked_content(Text("oi"), mask) == Text("oi")
    place = Location(1.0, 2.0, name="casa")
    assert masked_content(place, mask) == place


def test_one_wrong_digit_is_noticed_wherever_it_stands() -> None:
    dice = random.Random(1)
    for written, holds in (("52998224725", is_cpf), ("4111111111111111", is_card)):
        assert holds(written)
        for at in range(len(written)):
            other = str((int(written[at]) + dice.randrange(1, 10)) % 10)
            assert not holds(written[:at] + other + written[at + 1 :])
