// Sentences by key. Every visible string of a front end comes from its tables; a test compares their keys.

/**
 * The first locale wanted that we have, by language if not exactly; else our last.
 * @param {string[]} have
 * @param {(string | undefined)[]} wanted   best first
 */
export function choose(have, wanted) {
  for (const tag of wanted) {
    const found = tag && (have.find((own) => own === tag) ?? have.find((own) => language(own) === language(tag)));
    if (found) return found;
  }
  return have[have.length - 1];
}

/** @param {string} locale */
export const direction = (locale) => (/^(ar|fa|he|ur)$/.test(language(locale)) ? "rtl" : "ltr");

/** @param {Record<string, string>} table @returns {(key: string, values?: Record<string, string>) => string} */
export const translator = (table) => (key, values = {}) =>
  (table[key] ?? key).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);

/** @param {string} tag */
const language = (tag) => tag.toLowerCase().split("-")[0];
