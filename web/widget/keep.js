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

  /** Whether all tabs of this browser share what stays. */
  get shared() {
    return !!this.#local;
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

  /** Another tab's page renewed the handle that pages keep for us. @param {string} [handle] */
  learn(handle) {
    this.#handle = handle;
  }

  /** As long as the tab lives. @param {string} name @returns {any} */
  get(name) {
    return read(this.#tab, this.#prefix + name);
  }

  /** @param {string} name @param {unknown} value */
  set(name, value) {
    if (this.#tab) write(this.#tab, this.#prefix + name, value && JSON.stringify(value));
  }

  /** Until sign-out. @param {string} name @returns {any} */
  getLasting(name) {
    return read(this.#local, this.#prefix + name);
  }

  /** @param {string} name @param {unknown} value */
  setLasting(name, value) {
    if (this.#local) write(this.#local, this.#prefix + name, value && JSON.stringify(value));
  }

  /** Leave nothing behind. */
  wipe() {
    this.handle = undefined;
    for (const storage of [this.#local, this.#tab])
      for (const key of Object.keys(storage ?? {})) if (key.startsWith(this.#prefix)) storage?.removeItem(key);
  }
}

/** @param {Storage | undefined} storage @param {string} key */
function read(storage, key) {
  try {
    return JSON.parse(storage?.getItem(key) ?? "null");
  } catch {
    return null;
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
