import time

import pytest

from actions.identifiers import find_cpf, find_email, find_order_number, has_broken_cpf, is_cpf


@pytest.mark.parametrize(
    "text",
    [
        "1001",
        "#1001",
        "é o 1001",
        "1001.",
        "nº 1001",
        "n° 1001",
        "pedido #1001",
        "Pedido nº 1001",
        "my order number is 1001",
        "it's 1001",
        "o número é 1001, obrigado",
        "\uff11\uff10\uff10\uff11",
        "10\u200b01",
        "acho que 1001 mas não tenho certeza",
        "01001",
        "nº: 1.001",
        "1.001.",
    ],
)
def test_an_order_number_is_read_in_many_spellings_when_it_was_asked_for(text: str) -> None:
    assert find_order_number(text, asked=True) == "1001"


@pytest.mark.parametrize(
    "text",
    [
        "onde está meu pedido 1001?",
        "onde está o pedido número 1001",
        "where is order 1001",
        "status do pedido: 1001",
        "my order is 1001",
        "compra 1001 cadê",
        "o pedido é o 1001",
    ],
)
def test_a_number_that_says_what_it_is_is_read_unasked(text: str) -> None:
    assert find_order_number(text, asked=False) == "1001"


@pytest.mark.parametrize("text", ["vocês abrem em 2026?", "1001", "entregam no 50030-230?", "comprei por R$ 1500"])
def test_a_bare_number_is_not_an_order_number_unasked(text: str) -> None:
    assert find_order_number(text, asked=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "abc",
        "",
        "12",
        "529.982.247-25",
        "52998224725",
        "ana1001@exemplo.com.br",
        "50030-230",
        "12/11/2026",
        "R$ 1500",
        "R$ 1.500",
        "R$ 1.500,00",
        "paguei 1500 reais",
        "12345678901234",
    ],
)
def test_what_is_no_order_number_is_not_taken_for_one_even_when_asked(text: str) -> None:
    assert find_order_number(text, asked=True) is None


def test_the_order_number_is_read_beside_a_proof() -> None:
    assert find_order_number("1002 bruno@exemplo.com.br", asked=True) == "1002"
    assert find_order_number("pedido 1002, cpf 111.444.777-35", asked=True) == "1002"


def test_a_long_message_costs_no_more_than_its_length() -> None:
    for piece in ("pedido ", "nº º n o ", "1.001.", "a@b", "529.982."):
        began = time.process_time()
        find_order_number(piece * 1000, asked=True)
        find_email(piece * 1000)
        has_broken_cpf(piece * 1000)
        assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    "text",
    ["ana@exemplo.com.br", "é Ana@Exemplo.com.br.", "meu e-mail: ana@exemplo.com.br, tá?", "(ana@exemplo.com.br)"],
)
def test_an_email_is_read_out_of_a_sentence_and_lowered(text: str) -> None:
    assert find_email(text) == "ana@exemplo.com.br"


@pytest.mark.parametrize("text", ["ana@exemplo", "ana exemplo.com.br", "@ana", "ana@", "a@b"])
def test_half_an_email_is_none(text: str) -> None:
    assert find_email(text) is None


@pytest.mark.parametrize(
    "text", ["529.982.247-25", "52998224725", "529 982 247 25", "meu cpf é 529.982.247-25.", "cpf529.982.24725"]
)
def test_a_cpf_is_read_with_and_without_punctuation(text: str) -> None:
    assert find_cpf(text) == "52998224725"


@pytest.mark.parametrize("digits", ["52998224726", "52998224715", "11111111111", "5299822472", "529982247255", ""])
def test_a_cpf_with_wrong_check_digits_or_length_is_refused(digits: str) -> None:
    assert not is_cpf(digits)
    assert find_cpf(digits) is None


def test_a_broken_cpf_is_told_from_no_cpf() -> None:
    assert has_broken_cpf("529.982.247-26")
    assert not has_broken_cpf("529.982.247-25")
    assert not has_broken_cpf("não lembro")
