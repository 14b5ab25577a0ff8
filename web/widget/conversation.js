// The conversation as this reader sees it: history first, then the stream from its end, gaps filled before anything
// later is shown. Views read the signals; nothing here touches the document.

import { batch, signal } from "../shared/ui.js";
import { frames } from "../shared/events.js";
import { Pause } from "../shared/pause.js";
import { Problem } from "./api.js";
import { Outbox } from "./outbox.js";

/** @typedef {import("./types").Message} Message */

const PAGE = 50;
const SILENCE = 45000; // three heartbeats
const TYPING_LASTS = 15000;

export class Conversation {
  /** @type {import("../vendor/signals-core.js").Signal<Message[]>} */ messages = signal([]);
  /** "starting", "live", "lost" or "refused" */ link = signal("starting");
  ready = signal(true);
  more = signal(false);
  /** Who is typing: "bot", "agent" or nobody. */ typing = signal("");
  /** @type {import("../vendor/signals-core.js").Signal<import("./types").Session["config"]>} */ config = signal({});
  /** Called with each message that somebody else wrote while we watched. @type {(message: Message) => void} */ arrived = () => {};
  outbox;
  #api;
  #pause = new Pause();
  #journal = "0";
  #last = 0;
  #read = 0;
  /** From here on messages belong to the live journal and are kept in the order of their seq. */ #live = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #typingEnds;

  /** @param {import("./api.js").Api} api @param {import("./keep.js").Keep} keep */
  constructor(api, keep) {
    this.#api = api;
    this.outbox = new Outbox(api, keep, (item, { id, seq }) => {
      this.#insert({ id, seq, author: { kind: "customer" }, channel: "webchat", text: item.text, at: item.at, status: "sent" });
      // Somebody waits for an answer, and the server is there.
      this.#pause.wake(true);
    });
  }

  /** Follow the conversation for as long as the page lives. */
  async run() {
    let known = false;
    for (;;) {
      let wait = 0;
      try {
        if (!known) {
          await this.#load();
          known = true;
        }
        const told = await this.#listen();
        if (told === "reset") {
          known = false;
          continue;
        }
        wait = told;
      } catch (problem) {
        if (problem instanceof Problem) {
          if (!problem.passing && problem.status !== 409) {
            if (!known) {
              this.link.value = "refused";
              return;
            }
            known = false;
          }
          wait = problem.retryAfter;
        }
      }
      this.link.value = "lost";
      this.typing.value = "";
      await this.#pause.wait(wait);
    }
  }

  /** The page of messages before the first one shown. */
  async earlier() {
    const [first] = this.messages.value;
    const { messages, more } = await this.#page(`before=${first.cursor ?? first.seq}&limit=${PAGE}`);
    batch(() => {
      this.#live += messages.length;
      this.messages.value = [...messages, ...this.messages.value];
      this.more.value = more;
    });
  }

  /** Tell the server that the customer has seen everything that is shown. */
  read() {
    const seq = this.messages.peek().findLast(({ author }) => author.kind !== "customer")?.seq ?? 0;
    if (seq <= this.#read || this.link.peek() !== "live") return;
    this.#read = seq;
    this.#api.call("/read", { method: "POST", body: { seq } }).catch(() => (this.#read = 0));
  }

  async #load() {
    const session = await this.#api.session();
    const { messages, more } = await this.#page(`limit=${PAGE}`);
    const [journal, seq] = session.cursor.split(".");
    batch(() => {
      this.#journal = journal;
      this.#last = Number(seq);
      this.#live = messages.length;
      this.messages.value = messages;
      this.more.value = more;
      this.config.value = session.config;
      this.ready.value = session.ready;
      this.link.value = "live";
    });
    this.outbox.wake();
  }

  /** Read the stream until it ends. Returns "reset", or the milliseconds that the server asks us to stay away. */
  async #listen() {
    const cut = new AbortController();
    const watch = () => setTimeout(() => cut.abort(), SILENCE);
    let dog = watch();
    try {
      const headers = { "last-event-id": `${this.#journal}.${this.#last}` };
      const { body } = await this.#api.call("/stream", { headers, signal: cut.signal });
      if (!body) throw new Problem(0);
      const alive = () => {
        clearTimeout(dog);
        dog = watch();
      };
      for await (const { event, id, data } of frames(body, alive)) {
        if (event === "hello") {
          this.#pause.reset();
          this.link.value = "live";
          this.ready.value = data.ready ?? true;
          this.outbox.wake();
        } else if (event === "state") this.ready.value = data.ready ?? this.ready.value;
        else if (event === "typing") this.#type(data);
        else if (event === "bye") return Number(data.retry_ms) || 0;
        else if (event === "reset") return "reset";
        else if (id && !(await this.#take(event, id, data))) return "reset";
      }
      return 0;
    } finally {
      clearTimeout(dog);
      cut.abort();
    }
  }

  /** A durable frame. False when it belongs to another journal than ours. @param {string} event @param {string} id @param {any} data */
  async #take(event, id, data) {
    const [journal, text] = id.split(".");
    const seq = Number(text);
    if (this.#journal === "0") this.#journal = journal;
    if (journal !== this.#journal) return false;
    if (data.prev > this.#last) await this.#fill();
    if (event === "message.created") {
      // Our own message may come by the stream before its POST is answered: the answer tells which one it is.
      if (data.message.author.kind === "customer") await this.outbox.flying;
      if (this.#insert(data.message)) this.arrived(data.message);
    } else if (event === "message.updated") this.#update(data);
    this.#last = Math.max(this.#last, seq);
    return true;
  }

  async #fill() {
    for (let more = true; more; ) {
      const page = await this.#page(`after=${this.#journal}.${this.#last}&limit=${PAGE}`);
      for (const message of page.messages) if (this.#insert(message)) this.arrived(message);
      const end = page.messages.at(-1);
      if (end) this.#last = Math.max(this.#last, end.seq);
      more = page.more && !!end;
    }
  }

  /** @param {string} query @returns {Promise<{messages: Message[], more: boolean}>} */
  async #page(query) {
    return (await this.#api.call(`/messages?${query}`)).json();
  }

  /** Put a message in its place; false when it is there already. @param {Message} message */
  #insert(message) {
    const all = this.messages.value;
    const at = all.findIndex(({ id }) => id === message.id);
    if (at >= 0) {
      this.messages.value = all.with(at, { ...all[at], ...message });
      return false;
    }
    let place = all.length;
    while (place > this.#live && all[place - 1].seq > message.seq) place--;
    batch(() => {
      this.messages.value = all.toSpliced(place, 0, message);
      if (message.author.kind !== "customer") this.typing.value = "";
    });
    return true;
  }

  /** @param {{of: number, prev?: number, status?: Message["status"], text?: string, content?: Message["content"], redacted?: boolean}} change */
  #update({ of, prev, ...change }) {
    const all = this.messages.value;
    const at = all.findLastIndex(({ seq }) => seq === of);
    if (at >= 0) this.messages.value = all.with(at, { ...all[at], ...change });
  }

  /** @param {{author: string, on: boolean}} data */
  #type({ author, on }) {
    clearTimeout(this.#typingEnds);
    this.typing.value = on ? author : "";
    // The frame that says "no longer" is never replayed: if it was lost, the dots end by themselves.
    if (on) this.#typingEnds = setTimeout(() => (this.typing.value = ""), TYPING_LASTS);
  }
}
