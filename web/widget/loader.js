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
  for (const attribute in attributes) element.setAttribute(attribute, attributes[attribute]);
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

/** @type {Record<string, Set<(detail: any) => void>>} */ const listeners = {};
const emit = (/** @type {string} */ event, /** @type {unknown} */ detail) =>
  // What a page's callback throws is the page's.
  listeners[event]?.forEach((callback) => setTimeout(callback, 0, detail));

class Chat extends HTMLElement {
  #button = document.createElement("button");
  #badge = document.createElement("b");
  #path = svg("path", {});
  /** @type {HTMLIFrameElement?} */ #frame = null;
  /** @type {MessagePort?} */ #port = null;
  /** What the frame shall hear as soon as it can. @type {object[]} */ #waiting = [];
  /** @type {string | undefined} */ #identity;
  #isOpen = false;
  #unread = 0;

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
    // Another tab renewed or left the conversation.
    addEventListener("storage", (event) => event.key === key && this.#port?.postMessage({ type: "kept", value: kept() }));
    // On a phone the keyboard covers the page: the frame takes what is left.
    window.visualViewport?.addEventListener("resize", () => this.#fit());
    this.#show();
  }

  connectedCallback() {
    if (kept()) (window.requestIdleCallback ?? setTimeout)(() => this.#load());
  }

  /** Open the conversation; a text is put into the composer, for the person to send. @param {string} [text] @param {string} [link] */
  open(text, link) {
    this.#load();
    this.#turn(true, text, link);
  }

  /** Close it; the focus goes back to the launcher. */
  close() {
    this.#turn(false);
    this.#button.focus();
  }

  /** Say who the visitor is: a JWT that the shop's server signed. @param {string} jwt */
  identify(jwt) {
    this.#identity = jwt;
    this.#port?.postMessage({ type: "identify", jwt });
  }

  /** End the conversation in this browser. */
  signout() {
    this.#identity = undefined;
    if (kept()) this.#load();
    if (this.#frame) this.#tell({ type: "signout" });
    else this.#waiting = [];
  }

  /** @param {boolean} isOpen @param {string} [text] @param {string} [link] */
  #turn(isOpen, text, link) {
    const changed = this.#isOpen !== isOpen;
    this.#isOpen = isOpen;
    this.#show();
    this.#fit();
    // The frame must have the focus before a field in it can take it.
    if (isOpen) this.#frame?.focus();
    this.#tell({ type: isOpen ? "open" : "closed", text, link });
    if (changed) emit(isOpen ? "open" : "close", null);
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
    port1.onmessage = ({ data: { type, value } }) => {
      if (type === "close") this.close();
      else if (type === "keep") keep(value);
      else if (type === "look") for (const name in value) this.style.setProperty(name, value[name]);
      else if (type === "refused") console.warn("Segue: the identity was refused.");
      else {
        if (type === "unread") {
          this.#unread = value;
          this.#show();
        }
        emit(type, value);
      }
    };
    // Only what tells a campaign apart goes along: no other part of the address, which may hold secrets of the shop.
    const page = new URL(location.href);
    for (const name of [...page.searchParams.keys()]) if (!name.startsWith("utm_")) page.searchParams.delete(name);
    page.hash = "";
    const referrer = document.referrer.split(/[?#]/)[0];
    const hello = { segue: 1, locale, page: page.href, referrer, handle: kept()?.handle, identity: this.#identity };
    frame.contentWindow?.postMessage(hello, origin, [port2]);
    this.#waiting.splice(0).forEach((message) => port1.postMessage(message));
    if (this.#isOpen) frame.focus();
  }

  /** @param {object} message */
  #tell(message) {
    if (this.#port) this.#port.postMessage(message);
    else this.#waiting.push(message);
  }

  #fit() {
    const view = window.visualViewport;
    if (view && view.scale === 1) this.style.setProperty("--segue-height", `${view.height}px`);
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
  const chat = /** @type {Chat} */ (document.createElement("segue-chat"));
  // A magic link: the code leaves the address at once, and nothing is done with it before somebody says yes in the frame.
  const picked = () => {
    const [page, link] = location.href.split("#segue=");
    if (!link) return;
    history.replaceState(history.state, "", page);
    chat.open("", link);
  };
  picked();
  addEventListener("hashchange", picked);
  const place = () => document.body.append(chat);
  if (document.body) place();
  else document.addEventListener("DOMContentLoaded", place);
  Object.assign(window, {
    Segue: {
      open: (/** @type {string} */ text) => chat.open(text),
      close: () => chat.close(),
      identify: (/** @type {string} */ jwt) => chat.identify(jwt),
      signout: () => chat.signout(),
      on(/** @type {string} */ event, /** @type {(detail: any) => void} */ callback) {
        (listeners[event] ??= new Set()).add(callback);
        return () => listeners[event].delete(callback);
      },
    },
  });
}
