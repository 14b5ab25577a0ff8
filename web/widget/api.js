// The only door to the server: a session, renewed when it ended, and calls that carry its token.

/** @typedef {import("./types").Session} Session */
/** @typedef {{method?: string, headers?: Record<string, string>, body?: unknown, signal?: AbortSignal}} Options */

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
  #tabs;
  /** @type {Promise<Session> | null} */ #opening = null;
  /** @type {Session | null} */ #session = null;
  /** What the next session shall carry, once. @type {{identity?: string, answers?: Record<string, string>}} */ #extra = {};

  /**
   * @param {string} base
   * @param {{site: string, locale: string, page?: string, referrer?: string}} greeting
   * @param {import("./keep.js").Keep} keep
   * @param {import("./tabs.js").Tabs} tabs
   */
  constructor(base, greeting, keep, tabs) {
    this.#base = base;
    this.#greeting = greeting;
    this.#keep = keep;
    this.#tabs = tabs;
  }

  /** What we know of the session, for another tab. */
  get known() {
    return this.#session;
  }

  /** Take another tab's session; null: have none. @param {Session | null} session */
  take(session) {
    this.#session = session;
    return session;
  }

  /** Open a session that says more about the visitor. Raises Problem. @param {{identity?: string, answers?: Record<string, string>}} extra */
  async introduce(extra) {
    await this.#opening?.catch(() => {});
    this.#extra = { ...this.#extra, ...extra };
    return this.session(this.#session);
  }

  /** The session, opened or renewed when it is this one; callers at the same time share it. @param {Session | null} [stale] @returns {Promise<Session>} */
  session(stale) {
    this.#opening ??= this.#tabs.one("session", () => this.#renew(stale)).finally(() => (this.#opening = null));
    return this.#opening;
  }

  /** @param {Session | null} [stale] */
  async #renew(stale) {
    if (!Object.keys(this.#extra).length) {
      if (this.#session && this.#session.token !== stale?.token) return this.#session;
      const other = await this.#tabs.session();
      if (other && other.token !== stale?.token) return /** @type {Session} */ (this.take(other));
    }
    this.#session = await this.#open();
    this.#tabs.tell({ session: this.#session });
    return this.#session;
  }

  async #open() {
    const handle = this.#keep.handle;
    const extra = this.#extra;
    const ask = (/** @type {string | undefined} */ known) =>
      this.#fetch("/session", { method: "POST", body: { ...this.#greeting, ...extra, handle: known } });
    let answer;
    try {
      answer = await ask(handle);
    } catch (problem) {
      const final = problem instanceof Problem && [400, 401, 409, 410, 422].includes(problem.status);
      if (final) this.#extra = {};
      // A handle that the server no longer honours is worth nothing: begin anew rather than fail for ever.
      if (!handle || !final || extra.identity) throw problem;
      this.#keep.handle = undefined;
      answer = await ask(undefined);
    }
    this.#extra = {};
    /** @type {Session} */ const session = await answer.json();
    if (session.restarted) this.#keep.wipe();
    this.#keep.handle = session.handle;
    return session;
  }

  /** Call with the session's token. A 401 renews the session once. Raises Problem. @param {string} path @param {Options} [options] */
  async call(path, options = {}) {
    return this.authorized((authorization) => this.#fetch(path, { ...options, headers: { ...options.headers, authorization } }));
  }

  /**
   * The same for another way to call: `go` gets the header's value and raises Problem.
   * @template T
   * @param {(authorization: string) => Promise<T>} go
   */
  async authorized(go) {
    const used = this.#session ?? (await this.session());
    try {
      return await go(`Bearer ${used.token}`);
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.status !== 401) throw problem;
      return go(`Bearer ${(await this.session(used)).token}`);
    }
  }

  /** @param {string} path */
  url(path) {
    return this.#base + path;
  }

  /** @param {string} path @param {Options} options */
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
