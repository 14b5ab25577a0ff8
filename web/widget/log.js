// The messages: grouped by author and time, the last of a group carries the meta line. Of a long conversation only the
// newest rows are in the document; more are put there as somebody scrolls up.

import { Component, Fragment, html } from "../shared/ui.js";
import { markdown, safe } from "../shared/markdown.js";

/** @typedef {import("./types").Message} Message */
/** @typedef {import("./types").Content} Content */
/** @typedef {import("./types").Pending} Pending */
/** @typedef {import("./panel.js").Scene} Scene */

const TOGETHER = 120000;
const NEAR = 80;
const ROWS = 150;
export const CHANNELS = /** @type {Record<string, string>} */ ({ telegram: "Telegram", whatsapp: "WhatsApp", slack: "Slack", webhook: "App" });
const PLAIN = ["text", "buttons", "choice", "command"];
const rich = () => import("./later/rich.js");

/** @extends {Component<{scene: Scene}, {behind: boolean, rows: number}>} */
export class Log extends Component {
  state = { behind: false, rows: ROWS };
  /** @type {HTMLElement} */ #box = document.body;
  #follows = true;
  #height = 0;
  #first = "";

  #toEnd = () => {
    this.#box.scrollTop = this.#box.scrollHeight;
  };

  #scrolled = () => {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    const { rows } = this.state;
    this.#follows = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#follows && (this.state.behind || rows > ROWS)) this.setState({ behind: false, rows: ROWS });
    else if (scrollTop < NEAR && this.props.scene.chat.messages.peek().length > rows) this.setState({ rows: rows + ROWS });
  };

  componentDidMount() {
    new ResizeObserver(() => this.#follows && this.#toEnd()).observe(this.#box);
    this.componentDidUpdate();
  }

  componentDidUpdate() {
    const { chat } = this.props.scene;
    const box = this.#box;
    const first = chat.messages.peek().at(-this.state.rows)?.id ?? chat.messages.peek()[0]?.id;
    const grown = box.scrollHeight - this.#height;
    if (chat.outbox.items.peek().some(({ state }) => state === "sending")) this.#follows = true;
    if (this.#follows) this.#toEnd();
    // Older messages were put above: what the person reads must stay where it is.
    else if (first !== this.#first) box.scrollTop += grown;
    else if (grown > 0 && !this.state.behind) this.setState({ behind: true });
    this.#first = first;
    this.#height = box.scrollHeight;
  }

  #earlier = async () => {
    await this.props.scene.chat.earlier();
    this.setState(({ rows }) => ({ rows: rows + ROWS }));
  };

  render() {
    const { scene } = this.props;
    const { chat, t } = scene;
    const all = chat.messages.value;
    const messages = all.slice(-this.state.rows);
    const pending = chat.outbox.items.value;
    const more = chat.more.value;
    const typing = chat.typing.value;
    // What can be tapped counts until the customer says something.
    const open = pending.length ? Infinity : messages.findLastIndex(({ author }) => author.kind === "customer");
    return html`
      <div class="log" ref=${(/** @type {HTMLElement?} */ box) => box && (this.#box = box)} role="region" aria-label=${t("log")} tabindex="0" onScroll=${this.#scrolled}>
        ${messages.length === all.length && (more ? html`<button class="earlier" onClick=${this.#earlier}>${t("earlier")}</button>` : html`<${Opening} scene=${scene} />`)}
        <ol>
          ${messages.map((message, i) => html`<${Row} key=${message.id} scene=${scene} message=${message} before=${messages[i - 1]} after=${messages[i + 1]} last=${i === messages.length - 1 && !pending.length} live=${i > open} />`)}
          ${pending.map((item) => html`<${Waiting} key=${item.key} scene=${scene} item=${item} />`)}
        </ol>
        <${Replies} scene=${scene} messages=${messages.slice(open + 1)} />
        ${typing && html`<div class="dots" aria-hidden="true"><i></i><i></i><i></i></div>`}
      </div>
      ${this.state.behind && html`<button class="newer" onClick=${this.#toEnd}>↓<span class="sr">${t("newer")}</span></button>`}
    `;
  }
}

/** What stands above the first message. @param {{scene: Scene}} props */
function Opening({ scene: { chat, t, name } }) {
  const { greeting, notice, privacy_url: privacy } = chat.config.value;
  const url = notice?.url || privacy;
  if (!greeting) return null;
  return html`
    <div class="row in first end">
      <div class="bubble"><span class="sr">${name()}: </span>${markdown(greeting.text, t("new_tab"))}</div>
    </div>
    <p class="about">
      ${(!notice?.must_accept && notice?.text) || t("automatic")} ${url && safe(url) && html`<a href=${url} target="_blank" rel="noopener noreferrer">${t("privacy")}<span class="sr"> (${t("new_tab")})</span></a>`}
    </p>
  `;
}

/** @param {{scene: Scene, message: Message, before?: Message, after?: Message, last: boolean, live: boolean}} props */
function Row({ scene, message, before, after, last, live }) {
  const { t, locale, name } = scene;
  const own = message.author.kind === "customer";
  const day = (/** @type {Message} */ m) => new Date(m.at).toDateString();
  const newDay = !before || day(before) !== day(message);
  const starts = newDay || !together(before, message);
  const ends = !after || !together(message, after) || day(after) !== day(message);
  const { said, below } = body(scene, message, live);
  const place = CHANNELS[message.channel ?? ""];
  if (message.author.kind === "system") return html`<${Day} scene=${scene} at=${newDay && message.at} /><li class="system">${said}${below}${place && html`<p class="meta">${place}</p>`}</li>`;
  const state = message.status === "failed" ? t("failed") : own && last ? t(message.status ?? "sent") : "";
  const meta = [own ? "" : name(message), place].filter(Boolean).join(" · ");
  return html`
    <${Day} scene=${scene} at=${newDay && message.at} />
    <li class=${`row ${own ? "out" : "in"} ${message.author.kind} ${starts ? "first" : ""} ${ends ? "end" : ""} ${below ? "wide" : ""}`}>
      <div class=${said ? "bubble" : "sr"}><span class="sr">${own ? t("you") : name(message)}: </span>${said}</div>
      ${below}
      ${ends && html`<p class="meta">${meta && `${meta} · `}<time dateTime=${new Date(message.at).toISOString()}>${clock(locale).format(message.at)}</time>${state && ` · ${state}`}</p>`}
    </li>
  `;
}

/** @param {{scene: Scene, at: number | false}} props */
function Day({ scene: { locale }, at }) {
  if (!at) return null;
  const ago = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 864e5);
  const text = ago < 2
    ? new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-ago, "day")
    : new Intl.DateTimeFormat(locale, { day: "numeric", month: "long" }).format(at);
  return html`<li class="day">${text}</li>`;
}

/** @param {{scene: Scene, item: Pending}} props */
function Waiting({ scene, item: { key, text, content, at, state, reason } }) {
  const { chat, t } = scene;
  const why = t(`failed_${reason}`);
  const { said, below } = body(scene, { id: key, seq: 0, author: { kind: "customer" }, text, content, at }, false);
  return html`
    <li class=${`row out first end ${state}`}>
      <div class="bubble"><span class="sr">${t("you")}: </span>${said}</div>
      ${below}
      <p class="meta">
        ${state !== "failed" ? t(state === "sending" && chat.link.value === "live" ? "sending" : "waiting") : html`
          ${why.startsWith("failed_") ? t("failed") : why} <button onClick=${() => chat.outbox.retry(key)}>${t("retry")}</button>`}
      </p>
    </li>
  `;
}

/** The last buttons that were offered, until one is used or something else is said. @param {{scene: Scene, messages: Message[]}} props */
function Replies({ scene: { t, say }, messages }) {
  const offer = messages.findLast(({ content }) => content?.type === "buttons" || content?.type === "survey")?.content;
  if (!offer?.buttons) return null;
  return html`
    <div class=${`replies ${offer.type}`} role="group" aria-label=${t(offer.type === "survey" ? "survey" : "replies")}>
      ${offer.buttons.map(({ id, title }) => html`<button key=${id} onClick=${() => say({ text: title, button: id })}>${title}</button>`)}
    </div>
  `;
}

/**
 * What stands in the bubble, and what below it.
 * @param {Scene} scene @param {Message} message @param {boolean} live whether its choices still count
 * @returns {{said: import("../shared/markdown.js").Children, below?: import("../shared/markdown.js").Children}}
 */
function body(scene, { author, content, text, redacted }, live) {
  const words = content?.text ?? text ?? "";
  if (redacted) return { said: html`<p><em>${scene.t("redacted")}</em></p>` };
  const said = words && (author.kind === "customer" ? html`<p>${words}</p>` : html`<${Fragment}>${markdown(words, scene.t("new_tab"))}<//>`);
  const part = content && !PLAIN.includes(content.type) && scene.later(rich);
  return part ? part.show(scene, content, said, live) : { said };
}

/** @type {Intl.DateTimeFormat?} */ let format = null;
const clock = (/** @type {string} */ locale) => (format ??= new Intl.DateTimeFormat(locale, { timeStyle: "short" }));

/** @param {Message} a @param {Message} b */
const together = (a, b) =>
  a.author.kind === b.author.kind && a.author.name === b.author.name && a.channel === b.channel && b.at - a.at < TOGETHER;
