// The conversation as this reader sees it: history first, then the stream from its end, gaps filled before anything
// later is shown. One tab reads the stream, the others hear of it. Views read the signals; nothing here touches the
// document but to know whether anybody looks.

import { batch, signal } from "../shared/ui.js";
import { Pause } from "../shared/pause.js";
import { Problem } from "./api.js";
import { Outbox } from "./outbox.js";
import { Stream } from "./stream.js";

/** @typedef {import("./types").Message} Message */
/** @typedef {import("../shared/events.js").Frame} Frame */

const PAGE = 50;
const TYPING_LASTS = 15000;

/** @template T @typedef {import("../shared/signal.js").Signal<T>} Signal */

export class Conversation {
  /** @type {Signal<Message[]>} */ messages = signal(/** @type {Message[]} */ ([]));
  /** "starting", "live", "lost" or "refused" */ link = signal("starting");
  ready = signal(true);
  more = signal(false);
  /** Who is typing: "bot", "agent" or nobody. */ typing = signal("");
  /** @type {Signal<import("./types").Session["config"]>} */ config = signal({});
  /** What the person must do first: "notice", "form" or nothing. Until then nothing of theirs is sent or fetched. */ gate = signal("");
  unread = signal(0);
  /** Called with each message that somebody else wrote while we watched. @type {(message: Message) => void} */ arrived = () => {};
  /** Called when the conversation was left and nothing of it shall remain on the screen. */ left = () => {};
  outbox;
  api;
  #keep;
  #tabs;
  #stream;
  #pause = new Pause();
  #journal = "0";
  #last = 0;
  #read = 0;
  #known = false;
  /** Frames that another tab told before our history was here. @type {Frame[]} */ #early = [];
  /** Each frame after the one before. @type {Promise<unknown>} */ #turns = Promise.resolve();
  #again = new AbortController();
  /** From here on messages belong to the live journal and are kept in the order of their seq. */ #live = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #typingEnds;

  /** @param {import("./api.js").Api} api @param {import("./keep.js").Keep} keep @param {import("./tabs.js").Tabs} tabs */
  constructor(api, keep, tabs) {
    this.api = api;
    this.#keep = keep;
    this.#tabs = tabs;
    this.#stream = new Stream(api, keep);
    this.outbox = new Outbox(api, keep, ({ text, content, at }, answer) => {
      this.#insert({ ...answer, author: { kind: "customer" }, channel: "webchat", text, content, at, status: "sent" });
      // Somebody waits for an answer, and the server is there.
      this.#pause.wake(true);
    });
    tabs.heard = (told) => this.#hear(told);
  }

  /** Follow the conversation for as long as the page lives. */
  async run() {
    for (;;) {
      const again = (this.#again = new AbortController());
      let wait = 0;
      try {
        if (!this.#known) await this.#load();
        await this.#looked(again.signal);
        if (this.gate.peek()) await over(again.signal);
        else wait = await this.#tabs.one("stream", () => this.#follow(again.signal), again.signal);
      } catch (problem) {
        if (problem instanceof Problem && !again.signal.aborted) {
          if (!problem.passing && problem.status !== 409) {
            if (!this.#known) {
              this.#link("refused");
              await over(again.signal);
            }
            this.#known = false;
          }
          wait = problem.retryAfter;
        }
      }
      if (again.signal.aborted || this.#stream.dropped) continue;
      this.#link("lost");
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

  /** The customer has seen everything that is shown: tell the server and the other tabs. */
  read() {
    if (this.unread.peek()) {
      this.unread.value = 0;
      this.#tabs.tell({ seen: 1 });
    }
    const seq = this.messages.peek().findLast((message) => message.author.kind !== "customer" && this.#ours(message))?.seq ?? 0;
    if (seq <= this.#read || this.link.peek() !== "live" || this.gate.peek()) return;
    this.#read = seq;
    this.api.call("/read", { method: "POST", body: { seq } }).catch(() => (this.#read = 0));
  }

  /** The person did what the gate asked for. @param {Record<string, string>} [answers] */
  async pass(answers) {
    if (answers) {
      await this.api.introduce({ answers });
      this.#keep.setLasting("answered", true);
    } else this.#keep.setLasting("accepted", this.config.value.notice?.text);
    this.#gate(this.config.value);
    this.#again.abort();
  }

  /** The page's server says who this is. False when ours does not believe it. @param {string} identity */
  async identify(identity) {
    try {
      await this.api.introduce({ identity });
    } catch (problem) {
      if (problem instanceof Problem && problem.status === 401) return false;
      throw problem;
    }
    this.#tabs.tell({ again: 1 });
    this.#restart();
    return true;
  }

  /** Leave the conversation, here and in every tab of this browser. */
  async signout() {
    this.outbox.clear();
    // Also without the server's answer nothing stays here.
    await this.api.call("/signout", { method: "POST" }).catch(() => {});
    this.#tabs.tell({ left: 1 });
    this.leave();
  }

  /** Forget everything and begin anew. */
  leave() {
    this.#keep.wipe();
    this.api.take(null);
    this.outbox.clear();
    this.left();
    this.#restart();
  }

  #restart() {
    batch(() => {
      this.messages.value = [];
      this.more.value = false;
      this.typing.value = "";
      this.unread.value = 0;
    });
    this.#known = false;
    this.#read = 0;
    this.#again.abort();
    this.#pause.wake(true);
  }

  async #load() {
    const session = await this.api.session();
    if (session.restarted) this.outbox.clear();
    // The newest message may be of a journal that grows no more: two conversations became one. The page knows the live one.
    const { messages, more, cursor = session.cursor } = await this.#page(`limit=${PAGE}`);
    const [journal, seq] = cursor.split(".");
    batch(() => {
      this.#journal = journal;
      this.#last = Number(seq);
      this.#live = messages.length;
      this.messages.value = messages;
      this.more.value = more;
      this.config.value = session.config;
      this.ready.value = session.ready;
      this.unread.value = session.config.unread ?? 0;
      this.#gate(session.config);
      this.#link("live");
    });
    this.#known = true;
    for (const frame of this.#early.splice(0)) this.#queue(frame);
    this.outbox.wake();
  }

  /** @param {import("./types").Session["config"]} config */
  #gate({ notice, form }) {
    const asks = notice?.must_accept && this.#keep.getLasting("accepted") !== notice.text;
    const wants = form?.length && !this.#keep.getLasting("answered") && !this.messages.peek().length;
    this.gate.value = asks ? "notice" : wants ? "form" : "";
  }

  /** Wait while nobody looks at this tab. @param {AbortSignal} signal */
  async #looked(signal) {
    if (!document.hidden || !this.#stream.dropped) return;
    await new Promise((resolve) => {
      document.addEventListener("visibilitychange", resolve, { once: true, signal });
      signal.addEventListener("abort", resolve);
    });
  }

  /** Read the stream until it ends; returns the milliseconds that the server asks us to stay away. @param {AbortSignal} signal */
  async #follow(signal) {
    for await (const frame of this.#stream.frames(() => `${this.#journal}.${this.#last}`, signal)) {
      this.#tabs.tell({ frame });
      if (frame.event === "bye") return Number(frame.data.retry_ms) || 0;
      await this.#queue(frame);
    }
    return 0;
  }

  /** @param {Frame} frame */
  #queue(frame) {
    const taken = this.#turns.then(() => this.#frame(frame));
    this.#turns = taken.catch(() => {});
    return taken;
  }

  /** @param {Frame} frame */
  async #frame({ event, id, data }) {
    if (event === "hello") {
      this.#pause.reset();
      this.ready.value = data.ready ?? true;
      this.#link("live");
      this.outbox.wake();
    } else if (event === "state") this.ready.value = data.ready ?? this.ready.value;
    else if (event === "typing") this.#type(data);
    else if (event === "reset" || (id && !(await this.#take(event, id, data)))) {
      this.#known = false;
      this.#again.abort();
    }
  }

  /** @param {any} told */
  #hear(told) {
    if (told.session) this.api.take(told.session);
    if (told.frame && this.#known) this.#queue(told.frame).catch(() => {});
    else if (told.frame) this.#early.push(told.frame);
    if (told.seen) this.unread.value = 0;
    if (told.link && this.#known) {
      this.link.value = told.link;
      this.ready.value = told.ready;
    }
    if (told.again) this.#restart();
    if (told.left) this.leave();
    if (told.ask && this.api.known) this.#tabs.tell({ session: this.api.known });
  }

  /** @param {string} link */
  #link(link) {
    this.link.value = link;
    if (link !== "refused") this.#tabs.tell({ link, ready: this.ready.peek() });
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

  /** @param {string} query @returns {Promise<{messages: Message[], more: boolean, cursor?: string}>} */
  async #page(query) {
    return (await this.api.call(`/messages?${query}`)).json();
  }

  /** Put a message in its place; false when it is there already. @param {Message} message */
  #insert(message) {
    const all = this.messages.value;
    const at = all.findLastIndex(({ id }) => id === message.id);
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

  /** Whether a message is of the live journal; another one counts for itself. @param {Message} message */
  #ours = ({ cursor }) => !cursor || cursor.startsWith(`${this.#journal}.`);

  /** @param {{of: number, prev?: number, status?: Message["status"], text?: string, content?: Message["content"], redacted?: boolean}} change */
  #update({ of, prev, ...change }) {
    const all = this.messages.value;
    const at = all.findLastIndex((message) => message.seq === of && this.#ours(message));
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

/** @param {AbortSignal} signal @returns {Promise<unknown>} */
const over = (signal) => new Promise((resolve) => (signal.aborted ? resolve(0) : signal.addEventListener("abort", resolve)));
