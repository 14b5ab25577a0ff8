"""Contents and settings that several tests show."""

from __future__ import annotations

from typing import Any

EVERYTHING: list[dict[str, Any] | str] = [
    "Aqui vai **negrito**, *itálico*, `código` e um [link](https://exemplo.com.br/x).\n\n- Pix\n- cartão",
    {"type": "image", "url": "/v1/widget/media/picture", "alt": "Tênis branco", "text": "É este?"},
    {"type": "image", "url": "/v1/widget/media/gone", "alt": "Foto do vestido azul"},
    {"type": "image", "url": "https://cdn.example/foto.png", "alt": "Foto de longe"},
    {"type": "file", "url": "/v1/widget/media/f", "name": "nota-fiscal.pdf"},
    {"type": "audio", "url": "https://cdn.example/a.mp3"},
    {"type": "video", "url": "https://cdn.example/v.mp4", "text": "Como lavar"},
    {"type": "location", "latitude": -23.55, "longitude": -46.63, "name": "Loja São Paulo"},
    {"type": "hologram", "text": "Um tipo novo mostra o seu texto."},
]
REPLIES = {
    "type": "buttons",
    "text": "Posso ajudar com:",
    "buttons": [{"id": "p", "title": "Meu pedido"}, {"id": "e", "title": "Entrega"}],
}
LIST = {
    "type": "list",
    "text": "Qual destes pedidos?",
    "rows": [
        {"id": "r1", "title": "Pedido 1001", "description": "Camisa de linho, a caminho"},
        {"id": "r2", "title": "Outro pedido"},
    ],
}
CAROUSEL = {
    "type": "carousel",
    "text": "Separei estes:",
    "cards": [
        {
            "title": "Tênis branco",
            "text": "R$ 289,90",
            "image": "/v1/widget/media/picture",
            "url": "https://loja.example/tenis",
            "buttons": [{"id": "b1", "title": "Quero este"}],
        },
        {
            "title": "Bolsa",
            "text": "R$ 219,90",
            "image": "/v1/widget/media/gone",
            "buttons": [{"id": "b2", "title": "Quero este"}],
        },
        {"title": "Camisa"},
    ],
}
SURVEY = {
    "type": "survey",
    "text": "Como foi o atendimento?",
    "buttons": [{"id": f"s{n}", "title": str(n)} for n in range(1, 6)],
}
UPLOAD = {"most_bytes": 1000, "most_files": 3, "types": ["image/png", "application/pdf"]}
FORM = [
    {"key": "name", "label": "Seu nome", "type": "text", "required": True, "options": []},
    {"key": "email", "label": "E-mail", "type": "email", "required": True, "options": []},
    {"key": "topic", "label": "Assunto", "type": "choice", "required": False, "options": ["Pedido", "Troca"]},
]
