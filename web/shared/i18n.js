// Sentences by key. Every visible string of a front end comes from its tables; a test compares their keys.

/**
 * @param {Record<string, Record<string, string>>} tables   by locale; the last is the fallback
 * @param {(string | undefined)[]} wanted                   locales, best first
 */
export function translator(tables, wanted) {
  const have = Object.keys(tables);
  const base = (/** @type {string} */ tag) => tag.toLowerCase().split("-")[0];
  let locale = have[have.length - 1];
  for (const tag of wanted) {
    const found = tag && (have.find((own) => own.toLowerCase() === tag.toLowerCase()) ?? have.find((own) => base(own) === base(tag)));
    if (found) {
      locale = found;
      break;
    }
  }
  const table = tables[locale];
  return {
    locale,
    direction: /^(ar|fa|he|ur)$/.test(base(locale)) ? "rtl" : "ltr",
    /** @param {string} key @param {Record<string, string>} [values] */
    t: (key, values = {}) => (table[key] ?? key).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all),
  };
}
