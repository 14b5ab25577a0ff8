// What is being written. It keeps that to itself: a keystroke draws nothing but this.

import { Component, html } from "../shared/ui.js";
import { Icon } from "./icon.js";

/** @typedef {import("./panel.js").Scene} Scene */

const LONGEST = 4000;
const uploads = () => import("./later/uploads.js");

/** @extends {Component<{scene: Scene, hold: (own: Composer?) => void}, {text: string}>} */
export class Composer extends Component {
  /** @type {HTMLTextAreaElement?} */ #box = null;
  /** Files beside the text. @type {import("./later/uploads.js").Uploads?} */ #files = null;
  #hold = (/** @type {any} */ own) => (this.#files = own);
  #changed = () => this.setState({});
  state = { text: /** @type {string} */ (this.props.scene.keep.get("draft") ?? "") };

  /** @param {string} text */
  write(text) {
    this.setState({ text: text.slice(0, LONGEST) });
    this.props.scene.keep.set("draft", text);
  }

  focus() {
    this.#box?.focus();
  }

  #send = (/** @type {Event} */ event) => {
    event.preventDefault();
    const { scene } = this.props;
    const text = this.state.text.trim();
    if (this.#files?.state.files.length ? this.#files.send(text) : text && scene.say({ text })) this.write("");
    this.focus();
  };

  #key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.#send(event);
  };

  componentDidMount() {
    this.props.hold(this);
  }

  componentWillUnmount() {
    this.props.hold(null);
  }

  componentDidUpdate() {
    // Where the browser cannot grow the field by itself.
    if (!this.#box || CSS.supports("field-sizing", "content")) return;
    this.#box.style.height = "auto";
    this.#box.style.height = `${this.#box.scrollHeight}px`;
  }

  render() {
    const { scene } = this.props;
    const { chat, t, later } = scene;
    const { text } = this.state;
    const limits = chat.config.value.upload;
    const Uploads = limits && later(uploads)?.Uploads;
    return html`
      <form onSubmit=${this.#send}>
        ${Uploads && html`<${Uploads} hold=${this.#hold} scene=${scene} limits=${limits} changed=${this.#changed} />`}
        <label class="sr" for="text">${t("composer")}</label>
        <textarea id="text" ref=${(/** @type {HTMLTextAreaElement?} */ box) => (this.#box = box)} rows="1" maxlength=${LONGEST} enterkeyhint="send" autocomplete="off" placeholder=${t("composer")}
          disabled=${chat.link.value === "refused"} value=${text} onKeyDown=${this.#key}
          onInput=${(/** @type {Event} */ event) => this.write(/** @type {HTMLTextAreaElement} */ (event.target).value)}></textarea>
        <button class="send" aria-label=${t("send")} aria-disabled=${!(this.#files?.state.files.length ? this.#files.sendable : text.trim())}><${Icon} d="M5 12h13M12.5 6l6 6-6 6" /></button>
      </form>
    `;
  }
}
