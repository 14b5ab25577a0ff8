// Values that tell who reads them. The part of @preact/signals that the widget needs, in a tenth of its size: no computed
// values, no ownership. Front ends with larger state take the vendored library.

/**
 * @template T
 * @typedef {object} Signal
 * @property {T} value   reading it inside an effect makes the effect run again when it changes
 * @property {() => T} peek   read without that
 */

/** @typedef {{run: () => void, reads: Set<Set<Reader>>}} Reader */

/** @type {Reader?} */ let reader = null;
/** @type {Set<Reader>} */ const due = new Set();
let depth = 0;

/** @template T @param {T} value @returns {Signal<T>} */
export function signal(value) {
  /** @type {Set<Reader>} */ const readers = new Set();
  return {
    get value() {
      if (reader) {
        readers.add(reader);
        reader.reads.add(readers);
      }
      return value;
    },
    set value(next) {
      if (next === value) return;
      value = next;
      batch(() => readers.forEach((own) => due.add(own)));
    },
    peek: () => value,
  };
}

/** Run now, and again after each change of what it read. @param {() => void} work */
export function effect(work) {
  /** @type {Reader} */
  const own = {
    reads: new Set(),
    run() {
      own.reads.forEach((readers) => readers.delete(own));
      own.reads.clear();
      const outer = reader;
      reader = own;
      try {
        batch(work);
      } finally {
        reader = outer;
      }
    },
  };
  own.run();
}

/** Several changes, one run of each effect. @param {() => void} work */
export function batch(work) {
  depth++;
  try {
    work();
  } finally {
    try {
      // What an effect changes itself is due after it, in the same go.
      if (depth === 1) for (const own of due) {
        due.delete(own);
        own.run();
      }
    } finally {
      depth--;
    }
  }
}
