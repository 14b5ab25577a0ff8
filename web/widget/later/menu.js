// The menu of the header: take the conversation along, or leave it.

import { Component, dress, html } from "../kit.js";
import css from "./menu.css";

/** @typedef {import("../panel.js").Scene} Scene */

dress(css);

/** A group of plain buttons that opens below its button; Escape closes it. @extends {Component<{scene: Scene, close: () => void}, {sure: boolean}>} */
export class Menu extends Component {
  state = { sure: false };
  /** @type {HTMLElement?} */ #box = null;
  #leave = new AbortController();

  #close = () => {
    this.props.close();
    document.getElementById("more")?.focus();
  };

  componentDidMount() {
    const { signal } = this.#leave;
    this.#first();
    this.#box?.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      this.#close();
    }, { signal });
    addEventListener("pointerdown", ({ target }) => {
      if (target instanceof Element && !target.closest(".menu, #more")) this.props.close();
    }, { signal });
    this.#box?.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget instanceof Element && !relatedTarget.closest(".menu, #more")) this.props.close();
    }, { signal });
  }

  componentWillUnmount() {
    this.#leave.abort();
  }

  #first() {
    this.#box?.querySelector("button")?.focus();
  }

  #download = async (/** @type {"text" | "html"} */ format) => {
    const { scene: { chat, t, tell } } = this.props;
    this.#close();
    try {
      const answer = await chat.api.call("/transcript", { method: "POST", body: { format } });
      const named = /filename="?([^";]+)/.exec(answer.headers.get("content-disposition") ?? "")?.[1];
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await answer.blob());
      link.download = named ?? `${t("transcript_name")}.${format === "html" ? "html" : "txt"}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    } catch {
      tell(t("transcript_failed"));
    }
  };

  #signout = async () => {
    const { scene: { chat, t, tell } } = this.props;
    this.#close();
    await chat.signout();
    tell(t("signed_out"));
  };

  render() {
    const { scene: { chat, t, view } } = this.props;
    const elsewhere = () => {
      this.#close();
      view.value = { at: "elsewhere" };
    };
    const sure = (/** @type {boolean} */ value) => this.setState({ sure: value }, () => this.#first());
    return html`
      <div class="menu" role="group" aria-label=${t("menu")} ref=${(/** @type {HTMLElement?} */ box) => (this.#box = box)}>
        ${this.state.sure ? html`
          <p id="sure">${t("signout_sure")}</p>
          <button key="no" onClick=${() => sure(false)}>${t("signout_no")}</button>
          <button key="yes" class="danger" aria-describedby="sure" onClick=${this.#signout}>${t("signout")}</button>
        ` : html`
          ${!!chat.config.value.links?.length && html`<button key="on" onClick=${elsewhere}>${t("elsewhere")}</button>`}
          <button key="text" onClick=${() => this.#download("text")}>${t("transcript")}</button>
          <button key="html" onClick=${() => this.#download("html")}>${t("transcript_html")}</button>
          <button key="out" class="danger" onClick=${() => sure(true)}>${t("signout")}</button>
        `}
      </div>
    `;
  }
}
