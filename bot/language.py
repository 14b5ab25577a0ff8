"""Which language to answer in: Brazilian Portuguese or English. Pure, sticky, decided before the policies run.

A first sentence decides. After that it takes two sure turns in the other language, or being asked, to change;
numbers, addresses and words that both languages share never vote.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

PORTUGUESE = "pt-BR"
ENGLISH = "en"

# `votes` of a language that was only guessed from a locale: the first sentence may overrule it.
GUESSED = -1
_TURNS_TO_SWITCH = 2
_SURE = 2.0

_SIGNS = re.compile(r"[@\d]|\A#|://|\Awww\.")
_MOST_TEXT = 1000
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")

_PORTUGUESE_WORDS = frozenset(
    """
    oi oie ola opa eai bom boa dia tarde noite tchau obrigado obrigada brigado brigada valeu vlw obg sim nao nops blz
    beleza por favor pfv pf vc vcs voce voces eu ele ela eles elas nos meu meus minha minhas seu seus sua suas nosso
    que qual quais quem quando onde como porque pq quanto quantos quanta cade aonde o os um uma uns umas de da
    do dos das na nas em no ao aos pra pro para pelo pela com sem sobre ate entre este esta esse essa isso isto aquele
    aquilo aqui ai la ja ainda agora hoje ontem amanha sempre nunca tambem tb tbm mais menos muito muita mto mt bem mal
    e ou mas se entao e ser sou somos sao era foi fui estou to esta estao estava tem tenho temos tinha ter quero
    queria quer posso pode podem poderia preciso precisa gostaria fazer faz fiz fazem ver vejo sei saber acho chegou
    chega chegar veio vem vou vai vamos comprei comprar compra compras pedido pedidos encomenda entrega entregar
    entregue rastrear rastreio troca trocar devolver devolucao reembolso dinheiro cartao boleto frete loja lojas
    horario horarios aberta abre abrem fecha fecham domingo sabado segunda feira atendente atendimento pessoa humano
    falar conversar ajuda ajudar cancela cancelar deixa esquece numero produto produtos roupa camisa camiseta tamanho
    defeito quebrado errado errada atrasado atrasada prazo nota fiscal senha conta endereco telefone desconto cupom
    aceita aceitam pagamento pagar paguei parcela parcelas vezes gratis certo claro legal otimo show alguem nada tudo
    tchauzinho socorro moca moco gente reais ate logo bacana mesmo mesma outro outra assim depois antes voltar
    """.split()
)
_ENGLISH_WORDS = frozenset(
    """
    hi hello hey hiya good morning afternoon evening night bye goodbye thanks thank thx cheers please pls plz yes yeah
    yep yup nope not sure okay the a an this that these those there here it its it's i i'm im i've ive i'd you you're
    youre your yours u ur he she we they them their my mine our his her me us what what's whats which who whom when
    where where's wheres why how is are am was were be been being do does did doing done don't dont doesn't didn't
    can can't cant could would should will won't may might must have has had haven't get got getting give want wants
    wanted need needs like know see tell help find and or but if so because than then of to in on at by for from with
    without about into over after before under again still yet already now today tomorrow yesterday always never also
    too more most less very much many some any all none nothing something someone anyone people person human agent
    speak talk order orders parcel package shipping shipped delivery deliver delivered track tracking return returns
    refund exchange money back card pay payment paid buy bought purchase store stores shop open opening close closed
    closing hours hour time sunday saturday monday tuesday wednesday thursday friday weekend holiday cancel stop never
    mind forget wrong broken late lost missing size color colour shirt shoes item number address account password
    discount coupon free long how's let lets let's come coming arrive arrived hasn't problem question everything
    great nice cool right correct exactly another other first last later soon just only really please
    """.split()
)
# In both lists, or used in both countries: they say nothing.
_SHARED = frozenset({"a", "no", "me", "mal", "so", "e", "status", "chat", "pix", "ok", "tem", "se", "as"}) | (
    _PORTUGUESE_WORDS & _ENGLISH_WORDS
)
# These alone already say which language: the shortest sentences are greetings.
_GREETINGS = {
    **dict.fromkeys("oi oie ola opa eai tchau obrigado obrigada valeu sim nao bom boa".split(), PORTUGUESE),
    **dict.fromkeys("hi hello hey hiya thanks thank bye yes good please".split(), ENGLISH),
}
_PORTUGUESE_SHAPES = re.compile(r"[ãõç]|[áéíóúâêô]|lh|nh|\w(?:cao|coes|ei|ou|inho|inha|ndo|mente|dade|eira|eiro)$")
_ENGLISH_SHAPES = re.compile(r"^(?:wh|th|kn)|(?:ght|tion|ing|ck|sh|ed|ly|ess|ould|'s|n't|'re|'ll)$|ee|oo|^y")

_SPEAK = r"(?:speak|talk|write|answer|reply|switch|change|fal\w*|respond\w*|escrev\w*|mud\w*|troc\w*|volt\w*)"


def _asking(names: str) -> re.Pattern[str]:
    """Asked by a verb ("can you speak …"), by "in …", politely ("…, please"), or by the name alone."""
    return re.compile(
        rf"\b{_SPEAK}\b.{{0,20}}\b(?:{names})\b|\b(?:in|em) (?:{names})\b|"
        rf"\b(?:{names}),? (?:please|por favor)\b|\A\W*(?:{names})\W*\Z"
    )


_ASKS = ((ENGLISH, _asking("english|ingles")), (PORTUGUESE, _asking("portugues|portuguese")))
_REFUSES = re.compile(r"\b(?:nao|don't|dont|do not|not|cannot|can't)\b")


@dataclass(frozen=True)
class Language:
    """What is remembered of a person's language between turns."""

    current: str
    votes: int = 0


def fold(text: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def from_locale(locale: str | None) -> str:
    """The language to greet in; a locale that is neither gets English, as the wider known of the two."""
    tag = (locale or PORTUGUESE).lower()
    return PORTUGUESE if tag.startswith("pt") else ENGLISH


def score(text: str) -> float:
    """How English (above zero) or Portuguese (below) a text is; 0 when it does not say."""
    total = 0.0
    tokens = text[:_MOST_TEXT].lower().replace("’", "'").split()
    for word in _WORD.findall(" ".join(token for token in tokens if not _SIGNS.search(token))):
        plain = fold(word)
        if plain in _SHARED and plain == word:
            continue
        greeting = _GREETINGS.get(plain)
        weight = 1.5 if greeting else 1.0
        if plain in _ENGLISH_WORDS:
            total += weight
        elif plain in _PORTUGUESE_WORDS:
            total -= weight
        elif _PORTUGUESE_SHAPES.search(word):
            total -= 0.5 if plain == word else 1.0
        elif _ENGLISH_SHAPES.search(word):
            total += 0.5
    return total


def asked_for(text: str) -> str | None:
    """The language that a person asks to be answered in, if they do."""
    folded = fold(text[:_MOST_TEXT].replace("’", "'"))
    for language, pattern in _ASKS:
        if (found := pattern.search(folded)) and not _REFUSES.search(folded[: found.start()]):
            return language
    return None


def decide(text: str, *, current: str | None, votes: int, locale: str | None) -> Language:
    """The language of this answer, from what was remembered and what was just said."""
    if asked := asked_for(text):
        return Language(asked)
    known = current in (PORTUGUESE, ENGLISH) and votes != GUESSED
    points = score(text)
    said = ENGLISH if points > 0 else PORTUGUESE
    if not known or current is None:
        # Half a point is one word's ending: enough to vote, too little to decide.
        return Language(said) if abs(points) >= 1 else Language(current or from_locale(locale), GUESSED)
    if abs(points) < _SURE:
        return Language(current, votes)
    if said == current:
        return Language(current)
    return Language(said) if votes + 1 >= _TURNS_TO_SWITCH else Language(current, votes + 1)
