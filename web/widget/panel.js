// The conversation in our frame. It waits for the loader's hello from a page that may hold us, then draws and follows.

import { Component, draw, effect, html, signal } from "../shared/ui.js";
import { choose, direction, translator } from "../shared/i18n.js";
import { Api } from "./api.js";
import { Conversation } from "./conversation.js";
import { Keep } from "./keep.js";
import { Log } from "./log.js";

/**
 * @typedef {object} Scene   what every view needs
 * @property {Conversation} chat
 * @property {(key: string, values?: Record<string, string>) => string} t
 * @property {string} locale
 * @property {(message?: import("./types").Message) => string} name   who speaks; the assistant without a message
 * @property {(text: string, button?: string) => boolean} say
 */

const CALM = 1500; // a break shorter than this is nobody's business
const SPOKEN = 300;
const LONGEST = 4000;

// Only the table that is needed is loaded. Each must be written out: the bundler follows no computed name.
const TABLES = {
  "pt-BR": () => import("./i18n/pt-BR.json", { with: { type: "json" } }),
  en: () => import("./i18n/en.json", { with: { type: "json" } }),
};

/** @type {import("./types").Config} */
const config = JSON.parse(document.getElementById("config")?.textContent ?? "{}");

/** @param {import("./types").Hello} hello @param {MessagePort} [port] */
async function start(hello, port) {
  const locale = choose(Object.keys(TABLES), [hello.locale, config.locale, navigator.language]);
  const t = translator((await TABLES[/** @type {keyof typeof TABLES} */ (locale)]()).default);
  document.documentElement.lang = locale;
  document.documentElement.dir = direction(locale);
  const tell = (/** @type {object} */ message) => port?.postMessage(message);
  const keep = new Keep(config.site, hello.handle, (value) => tell({ type: "keep", value }));
  const { page, referrer } = hello;
  const chat = new Conversation(new Api(config.api, { site: config.site, locale, page, referrer }, keep), keep);

  const isOpen = signal(!port);
  const unread = signal(0);
  const spoken = signal("");
  const notice = signal("");
  effect(() => tell({ type: "unread", count: unread.value }));

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
    if (!isOpen.value) unread.value++;
    const said = `${name(message)}: ${message.content?.text ?? message.text ?? ""}`;
    heard.push(said.length > SPOKEN ? said.slice(0, SPOKEN) + "…" : said);
    if (heard.length === 1) setTimeout(() => { spoken.value = heard.join("\n"); heard = []; }, 1000);
  };

  /** @type {Composer | undefined} */ let composer;
  const focus = () => {
    // On a touch screen the keyboard would hide the greeting: there the person taps when ready.
    if (matchMedia("(pointer: coarse)").matches) document.querySelector("h1")?.focus();
    else composer?.focus();
  };
  if (port) port.onmessage = ({ data }) => {
    isOpen.value = data.type === "open";
    if (!isOpen.value) return;
    unread.value = 0;
    if (data.text) composer?.write(String(data.text));
    focus();
  };

  /** @type {Scene["say"]} */
  const say = (text, button) => {
    const queued = chat.outbox.add(text, button);
    const full = t("full");
    if (!queued) notice.value = full;
    else if (notice.value === full) notice.value = "";
    if (queued && button) composer?.focus();
    return queued;
  };
  const close = () => tell({ type: "close" });
  addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && close());

  /** @type {Scene} */ const scene = { chat, t, locale, name, say };
  const hold = (/** @type {Composer} */ own) => (composer = own);
  draw(() => html`
    <${Panel} scene=${scene} notice=${notice.value} spoken=${spoken.value} close=${port && close}>
      <${Composer} hold=${hold} scene=${scene} keep=${keep} />
    <//>
  `, document.body);
  chat.run();
}

/** @param {{scene: Scene, notice: string, spoken: string, close?: () => void, children: unknown}} props */
function Panel({ scene, notice, spoken, close, children }) {
  const { chat, t } = scene;
  const { assistant, brand } = chat.config.value;
  const person = chat.messages.value.findLast(({ author }) => author.kind === "agent" || author.kind === "bot")?.author;
  const agent = person?.kind === "agent" ? person.name ?? "" : "";
  const title = agent || assistant || brand || t("log");
  const line = agent ? t("subtitle_agent", { name: agent }) : t("subtitle");
  return html`
    <main>
      <header>
        <span class=${`avatar ${agent ? "person" : ""}`} aria-hidden="true">${title[0]}</span>
        <div><h1 tabindex="-1">${title}</h1><p>${line}</p></div>
        ${close && html`<button class="icon" aria-label=${t("close")} onClick=${close}><${Icon} d="M6 6l12 12M18 6L6 18" /></button>`}
      </header>
      <p class="notice" role="status">${notice}</p>
      <${Log} scene=${scene} />
      ${children}
      <div class="sr" role="log" aria-live="polite">${spoken}</div>
      <div class="sr" role="status">${chat.typing.value && t("typing", { name: agent || assistant || t("assistant") })}</div>
    </main>
  `;
}

/** Keeps what is being written to itself: a keystroke draws nothing but this. @extends {Component<{scene: Scene, keep: Keep, hold: (own: Composer) => void}, {text: string}>} */
class Composer extends Component {
  /** @type {HTMLTextAreaElement?} */ #box = null;
  state = { text: /** @type {string} */ (this.props.keep.get("draft") ?? "") };

  /** @param {string} text */
  write(text) {
    this.setState({ text: text.slice(0, LONGEST) });
    this.props.keep.set("draft", text);
  }

  focus() {
    this.#box?.focus();
  }

  #send = (/** @type {Event} */ event) => {
    event.preventDefault();
    const text = this.state.text.trim();
    if (text && this.props.scene.say(text)) this.write("");
    this.focus();
  };

  #key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.#send(event);
  };

  componentDidMount() {
    this.props.hold(this);
  }

  componentDidUpdate() {
    // Where the browser cannot grow the field by itself.
    if (!this.#box || CSS.supports("field-sizing", "content")) return;
    this.#box.style.height = "auto";
    this.#box.style.height = `${this.#box.scrollHeight}px`;
  }

  render() {
    const { chat, t } = this.props.scene;
    const { text } = this.state;
    return html`
      <form onSubmit=${this.#send}>
        <label class="sr" for="text">${t("composer")}</label>
        <textarea id="text" ref=${(/** @type {HTMLTextAreaElement?} */ box) => (this.#box = box)} rows="1" maxlength=${LONGEST} enterkeyhint="send" autocomplete="off" placeholder=${t("composer")}
          disabled=${chat.link.value === "refused"} value=${text} onKeyDown=${this.#key}
          onInput=${(/** @type {Event} */ event) => this.write(/** @type {HTMLTextAreaElement} */ (event.target).value)}></textarea>
        <button class="send" aria-label=${t("send")} aria-disabled=${!text.trim()}><${Icon} d="M5 12h13M12.5 6l6 6-6 6" /></button>
      </form>
    `;
  }
}

/** @param {{d: string}} props */
const Icon = ({ d }) => html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d=${d} /></svg>`;

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
