"""Nothing that anybody writes becomes more than words, and no page that is not listed may hold the frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from e2e.shop import Shop
from e2e.stage import Stage
from playwright.sync_api import expect

Browse = Callable[..., Shop]

MARKUP = [
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    "<svg onload=window.hit=1>",
    "<svg><script>window.hit=1</script></svg>",
    "<svg><animate onbegin=window.hit=1 attributeName=x dur=1s>",
    "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "<iframe src=javascript:window.hit=1></iframe>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=window.hit=1&gt;'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=window.hit=1>",
    "<noscript><p title='</noscript><img src=x onerror=window.hit=1>'>",
    "<template><img src=x onerror=window.hit=1></template>",
    "<details open ontoggle=window.hit=1>",
    "<body onload=window.hit=1>",
    "<input autofocus onfocus=window.hit=1>",
    "<video><source onerror=window.hit=1></video>",
    "<object data='data:text/html,<script>hit=1</script>'></object>",
    "<embed src='data:image/svg+xml,<svg onload=window.hit=1/>'>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<style>*{display:none}</style>",
    "<a href='javascript:window.hit=1'>x</a>",
    "</p></li></ol><script>window.hit=1</script>",
    '"><img src=x onerror=window.hit=1>',
    "' onmouseover='window.hit=1",
    "`onload=window.hit=1`",
    "${window.hit=1}",
    "{{constructor.constructor('window.hit=1')()}}",
    "&lt;script&gt;window.hit=1&lt;/script&gt;",
    "&#60;img src=x onerror=window.hit=1&#62;",
    "<!--><img src=x onerror=window.hit=1>-->",
    "<![CDATA[<img src=x onerror=window.hit=1>]]>",
    "<x/onclick=window.hit=1>tap</x>",
    "\u0000<img src=x onerror=window.hit=1>",
    "__proto__ constructor toString",
]
TARGETS = [
    "javascript:window.hit=1",
    "JaVaScRiPt:window.hit=1",
    "java\tscript:window.hit=1",
    "\u0001javascript:window.hit=1",
    " javascript:window.hit=1",
    "javascript&colon;window.hit=1",
    "javascript:%0awindow.hit=1",
    "data:text/html,<script>window.hit=1</script>",
    "data:text/html;base64,PHNjcmlwdD5oaXQ9MTwvc2NyaXB0Pg==",
    "data:image/svg+xml,<svg onload=window.hit=1>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "blob:https://evil.example/1",
    "filesystem:https://evil.example/1",
    "view-source:https://evil.example",
    "about:blank",
    "intent://evil#Intent;end",
    "ms-word:ofe|u|https://evil.example/x.docx",
    "//evil.example/x",
    "\\\\evil.example\\x",
    "https:/\\evil.example:bad",
    "http://[::1",
]
TRICKS = [
    "[pague aqui](https://pagamento.example)",
    "[https://banco.example](https://evil.example)",
    "[https://xn--aypal-4ve.example](https://\u0440aypal.example)",
    '[a](https://evil.example "onmouseover=window.hit=1")',
    "![x](https://evil.example/pixel.png)",
    "[x]( javascript:window.hit=1 )",
    "[![x](javascript:window.hit=1)](javascript:window.hit=1)",
    "<https://evil.example/><javascript:window.hit=1>",
    "**<img src=x onerror=window.hit=1>**",
    "`<img src=x onerror=window.hit=1>`",
    "* * * [x](javascript:window.hit=1)",
    "\u202ehttps://elpmaxe.live\u202c",
    "https://evil.example/\u202egpj.exe",
    "https://user:pass@evil.example/",
    "[" * 500 + "](" * 500,
    "*" * 2000 + "_" * 2000,
]
CORPUS = [*MARKUP, *(f"[x]({target})" for target in TARGETS), *TRICKS]

INERT = """() => {
    const links = [...document.querySelectorAll("a[href]")];
    const schemes = [...new Set(links.map((link) => new URL(link.href).protocol))];
    const bad = schemes.filter((scheme) => !["https:", "http:", "mailto:", "tel:"].includes(scheme));
    const made = document.querySelectorAll(
        "body script, iframe, object, embed, form form, base, body style, body link, video, details, template, math, "
        + "meta[http-equiv]");
    const handlers = [...document.querySelectorAll("body *")].filter(
        (element) => [...element.attributes].some(({name}) => name.startsWith("on")));
    return {bad, made: made.length, handlers: handlers.length, hit: window.hit ?? null,
            pictures: [...document.images].filter((image) => new URL(image.src).origin !== location.origin).length};
}"""
NOTHING = {"bad": [], "made": 0, "handlers": 0, "hit": None, "pictures": 0}


def everywhere(attack: str, target: str) -> list[dict[str, Any]]:
    """The same attack in every field that somebody else fills."""
    button = {"id": "b", "title": attack}
    card = {"title": attack, "text": attack, "image": target, "url": target, "buttons": [button]}
    return [
        {"type": "text", "text": attack},
        {"type": "buttons", "text": attack, "buttons": [button]},
        {"type": "image", "url": target, "alt": attack, "text": attack},
        {"type": "file", "url": target, "name": attack},
        {"type": "audio", "url": target, "name": attack},
        {"type": "video", "url": target},
        {"type": "location", "latitude": 1, "longitude": 1, "name": attack},
        {"type": "list", "text": attack, "rows": [{"id": "r", "title": attack, "description": attack}]},
        {"type": "carousel", "text": attack, "cards": [card]},
        {"type": "survey", "text": attack, "buttons": [button]},
        {"type": attack, "text": attack},
    ]


def test_the_corpus_is_large_and_holds_nothing_twice() -> None:
    assert len(set(CORPUS)) == len(CORPUS) >= 60


@pytest.mark.timeout(120)
def test_what_the_shop_says_stays_words_in_every_field(browse: Browse, stage: Stage) -> None:
    stage.config = {
        "assistant": MARKUP[1],
        "brand": MARKUP[0],
        "greeting": {"text": MARKUP[3]},
        "reply_time": MARKUP[2],
    }
    chat = browse().open_chat()
    expect(chat.heard.first).to_be_visible()
    stage.until_watched()
    for n, attack in enumerate(CORPUS):
        target = TARGETS[n % len(TARGETS)]
        contents = everywhere(attack, target) if n % 4 == 0 else everywhere(attack, target)[n % 11 :: 11]
        for content in contents:
            stage.says(content, kind="agent" if n % 2 else "bot", name=attack)
    stage.says("fim")
    chat.hears("fim")
    assert chat.frame.evaluate(INERT) == NOTHING


def test_what_a_customer_writes_stays_words(browse: Browse, stage: Stage) -> None:
    chat = browse().open_chat()
    for attack in CORPUS[::3]:
        chat.composer.fill(attack)
        chat.composer.press("Enter")
    chat.say("fim")
    assert chat.frame.evaluate(INERT) == NOTHING
    assert chat.log.locator(".out a, .out img").count() == 0


def test_a_link_that_says_another_address_shows_where_it_goes(browse: Browse, stage: Stage) -> None:
    chat = browse().open_chat()
    stage.says("[https://banco.example](https://evil.example/x) [pague](https://\u0440aypal.example)")
    link = chat.log.get_by_role("link", name="banco.example")
    expect(link).to_contain_text("evil.example")
    expect(chat.log.get_by_role("link", name="pague")).to_contain_text("xn--")


def test_the_look_for_what_is_not_inert_finds_something(browse: Browse, stage: Stage) -> None:
    chat = browse(bypass_csp=True).open_chat()
    expect(chat.heard.first).to_be_visible()
    chat.frame.evaluate(
        """() => {
            const link = document.createElement("a");
            link.href = "javascript:window.hit=1";
            const image = document.createElement("img");
            image.setAttribute("onload", "");
            image.src = "/no-such-picture";
            document.body.append(link, image, document.createElement("iframe"));
            window.hit = 1;
        }"""
    )
    found = chat.frame.evaluate(INERT)
    assert found["bad"] == ["javascript:"]
    assert found["made"] == found["hit"] == found["handlers"] == 1


def test_a_page_of_a_site_that_is_not_listed_cannot_hold_the_frame(browse: Browse, stage: Stage) -> None:
    shop = browse()
    shop.url = stage.url.replace("127.0.0.1", "localhost")
    said: list[str] = []
    shop.page.on("console", lambda message: said.append(message.text))
    shop.enter("/shop")
    before = len(stage.calls)
    with shop.page.expect_event("console", lambda message: "frame-ancestors" in message.text):
        shop.page.locator("segue-chat").evaluate("element => element.open()")
    assert len(stage.calls) == before
    # This refusal is what the test wants; nothing else may be reported.
    shop.forgive("frame-ancestors")
