// Waiting between tries: full jitter, from half a second to half a minute, ended early by news that a try may succeed.

const FIRST = 500;
const LAST = 30000;

export class Pause {
  #tries = 0;
  #named = false;
  /** @type {(() => void) | null} */ #wake = null;

  constructor() {
    addEventListener("online", () => this.wake());
    document.addEventListener("visibilitychange", () => document.hidden || this.wake());
  }

  /** The last try succeeded: the next wait is short again. */
  reset() {
    this.#tries = 0;
  }

  /** End a wait now; one whose length the server named only with `certain` news that the server is there. */
  wake(certain = false) {
    if (certain || !this.#named) this.#wake?.();
  }

  /**
   * Wait; at least `named` milliseconds when the server asked for that, and then hardly anything ends it early.
   * @param {number} [named]
   * @returns {Promise<void>}
   */
  wait(named = 0) {
    const span = Math.min(LAST, FIRST * 2 ** this.#tries++) * Math.random();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, Math.max(named, span));
      this.#named = named > 0;
      this.#wake = done;
    });
  }
}
