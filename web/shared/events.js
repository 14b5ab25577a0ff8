// Server-sent events read with fetch, because EventSource cannot send an Authorization header.

/**
 * @typedef {object} Frame
 * @property {string} event
 * @property {string} id    empty for frames that are never replayed
 * @property {any} data
 */

/**
 * The frames of a text/event-stream body, in order. `alive` is called for every piece of bytes, heartbeats too.
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} alive
 * @returns {AsyncGenerator<Frame>}
 */
export async function* frames(body, alive) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      alive();
      rest += decoder.decode(value, { stream: true }).replace(/\r\n?/g, "\n");
      for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
        const frame = parse(rest.slice(0, end));
        if (frame) yield frame;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** @param {string} block @returns {Frame | null} */
function parse(block) {
  let event = "message";
  let id = "";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (field === "event") event = value;
    else if (field === "id") id = value;
    else if (field === "data") data.push(value);
  }
  return data.length ? { event, id, data: JSON.parse(data.join("\n")) } : null;
}
