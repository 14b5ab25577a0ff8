// The script in the shop's page: a launcher in a closed shadow root, and the frame of our origin that holds the
// conversation. Nothing is asked of our server before somebody reaches for the launcher, unless this browser has a
// conversation already: then the frame is made when the page is idle, so that the unread badge is true.

import css from "./loader.css";
import sentences from "./i18n/loader.json" with { type: "json" };

const script = /** @type {HTMLScriptElement} */ (
  document.currentScript ?? document.querySelector('script[data-site][src*="/widget/loader.js"]')
);
const { origin } = new URL(script.src);
const site = script.dataset.site ?? "";
const asked = script.dataset.locale;
const locale = (asked === "page" ? document.documentElement.lang : asked) || navigator.language;
const words = /^pt\b/i.test(locale) ? sentences["pt-BR"] : sentences.en;
const key = "segue:" + site;

const BUBBLE = "M4 5.5h16v11h-9l-4.5 3.5v-3.5H4z";
const CROSS = "M6 6l12 12M18 6L6 18";

/** @param {string} name @param {Record<string, string>} attributes */
const svg = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  return element;
};

/** What this page keeps for the frame when the browser refuses it storage of its own. @returns {{handle?: string}?} */
const kept = () => {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null;
  }
};

/** @param {{handle?: string}?} value */
const keep = (value) => {
  try {
    if (value) localStorage.setItem(key, JSON.stringify(value));
    else localStorage.removeItem(key);
  } catch {
    // A page without storage: the conversation lives as long as the page.
  }
};

class Chat extends HTMLElement {
  #button = document.createElement("button");
  #badge = document.createElement("b");
  #path = svg("path", {});
  /** @type {HTMLIFrameElement?} */ #frame = null;
  /** @type {MessagePort?} */ #port = null;
  #isOpen = false;
  #unread = 0;
  #text = "";

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    const root = this.attachShadow({ mode: "closed" });
    root.adoptedStyleSheets = [sheet];
    const icon = svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
    icon.append(this.#path);
    this.#button.type = "button";
    this.#button.append(icon, this.#badge);
    root.append(this.#button);
    for (const event of ["pointerenter", "focus"]) this.#button.addEventListener(event, () => this.#load());
    this.#button.addEventListener("click", () => (this.#isOpen ? this.close() : this.open()));
    root.addEventListener("keydown", (event) => {
      if (/** @type {KeyboardEvent} */ (event).key === "Escape" && this.#isOpen) this.close();
    });
    this.#show();
  }

  connectedCallback() {
    if (kept()) (window.requestIdleCallback ?? setTimeout)(() => this.#load());
  }

  /** Open the conversation; a text is put into the composer, for the person to send. @param {string} [text] */
  open(text = "") {
    this.#load();
    this.#isOpen = true;
    this.#text = text;
    this.#show();
    this.#announce();
  }

  /** Close it; the focus goes back to the launcher. */
  close() {
    this.#isOpen = false;
    this.#show();
    this.#announce();
    this.#button.focus();
  }

  #load() {
    if (this.#frame) return;
    const frame = (this.#frame = document.createElement("iframe"));
    frame.title = words.frame;
    frame.src = `${origin}/embed/${encodeURIComponent(site)}`;
    frame.allow = "clipboard-write";
    frame.referrerPolicy = "origin";
    frame.setAttribute(
      "sandbox",
      "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox allow-downloads",
    );
    frame.addEventListener("load", () => this.#greet(frame));
    this.#button.before(frame);
    this.#show();
  }

  /** Hand one end of a channel to exactly our origin; from then on only the channel is used. @param {HTMLIFrameElement} frame */
  #greet(frame) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = ({ data }) => {
      if (data.type === "close") this.close();
      else if (data.type === "keep") keep(data.value);
      else if (data.type === "unread") {
        this.#unread = data.count;
        this.#show();
      }
    };
    // Only what tells a campaign apart goes along: no other part of the address, which may hold secrets of the shop.
    const page = new URL(location.href);
    for (const name of [...page.searchParams.keys()]) if (!name.startsWith("utm_")) page.searchParams.delete(name);
    page.hash = "";
    const referrer = document.referrer.split(/[?#]/)[0];
    const hello = { segue: 1, locale, page: page.href, referrer, handle: kept()?.handle };
    frame.contentWindow?.postMessage(hello, origin, [port2]);
    this.#announce();
  }

  #announce() {
    // The frame must have the focus before a field in it can take it.
    if (this.#isOpen) this.#frame?.focus();
    this.#port?.postMessage({ type: this.#isOpen ? "open" : "closed", text: this.#text });
    if (this.#port) this.#text = "";
  }

  #show() {
    const count = this.#isOpen ? 0 : this.#unread;
    const unread = count === 1 ? words.unread_one : words.unread_other.replace("{n}", String(count));
    this.#badge.textContent = count ? String(Math.min(count, 99)) : "";
    this.#path.setAttribute("d", this.#isOpen ? CROSS : BUBBLE);
    this.#frame?.classList.toggle("open", this.#isOpen);
    this.#button.setAttribute("aria-expanded", String(this.#isOpen));
    this.#button.setAttribute("aria-label", this.#isOpen ? words.close : count ? `${words.open}, ${unread}` : words.open);
  }
}

if (!customElements.get("segue-chat")) {
  customElements.define("segue-chat", Chat);
  const place = () => document.body.append(document.createElement("segue-chat"));
  if (document.body) place();
  else document.addEventListener("DOMContentLoaded", place);
}
