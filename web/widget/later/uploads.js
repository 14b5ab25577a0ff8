// Files beside what is being written: chosen, pasted or dropped, sent up at once with their progress shown, and sent as
// messages with the text. Fetched where the shop takes files.

import { Component, Icon, Problem, dress, html } from "../kit.js";
import css from "./uploads.css";

/** @typedef {import("../panel.js").Scene} Scene */
/** @typedef {{key: number, file: File, part: number, wrong?: string, retry?: boolean, done?: {id: string, content: import("../types").Content}, stop?: () => void}} Upload */

dress(css);

/** @extends {Component<{scene: Scene, limits: import("../types").UploadLimits, hold: (own: Uploads?) => void, changed: () => void}, {files: Upload[], over: boolean}>} */
export class Uploads extends Component {
  state = { files: /** @type {Upload[]} */ ([]), over: false };
  #next = 0;
  /** @type {HTMLInputElement?} */ #input = null;
  #leave = new AbortController();

  /** Whether what is here can be sent now. */
  get sendable() {
    const { files } = this.state;
    return files.length > 0 && files.every(({ done }) => done);
  }

  /** Send the files, the text with the first of them. False while one is still on its way. @param {string} text */
  send(text) {
    const { scene } = this.props;
    if (!this.sendable) {
      scene.tell(scene.t(this.state.files.some(({ wrong }) => wrong) ? "upload_wrong" : "uploading"));
      return false;
    }
    this.state.files.forEach(({ done }, i) => {
      const content = done?.content && { ...done.content, text: i ? undefined : text };
      scene.say({ text: i ? "" : text, upload: done?.id, content });
    });
    this.#set([]);
    return true;
  }

  componentDidMount() {
    const { signal } = this.#leave;
    this.props.hold(this);
    addEventListener("paste", ({ clipboardData }) => this.#add(clipboardData?.files), { signal });
    for (const name of /** @type {const} */ (["dragover", "drop", "dragleave"]))
      addEventListener(name, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        this.setState({ over: name === "dragover" });
        if (name === "drop") this.#add(event.dataTransfer.files);
      }, { signal });
  }

  componentWillUnmount() {
    this.props.hold(null);
    this.#leave.abort();
    this.state.files.forEach(({ stop }) => stop?.());
  }

  /** @param {FileList | null} [list] */
  #add(list) {
    const { limits, scene: { t, tell } } = this.props;
    const room = limits.most_files - this.state.files.length;
    const files = [...(list ?? [])];
    if (files.length > room) tell(t("upload_many", { n: String(limits.most_files) }));
    const added = files.slice(0, Math.max(0, room)).map((file) => {
      const big = file.size > limits.most_bytes;
      const known = !limits.types.length || limits.types.includes(file.type.split(";")[0]);
      const size = `${Math.round(limits.most_bytes / 2 ** 20)} MB`;
      const wrong = big ? t("upload_big", { size }) : known ? undefined : t("upload_type");
      return /** @type {Upload} */ ({ key: this.#next++, file, part: 0, wrong });
    });
    this.#set([...this.state.files, ...added]);
    for (const upload of added) if (!upload.wrong) this.#go(upload);
  }

  /** @param {Upload} upload */
  async #go({ key, file }) {
    const { scene: { chat, t } } = this.props;
    this.#change(key, { wrong: undefined, part: 0 });
    const once = (/** @type {string} */ authorization) =>
      new Promise((resolve, reject) => {
        const call = new XMLHttpRequest(); // fetch does not tell how far an upload is
        call.open("POST", chat.api.url("/uploads"));
        call.setRequestHeader("authorization", authorization);
        call.responseType = "json";
        call.upload.onprogress = ({ loaded, total }) => this.#change(key, { part: loaded / total });
        call.onload = () =>
          call.status === 201 && call.response ? resolve(call.response) : reject(new Problem(call.status));
        call.onerror = () => reject(new Problem(0));
        const form = new FormData();
        form.append("file", file, file.name);
        this.#change(key, { stop: () => call.abort() });
        call.send(form);
      });
    try {
      this.#change(key, { done: /** @type {any} */ (await chat.api.authorized(once)), part: 1 });
    } catch (problem) {
      const status = problem instanceof Problem ? problem.status : 0;
      const sentence = { 413: "upload_refused_size", 415: "upload_type", 422: "upload_type", 429: "upload_often" }[status];
      this.#change(key, { wrong: t(sentence ?? "upload_failed"), retry: !sentence || status === 429 });
    }
  }

  /** @param {Upload} upload */
  #remove({ key, stop }) {
    stop?.();
    this.#set(this.state.files.filter((other) => other.key !== key));
    document.getElementById("text")?.focus();
  }

  /** @param {number} key @param {Partial<Upload>} change */
  #change(key, change) {
    this.#set(this.state.files.map((file) => (file.key === key ? { ...file, ...change } : file)));
  }

  /** @param {Upload[]} files */
  #set(files) {
    // The composer asks right away whether there is something to send.
    this.state.files = files;
    this.setState({ files }, this.props.changed);
  }

  render() {
    const { scene: { t }, limits } = this.props;
    const { files, over } = this.state;
    const pick = () => {
      if (this.#input) this.#input.value = "";
      this.#input?.click();
    };
    return html`
      ${over && html`<p class="drop">${t("upload_drop")}</p>`}
      <ul class="files" aria-label=${t("files")}>
        ${files.map((upload) => html`
          <li key=${upload.key} class=${upload.wrong ? "wrong" : ""}>
            <span><b>${upload.file.name}</b><small role=${upload.wrong ? "alert" : undefined}>${upload.wrong ?? (upload.done ? t("upload_done") : t("upload_part", { n: String(Math.round(upload.part * 100)) }))}</small></span>
            ${!upload.wrong && !upload.done && html`<progress max="1" value=${upload.part} aria-label=${upload.file.name}></progress>`}
            ${upload.retry && html`<button type="button" class="again" onClick=${() => this.#go(upload)}>${t("retry")}</button>`}
            <button type="button" class="icon" aria-label=${t("upload_remove", { name: upload.file.name })} onClick=${() => this.#remove(upload)}><${Icon} d="M6 6l12 12M18 6L6 18" /></button>
          </li>`)}
      </ul>
      <input type="file" hidden multiple accept=${limits.types.join(",")} tabindex="-1" ref=${(/** @type {HTMLInputElement?} */ input) => (this.#input = input)} onChange=${() => this.#add(this.#input?.files)} />
      <button type="button" class="icon clip" aria-label=${t("attach")} onClick=${pick}><${Icon} d="M20 11.5l-8 8a5 5 0 0 1-7-7l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7L9.5 17.3a1.7 1.7 0 0 1-2.4-2.4l7.400-7.400" /></button>
    `;
  }
}
