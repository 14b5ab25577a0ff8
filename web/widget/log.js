// The messages: grouped by author and time, the last of a group carries the meta line.

import { Component, Fragment, html } from "../shared/ui.js";
import { markdown, safe } from "../shared/markdown.js";

/** @typedef {import("./types").Message} Message */
/** @typedef {import("./types").Pending} Pending */
/** @typedef {import("./panel.js").Scene} Scene */

const TOGETHER = 120000;
const NEAR = 80;
const CHANNELS = /** @type {Record<string, string>} */ ({ telegram: "Telegram", whatsapp: "WhatsApp", slack: "Slack" });

/** @extends {Component<{scene: Scene}, {behind: boolean}>} */
export class Log extends Component {
  state = { behind: false };
  /** @type {HTMLElement} */ #box = document.body;
  #follows = true;
  #height = 0;
  #first = "";

  #toEnd = () => {
    this.#box.scrollTop = this.#box.scrollHeight;
  };

  #scrolled = () => {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    this.#follows = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#follows && this.state.behind) this.setState({ behind: false });
  };

  componentDidMount() {
    new ResizeObserver(() => this.#follows && this.#toEnd()).observe(this.#box);
    this.componentDidUpdate();
  }

  componentDidUpdate() {
    const { chat } = this.props.scene;
    const box = this.#box;
    const first = chat.messages.peek()[0]?.id;
    const grown = box.scrollHeight - this.#height;
    if (chat.outbox.items.peek().some(({ state }) => state === "sending")) this.#follows = true;
    if (this.#follows) this.#toEnd();
    // Older messages were put above: what the person reads must stay where it is.
    else if (first !== this.#first) box.scrollTop += grown;
    else if (grown > 0 && !this.state.behind) this.setState({ behind: true });
    this.#first = first;
    this.#height = box.scrollHeight;
  }

  render() {
    const { scene } = this.props;
    const { chat, t } = scene;
    const messages = chat.messages.value;
    const pending = chat.outbox.items.value;
    const more = chat.more.value;
    const typing = chat.typing.value;
    return html`
      <div class="log" ref=${(/** @type {HTMLElement?} */ box) => box && (this.#box = box)} role="region" aria-label=${t("log")} tabindex="0" onScroll=${this.#scrolled}>
        ${more ? html`<button class="earlier" onClick=${() => chat.earlier()}>${t("earlier")}</button>` : html`<${Opening} scene=${scene} />`}
        <ol>
          ${messages.map((message, i) => html`<${Row} key=${message.id} scene=${scene} message=${message} before=${messages[i - 1]} after=${messages[i + 1]} last=${i === messages.length - 1 && !pending.length} />`)}
          ${pending.map((item) => html`<${Waiting} key=${item.key} scene=${scene} item=${item} />`)}
        </ol>
        <${Replies} scene=${scene} />
        ${typing && html`<div class="dots" aria-hidden="true"><i></i><i></i><i></i></div>`}
      </div>
      ${this.state.behind && html`<button class="newer" onClick=${this.#toEnd}>↓<span class="sr">${t("newer")}</span></button>`}
    `;
  }
}

/** What stands above the first message. @param {{scene: Scene}} props */
function Opening({ scene: { chat, t, name } }) {
  const { greeting, privacy_url: privacy } = chat.config.value;
  if (!greeting) return null;
  return html`
    <div class="row in first end">
      <div class="bubble"><span class="sr">${name()}: </span>${markdown(greeting.text, t("new_tab"))}</div>
    </div>
    <p class="about">
      ${t("automatic")} ${privacy && safe(privacy) && html`<a href=${privacy} target="_blank" rel="noopener noreferrer">${t("privacy")}<span class="sr"> (${t("new_tab")})</span></a>`}
    </p>
  `;
}

/** @param {{scene: Scene, message: Message, before?: Message, after?: Message, last: boolean}} props */
function Row({ scene, message, before, after, last }) {
  const { t, locale, name } = scene;
  const own = message.author.kind === "customer";
  const day = (/** @type {Message} */ m) => new Date(m.at).toDateString();
  const newDay = !before || day(before) !== day(message);
  const starts = newDay || !together(before, message);
  const ends = !after || !together(message, after) || day(after) !== day(message);
  if (message.author.kind === "system") return html`<${Day} scene=${scene} at=${newDay && message.at} /><li class="system">${body(scene, message)}</li>`;
  const time = new Intl.DateTimeFormat(locale, { timeStyle: "short" }).format(message.at);
  const state = message.status === "failed" ? t("failed") : own && last ? t(message.status ?? "sent") : "";
  const meta = [own ? "" : name(message), CHANNELS[message.channel ?? ""]].filter(Boolean).join(" · ");
  return html`
    <${Day} scene=${scene} at=${newDay && message.at} />
    <li class=${`row ${own ? "out" : "in"} ${message.author.kind} ${starts ? "first" : ""} ${ends ? "end" : ""}`}>
      <div class="bubble"><span class="sr">${own ? t("you") : name(message)}: </span>${body(scene, message)}</div>
      ${ends && html`<p class="meta">${meta && `${meta} · `}<time dateTime=${new Date(message.at).toISOString()}>${time}</time>${state && ` · ${state}`}</p>`}
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
function Waiting({ scene: { chat, t }, item: { key, text, state, reason } }) {
  const why = t(`failed_${reason}`);
  return html`
    <li class=${`row out first end ${state}`}>
      <div class="bubble"><span class="sr">${t("you")}: </span><p>${text}</p></div>
      <p class="meta">
        ${state !== "failed" ? t(state === "sending" && chat.link.value === "live" ? "sending" : "waiting") : html`
          ${why.startsWith("failed_") ? t("failed") : why} <button onClick=${() => chat.outbox.retry(key)}>${t("retry")}</button>`}
      </p>
    </li>
  `;
}

/** The buttons of the last message, until one is used or something else is said. @param {{scene: Scene}} props */
function Replies({ scene: { chat, t, say } }) {
  const last = chat.messages.value.at(-1);
  const buttons = last?.author.kind !== "customer" && !chat.outbox.items.value.length && last?.content?.buttons;
  if (!buttons) return null;
  return html`
    <div class="replies" role="group" aria-label=${t("replies")}>
      ${buttons.map(({ id, title }) => html`<button key=${id} onClick=${() => say(title, id)}>${title}</button>`)}
    </div>
  `;
}

/** @param {Scene} scene @param {Message} message */
function body({ t }, { author, content, text, redacted }) {
  const said = content?.text ?? text ?? "";
  if (redacted) return html`<p><em>${t("redacted")}</em></p>`;
  if (author.kind === "customer") return html`<p>${said}</p>`;
  const image = content?.type === "image" && content.url ? URL.canParse(content.url, location.href) && new URL(content.url, location.href) : null;
  return html`<${Fragment}>
    ${image && image.origin === location.origin && html`<img src=${image.href} alt=${content?.alt ?? ""} loading="lazy" />`}
    ${image && image.origin !== location.origin && markdown(`[${content?.alt || t("image")}](${image.href})`, t("new_tab"))}
    ${said && markdown(said, t("new_tab"))}
  <//>`;
}

/** @param {Message} a @param {Message} b */
const together = (a, b) =>
  a.author.kind === b.author.kind && a.author.name === b.author.name && a.channel === b.channel && b.at - a.at < TOGETHER;
