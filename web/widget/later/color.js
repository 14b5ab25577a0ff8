// The shop's colour, taken as far towards ink or paper as it must be read by: 4.5 to 1 on every ground where it stands.

const ENOUGH = 4.5;

/** @typedef {[number, number, number]} Color */

/** @param {string} text @returns {Color | null} */
const parse = (text) => {
  const [, hex = ""] = /^#([\da-f]{6})$/i.exec(text.replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3")) ?? [];
  return hex ? /** @type {any} */ ([0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16))) : null;
};

/** @param {Color} color */
const write = (color) => `#${color.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;

/** @param {Color} a @param {Color} b @param {number} part of b */
const mix = (a, b, part) => /** @type {Color} */ (a.map((own, i) => Math.round(own + (b[i] - own) * part)));

/** @param {Color} color */
const light = (color) => {
  const [r, g, b] = color.map((part) => (part / 255 <= 0.04045 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

/** @param {Color} a @param {Color} b */
export const contrast = (a, b) => {
  const [low, high] = [light(a), light(b)].sort((one, other) => one - other);
  return (high + 0.05) / (low + 0.05);
};

/**
 * @param {string} brand
 * @param {boolean} dark
 * @returns {{accent: string, on: string, tint: string} | null} null for what is no colour
 */
export function shades(brand, dark) {
  const wanted = parse(brand);
  if (!wanted) return null;
  /** @type {Color} */ const surface = dark ? [22, 26, 24] : [255, 255, 255];
  /** @type {Color} */ const bot = dark ? [36, 42, 39] : [241, 240, 236];
  /** @type {Color} */ const end = dark ? [255, 255, 255] : [0, 0, 0];
  for (let part = 0; ; part += 0.02) {
    const accent = mix(wanted, end, Math.min(part, 1));
    const tint = mix(surface, accent, dark ? 0.16 : 0.1);
    if (part < 1 && [surface, bot, tint].some((ground) => contrast(accent, ground) < ENOUGH)) continue;
    /** @type {Color} */ const white = [255, 255, 255];
    /** @type {Color} */ const ink = [12, 18, 16];
    const on = contrast(accent, white) >= ENOUGH ? white : ink;
    return { accent: write(accent), on: write(on), tint: write(tint) };
  }
}

/** Wear the colour, now and when the scheme changes. @param {string} brand @param {(look: object) => void} tell */
export function wear(brand, tell) {
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const put = () => {
    const found = shades(brand, scheme.matches);
    if (!found) return;
    const { style } = document.documentElement;
    style.setProperty("--accent", found.accent);
    style.setProperty("--on-accent", found.on);
    style.setProperty("--tint", found.tint);
    tell({ "--segue-accent": found.accent, "--segue-on": found.on });
  };
  scheme.addEventListener("change", put);
  put();
}
