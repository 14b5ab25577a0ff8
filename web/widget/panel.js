// The conversation in our frame. It waits for the loader's hello from a page that may hold us, then draws and follows.

import { draw, effect, html, signal } from "../shared/ui.js";
import { choose, direction, translator } from "../shared/i18n.js";
import { Api } from "./api.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { Icon } from "./icon.js";
import { Keep } from "./keep.js";
import { Log } from "./log.js";
import { Tabs } from "./tabs.js";

/**
 * @typedef {object} Scene   what every view needs
 * @property {Conversation} chat
 * @property {Keep} keep
 * @property {(key: string, values?: Record<string, string>) => string} t
 * @property {string} locale
 * @property {(message?: import("./types").Message) => string} name   who speaks; the assistant without a message
 * @property {(message: Said) => boolean} say
 * @property {<T>(load: () => Promise<T>) => T | null} later   a part that is fetched when it is first needed; null until it is here
 * @property {(sentence: string) => void} tell   a line of calm news
 * @property {Signal<View?>} view   what is open over the conversation
 *
 * @typedef {{at: "menu" | "elsewhere" | "typed"} | {at: "invite", account: string} | {at: "resume", link: string}} View
 *
 * @typedef {Pick<import("./types").Pending, "text" | "button" | "upload" | "content">} Said
 */

const CALM = 1500; // a break shorter than this is nobody's business
const SPOKEN = 300;

// Only the table that is needed is loaded. Each must be written out: the bundler follows no computed name.
const TABLES = {
  "pt-BR": () => import("./i18n/pt-BR.json", { with: { type: "json" } }),
  en: () => import("./i18n/en.json", { with: { type: "json" } }),
};
const menu = () => import("./later/menu.js");
const gate = () => import("./later/gate.js");
const sheet = () => import("./later/elsewhere.js");

/** @type {import("./types").Config} */
const config = JSON.parse(document.getElementById("config")?.textContent ?? "{}");

/** @param {import("./types").Hello} hello @param {MessagePort} [port] */
async function start(hello, port) {
  const locale = choose(Object.keys(TABLES), [hello.locale, config.locale, navigator.language]);
  const t = translator((await TABLES[/** @type {keyof typeof TABLES} */ (locale)]()).default);
  document.documentElement.lang = locale;
  document.documentElement.dir = direction(locale);
  const tell = (/** @type {string} */ type, /** @type {unknown} */ value = undefined) => port?.postMessage({ type, value });
  const keep = new Keep(config.site, hello.handle, (value) => tell("keep", value));
  const tabs = new Tabs(config.site, keep.shared);
  const { page, referrer } = hello;
  const chat = new Conversation(new Api(config.api, { site: config.site, locale, page, referrer }, keep, tabs), keep, tabs);

  const isOpen = signal(!port);
  const spoken = signal("");
  const notice = signal("");
  /** @type {Signal<View?>} */ const view = signal(null);
  effect(() => tell("unread", chat.unread.value));

  const seen = () => isOpen.peek() && !document.hidden && chat.read();
  effect(() => void (chat.messages.value, chat.link.value, isOpen.value, seen()));
  document.addEventListener("visibilitychange", seen);

  // The line of calm news appears only when a state lasts.
  /** @type {ReturnType<typeof setTimeout> | undefined} */ let lasting;
  effect(() => {
    const link = chat.link.value;
    const news = link === "live" ? (chat.ready.value ? "" : t("unready")) : t({ lost: "offline", refused: "refused" }[link] ?? "connecting");
    clearTimeout(lasting);
    if (news) lasting = setTimeout(() => (notice.value = news), CALM);
    else notice.value = "";
  });
  let ready = false;
  effect(() => {
    if (!ready && chat.link.value === "live") tell("ready", (ready = true));
  });

  // The shop's colour, made dark or light enough to be read by.
  effect(() => {
    const { color } = chat.config.value;
    if (color) import("./later/color.js").then(({ wear }) => wear(color, (look) => tell("look", look)), () => {});
  });

  /** @type {Map<unknown, any>} */ const parts = new Map();
  const fetched = signal(0);
  /** @type {Scene["later"]} */
  const later = (load) => {
    void fetched.value;
    if (!parts.has(load)) {
      parts.set(load, null);
      load().then((part) => { parts.set(load, part); fetched.value++; }, () => parts.delete(load));
    }
    return parts.get(load) ?? null;
  };

  /** @type {Scene["name"]} */
  const name = (message) => {
    const own = chat.config.value.assistant ?? "";
    if (!message || message.author.kind === "bot") return [message?.author.name || own, t("assistant")].filter(Boolean).join(", ");
    return message.author.name ?? "";
  };

  // What others say is spoken once, a second's worth at a time; the log itself is no live region.
  /** @type {string[]} */ let heard = [];
  chat.arrived = (message) => {
    if (message.author.kind === "customer") return;
    if (!isOpen.value || document.hidden) chat.unread.value++;
    tell("message", { id: message.id, author: message.author.kind, at: message.at });
    const said = [name(message), message.content?.text ?? message.text].filter(Boolean).join(": ");
    heard.push(said.length > SPOKEN ? said.slice(0, SPOKEN) + "…" : said);
    if (heard.length === 1) setTimeout(() => { spoken.value = heard.join("\n"); heard = []; }, 1000);
  };

  /** @type {Composer?} */ let composer = null;
  const hold = (/** @type {Composer?} */ own) => (composer = own);
  const focus = () => {
    // On a touch screen the keyboard would hide the greeting: there the person taps when ready.
    if (!composer || matchMedia("(pointer: coarse)").matches) document.querySelector("h1")?.focus();
    else composer.focus();
  };
  const write = (/** @type {string} */ text) => (composer ? composer.write(text) : keep.set("draft", text));
  chat.left = () => {
    write("");
    spoken.value = "";
    heard = [];
    view.value = null;
  };
  const identify = async (/** @type {string} */ jwt) => (await chat.identify(jwt)) || tell("refused");
  if (port) port.onmessage = ({ data }) => {
    if (data.type === "identify") identify(data.jwt);
    else if (data.type === "signout") chat.signout();
    else if (data.type === "kept" && !keep.shared) {
      keep.learn(data.value?.handle);
      if (!data.value) chat.leave();
    }
    if (data.type !== "open" && data.type !== "closed") return;
    isOpen.value = data.type === "open";
    if (!isOpen.value) return;
    if (data.text) write(String(data.text));
    if (data.link) view.value = { at: "resume", link: String(data.link) };
    focus();
  };

  /** @type {Scene["say"]} */
  const say = (message) => {
    const queued = chat.outbox.add(message);
    const full = t("full");
    if (!queued) notice.value = full;
    else if (notice.value === full) notice.value = "";
    if (queued && message.button) composer?.focus();
    return queued;
  };
  const close = () => tell("close");
  addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && !event.defaultPrevented && close());

  /** @type {Scene} */ const scene = { chat, keep, t, locale, name, say, later, view, tell: (line) => (notice.value = line) };
  draw(() => html`<${Panel} ...${{ scene, notice, spoken, hold, close: port && close }} />`, document.body);
  if (hello.identity) await identify(hello.identity).catch(() => {});
  chat.run();
}

/** @param {{scene: Scene, notice: Signal<string>, spoken: Signal<string>, hold: (own: Composer?) => void, close?: () => void}} props */
function Panel({ scene, notice, spoken, hold, close }) {
  const { chat, t, later, view } = scene;
  const { assistant, brand, reply_time: replies } = chat.config.value;
  const person = chat.messages.value.findLast(({ author }) => author.kind === "agent" || author.kind === "bot")?.author;
  const agent = person?.kind === "agent" ? person.name ?? "" : "";
  const title = agent || assistant || brand || t("log");
  const line = agent ? t("subtitle_agent", { name: agent }) : replies || t("subtitle");
  const over = view.value;
  const open = over?.at === "menu";
  const leave = () => (view.value = null);
  const Menu = open && later(menu)?.Menu;
  const gated = chat.gate.value;
  const Gate = gated && later(gate)?.Gate;
  // Nothing of the person leaves before the gate.
  const Sheet = over && !open && !gated && later(sheet)?.Sheet;
  return html`
    <main>
      <header>
        <span class=${`avatar ${agent ? "person" : ""}`} aria-hidden="true">${[...title][0]}</span>
        <div><h1 tabindex="-1">${title}</h1><p>${line}</p></div>
        <button id="more" class="icon" aria-label=${t("menu")} aria-expanded=${open} onClick=${() => (view.value = open ? null : { at: "menu" })}><${Icon} d="M5 12h.01M12 12h.01M19 12h.01" /></button>
        ${close && html`<button class="icon" aria-label=${t("close")} onClick=${close}><${Icon} d="M6 6l12 12M18 6L6 18" /></button>`}
        ${Menu && html`<${Menu} scene=${scene} close=${leave} />`}
      </header>
      <p class="notice" role="status">${notice.value}</p>
      <${Log} scene=${scene} />
      ${gated ? Gate && html`<${Gate} key=${gated} scene=${scene} what=${gated} />` : html`<${Composer} hold=${hold} scene=${scene} />`}
      <div class="sr" role="log" aria-live="polite">${spoken.value}</div>
      <div class="sr" role="status">${chat.typing.value && t("typing", { name: agent || assistant || t("assistant") })}</div>
      ${Sheet && html`<${Sheet} scene=${scene} view=${over} close=${leave} />`}
    </main>
  `;
}

/** @template T @typedef {import("../shared/signal.js").Signal<T>} Signal */

/** Whether a page of this origin may hold us; entries are exact or https://*.example.com. @param {string} origin */
const allowed = (origin) =>
  config.origins.some((entry) => {
    const [head, tail] = entry.split("*");
    return tail === undefined ? entry === origin : origin.startsWith(head) && origin.endsWith(tail);
  });

if (parent === window) start({});
else
  addEventListener("message", function hello({ source, origin, data, ports }) {
    if (source !== parent || data?.segue !== 1 || !allowed(origin)) return;
    removeEventListener("message", hello);
    start(data, ports[0]);
  });
