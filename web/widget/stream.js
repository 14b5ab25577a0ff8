// The stream as one tab reads it: cut when it falls silent or when nobody has looked for a minute, and read by long
// polling for the rest of the visit where something between us and the server holds its bytes back.

import { frames } from "../shared/events.js";

/** @typedef {import("../shared/events.js").Frame} Frame */

const SILENCE = 45000; // three heartbeats
const HELLO_WITHIN = 6000;
const UNSEEN = 60000;

export class Stream {
  /** Whether the last reading ended because nobody looked. */ dropped = false;
  #api;
  #keep;

  /** @param {import("./api.js").Api} api @param {import("./keep.js").Keep} keep */
  constructor(api, keep) {
    this.#api = api;
    this.#keep = keep;
  }

  /**
   * @param {() => string} cursor   where to go on
   * @param {AbortSignal} stop
   * @returns {AsyncGenerator<Frame>}
   */
  async *frames(cursor, stop) {
    const cut = new AbortController();
    const end = () => cut.abort();
    const { signal } = cut;
    stop.addEventListener("abort", end, { signal });
    // The browser knows sooner than the silence: the person shall read it now, not in 45 s.
    addEventListener("offline", end, { signal });
    /** @type {ReturnType<typeof setTimeout> | undefined} */ let unseen;
    const look = () => {
      clearTimeout(unseen);
      if (document.hidden) unseen = setTimeout(() => ((this.dropped = true), end()), UNSEEN);
    };
    document.addEventListener("visibilitychange", look, { signal });
    this.dropped = false;
    look();
    let dog = setTimeout(end, SILENCE);
    const alive = () => {
      clearTimeout(dog);
      dog = setTimeout(end, SILENCE);
    };
    /** @type {ReturnType<typeof setTimeout> | undefined} */ let hold;
    const ask = (/** @type {string} */ path) =>
      this.#api.call(path, { headers: { "last-event-id": cursor() }, signal });
    try {
      while (this.#keep.get("poll")) {
        const { frames } = await (await ask("/stream?wait=25")).json();
        alive();
        yield { event: "hello", id: "", data: {} };
        yield* frames.map((/** @type {Frame} */ frame) => ({ ...frame, id: frame.id ?? "" }));
      }
      const { body } = await ask("/stream");
      hold = setTimeout(() => {
        this.#keep.set("poll", true);
        end();
      }, HELLO_WITHIN);
      if (body) for await (const frame of frames(body, alive)) {
        clearTimeout(hold);
        yield frame;
      }
    } finally {
      clearTimeout(hold);
      clearTimeout(dog);
      clearTimeout(unseen);
      end();
    }
  }
}
