// What stands where the composer will be, until the person has accepted the notice or filled the form in.

import { Component, dress, html, safe } from "../kit.js";
import css from "./gate.css";

/** @typedef {import("../panel.js").Scene} Scene */
/** @typedef {import("../types").Field} Field */

dress(css);

/** @extends {Component<{scene: Scene, what: string}, {wrong: Record<string, string>, busy: boolean, failed: boolean}>} */
export class Gate extends Component {
  state = { wrong: /** @type {Record<string, string>} */ ({}), busy: false, failed: false };

  componentDidUpdate(/** @type {unknown} */ _, /** @type {{wrong: object}} */ before) {
    if (before.wrong !== this.state.wrong) document.querySelector(".gate [aria-invalid=true]")?.scrollIntoView({ block: "nearest" });
  }

  componentWillUnmount() {
    // The composer takes this place.
    setTimeout(() => document.getElementById("text")?.focus());
  }

  #send = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const { chat, t } = this.props.scene;
    const form = /** @type {HTMLFormElement} */ (event.target);
    /** @type {Record<string, string>} */ const answers = {};
    /** @type {Record<string, string>} */ const wrong = {};
    for (const { key, type, required } of chat.config.value.form ?? []) {
      const value = String(new FormData(form).get(key) ?? "").trim();
      if (!value && required) wrong[key] = t("form_needed");
      else if (value && type === "email" && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value)) wrong[key] = t("form_email");
      else if (value && type === "tel" && value.replace(/\D/g, "").length < 8) wrong[key] = t("form_tel");
      if (value) answers[key] = value;
    }
    this.setState({ wrong, failed: false });
    const [first] = Object.keys(wrong);
    if (first) {
      document.getElementById(`form-${first}`)?.focus();
      return;
    }
    this.setState({ busy: true });
    await chat.pass(answers).catch(() => this.setState({ busy: false, failed: true }));
  };

  render() {
    const { scene: { chat, t }, what } = this.props;
    const { notice, form = [] } = chat.config.value;
    if (what === "notice") return html`
      <section class="gate" aria-label=${t("notice")}>
        <p>${notice?.text} ${notice?.url && safe(notice.url) && html`<a href=${notice.url} target="_blank" rel="noopener noreferrer">${t("privacy")}<span class="sr"> (${t("new_tab")})</span></a>`}</p>
        <button class="main" onClick=${() => chat.pass()}>${t("accept")}</button>
      </section>
    `;
    return html`
      <form class="gate" noValidate onSubmit=${this.#send} aria-label=${t("form")}>
        <p>${t("form_intro")}</p>
        ${form.map((field) => html`<${Line} key=${field.key} field=${field} wrong=${this.state.wrong[field.key]} t=${t} />`)}
        ${this.state.failed && html`<p class="wrong" role="alert">${t("form_failed")}</p>`}
        <button class="main" disabled=${this.state.busy}>${t("form_send")}</button>
      </form>
    `;
  }
}

const FILLED = /** @type {Record<string, string>} */ ({ name: "name", email: "email", phone: "tel" });

/** @param {{field: Field, wrong?: string, t: Scene["t"]}} props */
function Line({ field: { key, label, type, required, options }, wrong, t }) {
  const id = `form-${key}`;
  const common = { id, name: key, "aria-required": !!required, "aria-invalid": !!wrong, "aria-describedby": wrong ? `${id}-wrong` : undefined };
  return html`
    <div>
      <label for=${id}>${label}${!required && html` <small>(${t("form_optional")})</small>`}</label>
      ${type === "choice"
        ? html`<select ...${common}><option value=""></option>${options?.map((option) => html`<option>${option}</option>`)}</select>`
        : html`<input ...${common} type=${type} autocomplete=${FILLED[key] ?? FILLED[type] ?? "off"} maxlength="200" />`}
      ${wrong && html`<p id=${`${id}-wrong`} class="wrong">${wrong}</p>`}
    </div>
  `;
}
