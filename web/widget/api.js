// The only door to the server: a session, renewed when it ended, and calls that carry its token.

/** @typedef {import("./types").Session} Session */

const ANSWER_WITHIN = 20000;

/** An answer that is no success; status 0 when there was none. */
export class Problem extends Error {
  /** @param {number} status @param {number} [retryAfter] milliseconds, when the server named them */
  constructor(status, retryAfter = 0) {
    super(`status ${status}`);
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** Whether the same call may succeed later. */
  get passing() {
    return this.status === 0 || this.status === 401 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export class Api {
  #base;
  #greeting;
  #keep;
  /** @type {Promise<Session> | null} */ #opening = null;
  #token = "";

  /**
   * @param {string} base
   * @param {{site: string, locale: string, page?: string, referrer?: string}} greeting
   * @param {import("./keep.js").Keep} keep
   */
  constructor(base, greeting, keep) {
    this.#base = base;
    this.#greeting = greeting;
    this.#keep = keep;
  }

  /** Open or renew the session; callers at the same time share one. @returns {Promise<Session>} */
  session() {
    this.#opening ??= this.#open().finally(() => (this.#opening = null));
    return this.#opening;
  }

  async #open() {
    const handle = this.#keep.handle;
    const ask = (/** @type {string | undefined} */ known) =>
      this.#fetch("/session", { method: "POST", body: { ...this.#greeting, handle: known } });
    let answer;
    try {
      answer = await ask(handle);
    } catch (problem) {
      // A handle that the server no longer honours is worth nothing: begin anew rather than fail for ever.
      if (!handle || !(problem instanceof Problem) || ![400, 401, 409, 410, 422].includes(problem.status)) throw problem;
      this.#keep.handle = undefined;
      answer = await ask(undefined);
    }
    /** @type {Session} */ const session = await answer.json();
    this.#token = session.token;
    this.#keep.handle = session.handle;
    return session;
  }

  /**
   * Call with the session's token. A 401 renews the session once. Raises Problem.
   * @param {string} path
   * @param {{method?: string, headers?: Record<string, string>, body?: unknown, signal?: AbortSignal}} [options]
   */
  async call(path, options = {}) {
    if (!this.#token) await this.session();
    const used = this.#token;
    const go = () =>
      this.#fetch(path, { ...options, headers: { ...options.headers, authorization: `Bearer ${this.#token}` } });
    try {
      return await go();
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.status !== 401) throw problem;
      if (used === this.#token) await this.session();
      return go();
    }
  }

  /** @param {string} path @param {{method?: string, headers?: Record<string, string>, body?: unknown, signal?: AbortSignal}} options */
  async #fetch(path, { method, headers, body, signal }) {
    let answer;
    try {
      answer = await fetch(this.#base + path, {
        method,
        signal: signal ?? AbortSignal.timeout(ANSWER_WITHIN),
        headers: body ? { ...headers, "content-type": "application/json" } : headers,
        body: body ? JSON.stringify(body) : undefined,
        credentials: "omit",
        cache: "no-store",
      });
    } catch {
      throw new Problem(0);
    }
    if (!answer.ok) throw new Problem(answer.status, Number(answer.headers.get("retry-after")) * 1000 || 0);
    return answer;
  }
}
