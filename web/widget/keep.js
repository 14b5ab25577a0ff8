// What the widget keeps across reloads. Browsers may refuse storage to a frame: then the handle goes to the page's
// storage through the port (the page could read the conversation's handle, never its texts), and the rest to memory.

const HANDLE = "handle";

export class Keep {
  /** @type {Storage | undefined} */ #local;
  /** @type {Storage | undefined} */ #tab;
  /** @type {string | undefined} */ #handle;
  #prefix;
  #toPage;

  /** @param {string} site @param {string | undefined} handle what the page kept @param {(value: object | null) => void} toPage */
  constructor(site, handle, toPage) {
    this.#prefix = `segue:${site}:`;
    this.#toPage = toPage;
    this.#handle = handle;
    try {
      this.#local = localStorage;
      this.#tab = sessionStorage;
    } catch {
      // Refused: see above.
    }
  }

  /** Read anew each time: another tab may have renewed it. */
  get handle() {
    return this.#local?.getItem(this.#prefix + HANDLE) ?? this.#handle;
  }

  set handle(value) {
    this.#handle = value;
    if (this.#local) write(this.#local, this.#prefix + HANDLE, value);
    // The page always learns that there is a conversation, so that its next visit shows the unread badge.
    this.#toPage(value ? (this.#local ? {} : { handle: value }) : null);
  }

  /** @param {string} name @returns {any} */
  get(name) {
    try {
      return JSON.parse(this.#tab?.getItem(this.#prefix + name) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {string} name @param {unknown} value */
  set(name, value) {
    if (this.#tab) write(this.#tab, this.#prefix + name, value && JSON.stringify(value));
  }
}

/** @param {Storage} storage @param {string} key @param {any} value */
function write(storage, key, value) {
  try {
    if (value) storage.setItem(key, value);
    else storage.removeItem(key);
  } catch {
    // Full, or switched off meanwhile: memory has it.
  }
}
