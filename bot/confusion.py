"""The confusion matrix as an SVG: which intents are taken for which (`bin/segue bench nlu --confusion`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

_CELL, _LEFT, _TOP, _EDGE = 14, 150, 150, 20


def drawn(pairs: Sequence[tuple[str, str]]) -> str:
    """The picture of these (intent meant, intent understood): right is grey, wrong is red, each with its number."""
    counted = Counter(pairs)
    names = sorted({name for pair in pairs for name in pair})
    place = {name: number for number, name in enumerate(names)}
    meant = Counter(wanted for wanted, _ in pairs)
    side = len(names) * _CELL
    width, height = _LEFT + side + _EDGE, _TOP + side + _EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        '<g font-size="10">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        '<text x="10" y="20" font-size="12" fill="#555">rows meant, columns understood</text>',
    ]
    for name, number in place.items():
        at, said = number * _CELL, escape(name)
        row, across = _TOP + at, _LEFT + at + _CELL // 2 + 3
        stripe = "#f4f4f4" if number % 2 else "#fff"
        parts += [
            f'<rect x="{_LEFT}" y="{row}" width="{side}" height="{_CELL}" fill="{stripe}"/>',
            f'<text x="{_LEFT - 4}" y="{row + _CELL - 4}" text-anchor="end" fill="#222">{said}</text>',
            f'<text transform="translate({across} {_TOP - 4}) rotate(-90)" fill="#222">{said}</text>',
        ]
    for (wanted, found), count in sorted(counted.items()):
        x, y = _LEFT + place[found] * _CELL, _TOP + place[wanted] * _CELL
        shade = 0.25 + 0.6 * count / meant[wanted]
        colour = f"rgba(70,90,110,{shade:.2f})" if wanted == found else "rgba(200,30,30,0.9)"
        middle = f'x="{x + _CELL // 2}" y="{y + _CELL - 4}"'
        parts += [
            f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="{colour}"/>',
            f'<text {middle} font-size="8" text-anchor="middle" fill="#fff">{count}</text>',
        ]
    return "\n".join([*parts, "</g></svg>", ""])
