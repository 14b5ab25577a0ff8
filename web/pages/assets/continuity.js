// The page of `segue demo continuity`: Ana's Telegram, played by the demo, beside the shop's own chat.

const { shop, handle, language } = JSON.parse(document.getElementById("config")?.textContent ?? "{}");
document.documentElement.lang = language;

// The chat goes on where the demo left it: with the handle that this visitor's browser would have kept.
if (handle && !localStorage.getItem("segue:demo")) localStorage.setItem("segue:demo", JSON.stringify({ handle }));
const loader = document.createElement("script");
loader.src = `${shop}/widget/loader.js`;
loader.dataset.site = "demo";
loader.dataset.locale = "page";
loader.addEventListener("load", () => /** @type {any} */ (window).Segue.open());
document.head.append(loader);

const screen_ = /** @type {HTMLOListElement} */ (document.getElementById("screen"));
let shown = "";

/** @param {object} body */
const send = async (body) => {
  await fetch("/telegram", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  await look();
};

/** Words with the addresses in them made links. @param {string} text */
const linked = (text) =>
  text.split(/(https?:\/\/\S+)/).map((part, i) => {
    if (i % 2 === 0) return part;
    const link = document.createElement("a");
    link.href = part;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    link.textContent = part;
    return link;
  });

/** @param {{own: boolean, text: string, buttons: string[]}} message */
function row({ own, text, buttons }) {
  const item = document.createElement("li");
  item.className = own ? "own" : "";
  const words = document.createElement("p");
  words.append(...linked(text));
  item.append(words);
  for (const title of buttons) {
    const button = document.createElement("button");
    button.textContent = title;
    button.addEventListener("click", () => send({ tap: title }));
    item.append(button);
  }
  return item;
}

async function look() {
  const answer = await fetch("/telegram", { cache: "no-store" });
  const text = await answer.text();
  if (text === shown) return;
  shown = text;
  screen_.replaceChildren(...JSON.parse(text).map(row));
  screen_.scrollTop = screen_.scrollHeight;
}

document.getElementById("write")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = /** @type {HTMLInputElement} */ (document.getElementById("text"));
  if (field.value.trim()) send({ text: field.value });
  field.value = "";
});

// The demo ends with Ctrl-C: then there is nothing more to ask.
const watch = setInterval(() => look().catch(() => clearInterval(watch)), 700);
look();
