// What the customer wrote and the server has not yet acknowledged. One in flight, in order, each with its own key until
// it is answered, so that the server sees a repeat as a repeat. Kept in the tab's storage: a reload loses nothing.

import { signal } from "../shared/ui.js";
import { Pause } from "../shared/pause.js";
import { Problem } from "./api.js";

/** @typedef {import("./types").Pending} Pending */

const MOST = 50;
const OLDEST = 24 * 3600 * 1000;

export class Outbox {
  /** @type {import("../shared/signal.js").Signal<Pending[]>} */ items;
  /** Settles when the message in flight is answered or given up. @type {Promise<void> | null} */ flying = null;
  #api;
  #keep;
  #sent;
  #pause = new Pause();
  #running = false;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./keep.js").Keep} keep
   * @param {(item: Pending, answer: {id: string, seq: number, cursor: string}) => void} sent
   */
  constructor(api, keep, sent) {
    this.#api = api;
    this.#keep = keep;
    this.#sent = sent;
    /** @type {Pending[]} */ const kept = keep.get("queue") ?? [];
    this.items = signal(kept.map((item) => (item.state === "failed" ? item : { ...item, state: "queued" })));
  }

  /** Queue a message; false when the queue is full. @param {Pick<Pending, "text" | "button" | "upload" | "content">} message */
  add(message) {
    if (this.items.value.length >= MOST) return false;
    this.#save([...this.items.value, { key: crypto.randomUUID(), ...message, at: Date.now(), state: "queued" }]);
    this.wake();
    return true;
  }

  /** Send a refused message again. It was answered, so this is a new message with a new key. @param {string} key */
  retry(key) {
    this.#change(key, { key: crypto.randomUUID(), state: "queued", reason: undefined, at: Date.now() });
    this.wake();
  }

  /** Nobody's words are left here. */
  clear() {
    this.#save([]);
  }

  /** A try may succeed now. */
  wake() {
    this.#pause.wake();
    if (!this.#running) this.#run();
  }

  async #run() {
    this.#running = true;
    for (let item; (item = this.items.value.find(({ state }) => state !== "failed")); ) {
      if (Date.now() - item.at > OLDEST) {
        this.#change(item.key, { state: "failed", reason: "old" });
        continue;
      }
      const sending = this.#send(item);
      this.flying = sending.then(() => {});
      const wait = await sending;
      this.flying = null;
      if (wait !== null) await this.#pause.wait(wait);
    }
    this.#running = false;
  }

  /** One try. Returns null when it was answered for good, else how long the server wants us to wait. @param {Pending} item */
  async #send({ key, text, button, upload }) {
    this.#change(key, { state: "sending" });
    try {
      const body = { button, upload, text: text || undefined };
      const answer = await this.#api.call("/messages", { method: "POST", headers: { "idempotency-key": key }, body });
      const accepted = await answer.json();
      const item = this.items.value.find((other) => other.key === key);
      this.#save(this.items.value.filter((other) => other.key !== key));
      if (item) this.#sent(item, accepted);
      this.#pause.reset();
      return null;
    } catch (problem) {
      if (problem instanceof Problem && !problem.passing) {
        this.#change(key, { state: "failed", reason: String(problem.status) });
        return null;
      }
      this.#change(key, { state: "queued" });
      return problem instanceof Problem ? problem.retryAfter : 0;
    }
  }

  /** @param {string} key @param {Partial<Pending>} change */
  #change(key, change) {
    this.#save(this.items.value.map((item) => (item.key === key ? { ...item, ...change } : item)));
  }

  /** @param {Pending[]} items */
  #save(items) {
    this.items.value = items;
    this.#keep.set("queue", items.length ? items : null);
  }
}
