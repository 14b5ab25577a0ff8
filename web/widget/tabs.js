// The tabs of one browser that show the same site's chat: one of them reads the stream and tells the others, and a
// session that one opened serves all (each new one makes those before it void). Where the browser refuses locks or
// channels to a frame, each tab is on its own.

const ANSWER_WITHIN = 500;

export class Tabs {
  /** @type {BroadcastChannel | undefined} */ #channel;
  /** @type {LockManager | undefined} */ #locks;
  #name;
  /** What another tab told. @type {(message: any) => void} */ heard = () => {};
  /** @type {((session: any) => void) | undefined} */ #answered;

  /** @param {string} site @param {boolean} shared whether the tabs share their storage */
  constructor(site, shared) {
    this.#name = `segue:${site}`;
    if (!shared || !navigator.locks) return;
    this.#locks = navigator.locks;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => {
      if (data.session) this.#answered?.(data.session);
      this.heard(data);
    };
    // Held as long as the tab lives, so that another can tell whether it is the only one.
    this.#locks.request(`${this.#name}:tab`, { mode: "shared" }, () => new Promise(() => {})).catch(() => {});
  }

  /** @param {object} message */
  tell(message) {
    this.#channel?.postMessage(message);
  }

  /** The session that another tab has, if there is one. @returns {Promise<any>} */
  async session() {
    const { held = [] } = (await this.#locks?.query().catch(() => null)) ?? {};
    if (held.filter(({ name }) => name === `${this.#name}:tab`).length < 2) return null;
    return new Promise((resolve) => {
      this.#answered = resolve;
      setTimeout(resolve, ANSWER_WITHIN);
      this.tell({ ask: 1 });
    });
  }

  /**
   * Do something that only one tab does at a time: this waits until no other does.
   * @template T
   * @param {string} what
   * @param {() => Promise<T>} work
   * @param {AbortSignal} [signal]
   * @returns {Promise<T>}
   */
  async one(what, work, signal) {
    let begun = false;
    try {
      if (this.#locks) return await this.#locks.request(`${this.#name}:${what}`, { signal }, () => ((begun = true), work()));
    } catch (error) {
      if (begun || signal?.aborted) throw error;
      this.#locks = undefined;
    }
    return work();
  }
}
