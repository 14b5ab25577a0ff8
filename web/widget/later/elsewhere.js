// The conversation goes on elsewhere, or comes from there: over the log and the composer, in a dialog of the browser's own,
// which keeps the focus and gives it back.

import { CHANNELS, Component, Icon, Problem, dress, html, safe, translator } from "../kit.js";
import words from "../i18n/elsewhere.json" with { type: "json" };
import css from "./elsewhere.css";

/** @typedef {import("../panel.js").Scene} Scene */
/** @typedef {import("../panel.js").View} View */
/** @typedef {{id: string, channel: string, account: string, here: boolean, chosen: boolean, since: number}} Identity */
/** @typedef {{account: string, url: string, qr_svg: string, code: string, until: number}} Invitation */
/** @typedef {{scene: Scene, t: Scene["t"], done: () => void, go: (view: View) => void}} Within   what each page in it gets */

dress(css);

const LETTERS = 8;

/** @extends {Component<{scene: Scene, view: View, close: () => void}>} */
export class Sheet extends Component {
  /** @type {HTMLDialogElement?} */ #box = null;
  #newest = this.props.scene.chat.messages.peek().at(-1)?.id;
  #t = translator(words[this.props.scene.locale === "pt-BR" ? "pt-BR" : "en"]);

  componentDidMount() {
    this.#box?.showModal();
    this.#top();
  }

  /** @param {{view: View}} before */
  componentDidUpdate(before) {
    const { scene: { chat }, view, close } = this.props;
    if (before.view !== view) this.#top();
    const newest = chat.messages.peek().at(-1);
    if (!newest || newest.id === this.#newest) return;
    this.#newest = newest.id;
    // The code was used: what happened stands in the conversation.
    if (view.at === "invite" && (newest.author.kind === "system" || newest.channel !== "webchat")) close();
  }

  componentWillUnmount() {
    this.#box?.close();
    if (document.activeElement === document.body && !touched()) document.getElementById("text")?.focus();
  }

  #top() {
    this.#box?.querySelector("h2")?.focus();
  }

  render() {
    const { scene, view, close } = this.props;
    const t = this.#t;
    const go = (/** @type {View} */ next) => (scene.view.value = next);
    const within = { scene, t, done: close, go };
    const inner = view.at === "invite" || view.at === "typed";
    const title = { elsewhere: t("title"), typed: t("have_code"), resume: t("resume"), menu: "" };
    const escaped = (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape") return;
      // Else the chat itself would close.
      event.preventDefault();
      event.stopPropagation();
      close();
    };
    const cancelled = (/** @type {Event} */ event) => {
      event.preventDefault();
      close();
    };
    return html`
      <dialog class="over" aria-labelledby="over" ref=${(/** @type {HTMLDialogElement?} */ box) => (this.#box = box)} onKeyDown=${escaped} onCancel=${cancelled}>
        <div class="bar">
          ${inner && html`<button class="icon" aria-label=${t("back")} onClick=${() => go({ at: "elsewhere" })}><${Icon} d="M15 6l-6 6 6 6" /></button>`}
          <h2 id="over" tabindex="-1">${view.at === "invite" ? name(view.account, t) : title[view.at]}</h2>
          <button class="icon" aria-label=${t("leave")} onClick=${close}><${Icon} d="M6 6l12 12M18 6L6 18" /></button>
        </div>
        ${view.at === "elsewhere" && html`<${Start} ...${within} />`}
        ${view.at === "invite" && html`<${Invite} key=${view.account} ...${within} account=${view.account} />`}
        ${view.at === "typed" && html`<${Typed} ...${within} />`}
        ${view.at === "resume" && html`<${Resume} ...${within} link=${view.link} />`}
      </dialog>
    `;
  }
}

/** Where to go, where one is already, and where replies go. @extends {Component<Within, {all: Identity[], sure: string, wrong: string, news: string}>} */
class Start extends Component {
  state = { all: /** @type {Identity[]} */ ([]), sure: "", wrong: "", news: "" };

  componentDidMount() {
    this.#load();
  }

  #load = () => this.#call(async ({ api }) => {
    const { identities } = await (await api.call("/identities")).json();
    // This one first, whatever came first.
    this.setState({ all: identities.sort((/** @type {Identity} */ a, /** @type {Identity} */ b) => Number(b.here) - Number(a.here)) });
  });

  /** @param {(chat: Scene["chat"]) => Promise<void>} work @param {string} [news] */
  async #call(work, news = "") {
    const { scene: { chat }, t } = this.props;
    this.setState({ wrong: "", news: "" });
    try {
      await work(chat);
      this.setState({ news });
    } catch (problem) {
      this.setState({ wrong: why(problem, t) });
    }
  }

  #disconnect = async (/** @type {string} */ id) => {
    this.setState({ sure: "" });
    await this.#call(async ({ api }) => {
      await api.call("/identities/unlink", { method: "POST", body: { id } });
      this.setState(({ all }) => ({ all: all.filter((one) => one.id !== id) }));
    }, this.props.t("disconnected"));
    document.getElementById("over")?.focus();
  };

  #choose = (/** @type {string} */ id) => {
    const before = this.state.all;
    this.setState({ all: before.map((one) => ({ ...one, chosen: one.id === id })) });
    this.#call(async ({ api }) => {
      await api.call("/identities/choose", { method: "POST", body: { id } }).catch((problem) => {
        this.setState({ all: before });
        throw problem;
      });
    }, this.props.t("saved"));
  };

  #ask = (/** @type {string} */ sure, /** @type {string} */ id) =>
    this.setState({ sure }, () => document.getElementById(`${sure ? "keep" : "off"}-${id}`)?.focus());

  render() {
    const { scene: { chat, locale }, t, go } = this.props;
    const { all, sure, wrong, news } = this.state;
    const links = chat.config.value.links ?? [];
    const label = (/** @type {Identity} */ one) => (one.here ? t("here") : name(one.account, t));
    const since = (/** @type {number} */ at) => t("since", { date: new Intl.DateTimeFormat(locale, { day: "numeric", month: "long" }).format(at) });
    const several = all.length > 1;
    const choice = (/** @type {string} */ id, /** @type {string} */ text, /** @type {boolean} */ checked) => html`
      <label><input type="radio" name="replies" checked=${checked} onChange=${() => this.#choose(id)} /> ${text}</label>`;
    return html`
      <div class="page">
        <p>${t("intro")}</p>
        <ul class="ways">
          ${links.map(({ account }) => html`<li key=${account}><button onClick=${() => go({ at: "invite", account })}>${name(account, t)}<${Icon} d="M9 6l6 6-6 6" /></button></li>`)}
          <li><button onClick=${() => go({ at: "typed" })}>${t("have_code")}<${Icon} d="M9 6l6 6-6 6" /></button></li>
        </ul>
        ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
        ${several && html`
          <h3 id="connected">${t("connected")}</h3>
          <ul class="known" aria-labelledby="connected">
            ${all.map((one) => html`
              <li key=${one.id}>
                <span><b>${label(one)}</b><small>${since(one.since)}</small></span>
                ${sure === one.id ? html`
                  <p id=${`sure-${one.id}`}>${channel(one.account) === "webchat" ? t("sure_device") : t("sure", { channel: name(one.account, t) })}</p>
                  <button id=${`keep-${one.id}`} key="keep" onClick=${() => this.#ask("", one.id)}>${t("keep")}</button>
                  <button key="yes" class="danger" aria-describedby=${`sure-${one.id}`} onClick=${() => this.#disconnect(one.id)}>${t("disconnect")}</button>
                ` : !one.here && html`<button id=${`off-${one.id}`} key="off" onClick=${() => this.#ask(one.id, one.id)}>${t("disconnect")}<span class="sr"> ${label(one)}</span></button>`}
              </li>`)}
          </ul>
          <fieldset>
            <legend>${t("replies")}</legend>
            ${choice("", t("replies_last"), !all.some(({ chosen }) => chosen))}
            ${all.map((one) => choice(one.id, label(one), one.chosen))}
          </fieldset>
        `}
        <p class="news" role="status">${news}</p>
      </div>
    `;
  }
}

/** A code for one channel, while it is good. @extends {Component<Within & {account: string}, {made: Invitation?, wrong: string, news: string, copied: boolean, now: number}>} */
class Invite extends Component {
  state = { made: /** @type {Invitation?} */ (null), wrong: "", news: "", copied: false, now: Date.now() };
  /** @type {ReturnType<typeof setInterval> | undefined} */ #clock;

  componentDidMount() {
    this.#make();
    this.#clock = setInterval(() => this.setState({ now: Date.now() }), 1000);
  }

  componentWillUnmount() {
    clearInterval(this.#clock);
  }

  /** @param {unknown} _ @param {{made: Invitation?, now: number}} before */
  componentDidUpdate(_, before) {
    // Once, when it has just run out.
    if (!this.state.made || left(this.state) || !left(before)) return;
    this.setState({ news: this.props.t("expired") });
    // What had the focus may be gone.
    if (document.activeElement === document.body) document.getElementById("over")?.focus();
  }

  #make = async () => {
    const { scene: { chat }, t, account } = this.props;
    const again = !!this.state.made;
    this.setState({ wrong: "", news: "", copied: false });
    try {
      const answer = await chat.api.call("/links", { method: "POST", body: { channel: account } });
      const { expires_at: end, ...made } = await answer.json();
      // By the server's clock: the one here may be wrong.
      const now = Date.now();
      const ahead = now - (Date.parse(answer.headers.get("date") ?? "") || now);
      this.setState({ made: { ...made, until: end + ahead }, now, news: again ? t("renewed") : "" });
    } catch (problem) {
      this.setState({ wrong: why(problem, t) });
    }
  };

  #copy = async () => {
    const { made } = this.state;
    try {
      await navigator.clipboard.writeText(made?.code ?? "");
      this.setState({ copied: true, news: this.props.t("copied") });
    } catch {
      // Refused: then it is marked, for the person to copy.
      const code = document.querySelector(".code [aria-hidden]");
      if (code) getSelection()?.selectAllChildren(code);
    }
  };

  render() {
    const { scene, t, account } = this.props;
    const { made, wrong, news, copied } = this.state;
    const seconds = left(this.state);
    const place = { channel: name(account, t) };
    const device = channel(account) === "webchat";
    const url = made && !device && safe(made.url);
    const picture = made && html`
      <img class="qr" key="qr" width="184" height="184" alt=${t("qr", place)} src=${`data:image/svg+xml,${encodeURIComponent(made.qr_svg)}`} />
      <p key="scan" class="quiet">${t("scan")}</p>`;
    const fresh = (/** @type {string} */ kind) => html`<button key="fresh" class=${kind} onClick=${this.#make}>${t("fresh")}</button>`;
    const on_phone = touched();
    return html`
      <div class="page invite">
        ${wrong && html`<p class="wrong" role="alert">${wrong}</p><button class="main" onClick=${this.#make}>${scene.t("retry")}</button>`}
        ${!made && !wrong && html`<p class="quiet">${t("making")}</p>`}
        ${made && !seconds && !wrong && html`<p>${t("expired")}</p>${fresh("main")}`}
        ${made && !!seconds && !wrong && html`
          ${!on_phone && picture}
          ${url && html`<a class=${on_phone ? "main" : "second"} href=${url.href} target="_blank" rel="noopener noreferrer">${t("open", place)}<span class="sr"> (${scene.t("new_tab")})</span></a>`}
          <p class="quiet">${device ? t("by_hand_device") : url ? t("by_hand", place) : t("by_hand_only", place)}</p>
          <p class="code"><span aria-hidden="true">${made.code}</span><span class="sr">${[...made.code].join(" ")}</span></p>
          <button class="second" onClick=${this.#copy}>${copied ? t("copied") : t("copy")}</button>
          <p class="left"><span role="timer">${t("lasts", { time: clock(seconds) })}</span>${fresh("plain")}</p>
          <p class="warning">${t("warning")}</p>
          ${on_phone && picture}
        `}
        <p class="sr" role="status">${news}</p>
      </div>
    `;
  }
}

/** A code that was made elsewhere. @extends {Component<Within, {wrong: string, busy: boolean}>} */
class Typed extends Component {
  state = { wrong: "", busy: false };

  #send = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const { scene, t, done } = this.props;
    const code = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("code") ?? "");
    if (code.replace(/[^a-z0-9]/gi, "").length !== LETTERS) {
      this.setState({ wrong: t("code_wrong") }, () => document.getElementById("code")?.focus());
      return;
    }
    this.setState({ wrong: "", busy: true });
    try {
      await redeem(scene, { code }, crypto.randomUUID());
      done();
    } catch (problem) {
      this.setState({ wrong: why(problem, t), busy: false }, () => document.getElementById("code")?.focus());
    }
  };

  render() {
    const { t } = this.props;
    const { wrong, busy } = this.state;
    return html`
      <form class="page" noValidate onSubmit=${this.#send}>
        <p>${t("code_intro")}</p>
        <label for="code">${t("code_label")}</label>
        <input id="code" name="code" maxlength="20" autocomplete="off" autocapitalize="characters" spellcheck=${false} aria-required="true" aria-invalid=${!!wrong} aria-describedby=${wrong ? "code-wrong" : undefined} />
        ${wrong && html`<p id="code-wrong" class="wrong" role="alert">${wrong}</p>`}
        <button class="main" disabled=${busy}>${t("continue_here")}</button>
      </form>
    `;
  }
}

/** A magic link was opened: nothing happens before somebody says yes. @extends {Component<Within & {link: string}, {wrong: string, busy: boolean}>} */
class Resume extends Component {
  state = { wrong: "", busy: false };
  #key = crypto.randomUUID();

  #yes = async () => {
    const { scene, t, done, link } = this.props;
    this.setState({ wrong: "", busy: true });
    try {
      await redeem(scene, { token: link }, this.#key);
      done();
    } catch (problem) {
      this.setState({ wrong: problem instanceof Problem && problem.status === 422 ? t("gone") : why(problem, t), busy: false });
    }
  };

  render() {
    const { t, done } = this.props;
    const { wrong, busy } = this.state;
    return html`
      <div class="page">
        <p>${t("resume_text")}</p>
        ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
        <button class="main" disabled=${busy} onClick=${this.#yes}>${t("continue_here")}</button>
        <button class="second" onClick=${done}>${t("resume_no")}</button>
      </div>
    `;
  }
}

/** A message like any other: the same key has one effect. @param {Scene} scene @param {object} body @param {string} key */
const redeem = (scene, body, key) =>
  scene.chat.api.call("/links/redeem", { method: "POST", headers: { "idempotency-key": key }, body });

/** @param {unknown} problem @param {Scene["t"]} t */
function why(problem, t) {
  const status = problem instanceof Problem ? problem.status : 0;
  const sentences = /** @type {Record<number, string>} */ ({ 400: t("gone"), 404: t("gone"), 422: t("code_wrong"), 429: t("often") });
  return sentences[status] ?? t("failed");
}

const channel = (/** @type {string} */ account) => account.split(":")[0];

/** @param {string} account @param {Scene["t"]} t */
const name = (account, t) => CHANNELS[channel(account)] ?? (channel(account) === "webchat" ? t("device") : channel(account));

/** How many seconds a code is still good. @param {{made: Invitation?, now: number}} state */
const left = ({ made, now }) => (made ? Math.max(0, Math.floor((made.until - now) / 1000)) : 0);

const clock = (/** @type {number} */ seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

/** Whether fingers are what this is used with: then another device is rarely at hand, and a keyboard hides half of it. */
const touched = () => matchMedia("(pointer: coarse)").matches;
