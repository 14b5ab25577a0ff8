"""How people shorten words in messages, in Brazil and in English: what is typed, and what is meant.

SLANG means one thing whatever the talk is about. MAYBE is a word of its own in the other language, or a letter: it is
taken as slang only where the training examples do not use it as a word.
"""

from __future__ import annotations

from typing import Dict

_SLANG = """
vc vcs vcês voce voces cê cês ces: você vocês vocês você vocês você vocês vocês
qq oq oque oqe: qualquer o_que o_que o_que
pq porq pqe pque: porque porque porque porque
nn nao naum ñ: não não não não
tb tbm tbem tmb tambem tbn: também também também também também também
mto mta mtos mtas muinto: muito muita muitos muitas muito
td tds tdo tda: tudo todos tudo toda
hj hje oje: hoje hoje hoje
amh amnh amanha: amanhã amanhã amanhã
ontm onte: ontem ontem
agr agra: agora agora
qnd qdo qnto qto qtos qtas qnt qts: quando quando quanto quanto quantos quantas quanto quantos
ql qlqr qlq qqr qualqer: qual qualquer qualquer qualquer qualquer
kd kde cade: cadê cadê cadê
blz blza bls: beleza beleza beleza
vlw vlws valew flw: valeu valeu valeu falou
obg obgd obgda obrigad brigado brigada obrgd: obrigado obrigado obrigada obrigado obrigado obrigada obrigado
pfv pfvr pff: por_favor por_favor por_favor
plis plz pls pleez: please please please please
tô tava tavam tamo: estou estava estavam estamos
né neh: né né
pra pro pras pros: para para_o para_as para_os
msm msma: mesmo mesma
msg msgs mensg: mensagem mensagens mensagem
cmg ctg cntg: comigo contigo contigo
dps dpois: depois depois
aki aqi: aqui aqui
vdd: verdade
fds: fim_de_semana
ngm nngm: ninguém ninguém
algm: alguém
nd nda: nada nada
gnt: gente
bjs abç: beijos abraço
tks thks thx thnks tnx: obrigado thanks thanks thanks thanks
pedidu peddo: pedido pedido
prods: produtos
pgto pagto pgmto: pagamento pagamento pagamento
nfe nfs: nota_fiscal notas_fiscais
codg códg: código código
nro nr nº: número número número
endr: endereço
wpp zap zapp watts wtzp wsp: whatsapp whatsapp whatsapp whatsapp whatsapp whatsapp
insta fb: instagram facebook
devol: devolução
atd: atendimento
qro qero keru kero qria: quero quero quero quero queria
axo axei axa: acho achei acha
fzr fazr: fazer fazer
podi: pode
entaum: então
saum: são
dont doesnt didnt cant couldnt wont wouldnt: don't doesn't didn't can't couldn't won't wouldn't
isnt arent wasnt havent hasnt: isn't aren't wasn't haven't hasn't
ive youre youve theyre: i've you're you've they're
wheres hows whos thats whats: where's how's who's that's what's
gonna wanna gotta gimme lemme dunno: going_to want_to have_to give_me let_me don't_know
b4 2day 2moro tmrw tmr tomoro: before today tomorrow tomorrow tomorrow tomorrow
cuz coz bcuz: because because because
abt acct amt bday pkg qty pymt: about account amount birthday package quantity payment
idk asap: i_don't_know as_soon_as_possible
wat wht wen whn hw: what what when when how
shld wld cld: should would could
"""
_MAYBE = """
q n num s d c: que não não sim de com
ta to tao: está estou tão
ja la so ate ai: já lá só até aí
eh ne: é né
pf mt: por_favor muito
nf cod tel cel tam ped: nota_fiscal código telefone celular tamanho pedido
u ur r y bc rn: you your are why because right_now
im: i'm
"""


def _read(lines: str) -> Dict[str, str]:
    table: Dict[str, str] = {}
    for line in lines.strip().splitlines():
        forms, _, meanings = line.partition(":")
        if len(forms.split()) != len(meanings.split()):
            raise ValueError(f"slang: {line!r} does not name as many meanings as forms")
        for form, meaning in zip(forms.split(), meanings.split(), strict=True):
            table[form] = meaning.replace("_", " ")
    return table


SLANG = _read(_SLANG)
MAYBE = _read(_MAYBE)
