// Contents beyond text and buttons: pictures, files, places, lists, cards. Fetched with the first of them.

import { CHANNELS, Component, Icon, dress, html, markdown, safe } from "../kit.js";
import css from "./rich.css";

/** @typedef {import("../types").Content} Content */
/** @typedef {import("../types").Card} CardContent */
/** @typedef {import("../types").Choice} Choice */
/** @typedef {import("../panel.js").Scene} Scene */
/** @typedef {import("../../shared/markdown.js").Children} Children */

dress(css);

const DOWN = "M12 4v11M7 11l5 5 5-5M5 20h14";
const SOUND = "M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM19 16a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z";
const PLAY = "M8 5.5v13l10-6.5z";
const PIN = "M12 21s-6.5-6-6.5-11a6.5 6.5 0 0 1 13 0c0 5-6.5 11-6.5 11zM12 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4z";

/**
 * @param {Scene} scene @param {Content} content @param {Children} said its words as elements
 * @param {boolean} live whether its choices still count
 * @returns {{said: Children, below?: Children}}
 */
export function show(scene, content, said, live) {
  const { t } = scene;
  const thing = (/** @type {string} */ icon, /** @type {string} */ word, /** @type {string} */ url) =>
    html`<${Thing} icon=${icon} word=${word} url=${url} t=${t} />`;
  const url = content.url ?? "";
  switch (content.type) {
    case "image":
      return { said: html`<${Picture} src=${url} alt=${content.alt ?? ""} t=${t} />${said}` };
    case "file":
      return { said: html`${thing(DOWN, content.name || t("file"), url)}${said}` };
    case "audio":
      return { said: html`${thing(SOUND, content.name || t("audio"), url)}${said}` };
    case "video":
      return { said: html`${thing(PLAY, content.name || t("video"), url)}${said}` };
    case "location": {
      const { latitude = NaN, longitude = NaN, name } = content;
      const place = `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
      const map = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}`;
      return { said: html`${thing(PIN, name || place, map)}${said}` };
    }
    case "placeholder":
      return { said: html`<p><em>${t("unseen")}</em></p>${said}` };
    case "list":
      return { said, below: html`<${List} scene=${scene} rows=${content.rows ?? []} live=${live} />` };
    case "carousel":
      return { said, below: html`<${Carousel} scene=${scene} cards=${content.cards ?? []} live=${live} />` };
    case "continue":
      return { said, below: html`<${Onward} scene=${scene} accounts=${content.accounts ?? []} />` };
    default:
      return { said };
  }
}

/** Our own address, or one that may be followed. @param {string} url */
const address = (url) => {
  const own = url.startsWith("/") && URL.canParse(url, location.href) ? new URL(url, location.href) : safe(url);
  return own && { href: own.href, ours: own.origin === location.origin };
};

/** @param {{icon: string, word: string, url: string, t: Scene["t"]}} props */
function Thing({ icon, word, url, t }) {
  const target = address(url);
  if (!target) return html`<p class="thing"><${Icon} d=${icon} /><span>${word}</span></p>`;
  return html`
    <a class="thing" href=${target.href} target="_blank" rel="noopener noreferrer nofollow ugc">
      <${Icon} d=${icon} /><span>${word}${!target.ours && html`<small class="host">${new URL(target.href).host}</small>`}</span><span class="sr"> (${t("new_tab")})</span>
    </a>
  `;
}

/** A picture of ours; where it cannot be shown, its words and the way to it. @extends {Component<{src: string, alt: string, t: Scene["t"]}, {broken: boolean}>} */
class Picture extends Component {
  state = { broken: false };

  render() {
    const { src, alt, t } = this.props;
    const target = address(src);
    const word = alt || t("image");
    if (!target || !target.ours || this.state.broken) return markdownLink(word, target?.ours ? "" : target?.href ?? "", t);
    return html`<img src=${target.href} alt=${word} loading="lazy" onError=${() => this.setState({ broken: true })} />`;
  }
}

/** @param {string} word @param {string} href @param {Scene["t"]} t */
const markdownLink = (word, href, t) =>
  href ? html`<${Thing} icon="M4 5h16v14H4zM4 15l4.5-4 4 3.5 3-2.5 4.5 4M9 9h.01" word=${word} url=${href} t=${t} />` : html`<p class="gone">${word}</p>`;

/** @param {{scene: Scene, rows: NonNullable<Content["rows"]>, live: boolean}} props */
function List({ scene: { say, t }, rows, live }) {
  const line = (/** @type {NonNullable<Content["rows"]>[number]} */ row) =>
    html`<b>${row.title}</b>${row.description && html`<span>${row.description}</span>`}`;
  return html`
    <ul class="list" aria-label=${t("replies")}>
      ${rows.map((row) => html`<li key=${row.id}>${live ? html`<button onClick=${() => say({ text: row.title, button: row.id })}>${line(row)}</button>` : html`<div>${line(row)}</div>`}</li>`)}
    </ul>
  `;
}

/** The offer to go on elsewhere. A code is made when one of them is chosen. @param {{scene: Scene, accounts: string[]}} props */
function Onward({ scene: { t, view }, accounts }) {
  return html`
    <div class="onward">
      ${accounts.map((account) => {
        const channel = CHANNELS[account.split(":")[0]];
        return html`<button key=${account} onClick=${() => (view.value = { at: "invite", account })}>${channel ? t("continue_on", { channel }) : t("elsewhere")}</button>`;
      })}
    </div>
  `;
}

/** @extends {Component<{scene: Scene, cards: CardContent[], live: boolean}>} */
class Carousel extends Component {
  /** @type {HTMLElement?} */ #track = null;

  #move = (/** @type {number} */ way) => {
    const { dir } = document.documentElement;
    this.#track?.scrollBy({ left: way * 236 * (dir === "rtl" ? -1 : 1), behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  };

  render() {
    const { scene, cards, live } = this.props;
    const { t } = scene;
    return html`
      <div class="carousel">
        <ul tabindex="0" aria-label=${t("cards", { n: String(cards.length) })} ref=${(/** @type {HTMLElement?} */ track) => (this.#track = track)}>
          ${cards.map((card) => html`<li><${Card} scene=${scene} card=${card} live=${live} /></li>`)}
        </ul>
        ${cards.length > 1 && html`<p>
          <button class="icon" aria-label=${t("previous")} onClick=${() => this.#move(-1)}><${Icon} d="M15 6l-6 6 6 6" /></button>
          <button class="icon" aria-label=${t("next")} onClick=${() => this.#move(1)}><${Icon} d="M9 6l6 6-6 6" /></button>
        </p>`}
      </div>
    `;
  }
}

/** @param {{scene: Scene, card: CardContent, live: boolean}} props */
function Card({ scene: { say, t }, card, live }) {
  const target = card.url ? address(card.url) : null;
  const picture = card.image ? address(card.image) : null;
  return html`
    ${picture?.ours && html`<${Picture} src=${card.image} alt=${card.title} t=${t} />`}
    <b>${card.title}</b>
    ${card.text && html`<div>${markdown(card.text, t("new_tab"))}</div>`}
    ${target && html`<a href=${target.href} target="_blank" rel="noopener noreferrer nofollow ugc">${t("details")}${!target.ours && html` <small class="host">${new URL(target.href).host}</small>`}<span class="sr">: ${card.title} (${t("new_tab")})</span></a>`}
    ${live && card.buttons?.map(({ id, title }) => html`<button key=${id} onClick=${() => say({ text: title, button: id })}>${title}<span class="sr">: ${card.title}</span></button>`)}
  `;
}
