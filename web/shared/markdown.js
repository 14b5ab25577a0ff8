// The safe Markdown subset as elements: bold, italic, code, links, lists, line breaks. It never makes an HTML string,
// and what it does not understand stays the text that it was.

import { h } from "../vendor/preact.js";

/** @typedef {import("../vendor/preact.js").ComponentChildren} Children */

const INLINE = /`([^`\n]+)`|\*\*([^*\n]+)\*\*|(?<![\w*])([*_])(?! )([^*_\n]+)\3(?![\w*])|\[([^\]\n]+)\]\(([^()\s]+)\)|https?:\/\/[^\s<>"'`*\])]*[^\s<>"'`*\]).,;:!?]/g;
const ITEM = /^\s*(?:[-*•]|(\d{1,3})[.)])\s+(.*)$/;

/**
 * @param {string} text
 * @param {string} newTab   said to screen readers after each link
 * @returns {Children}
 */
export function markdown(text, newTab) {
  /** @type {Children[]} */ const blocks = [];
  for (const paragraph of text.trim().split(/\n{2,}/)) {
    /** @type {string[]} */ let plain = [];
    /** @type {{start: string, items: Children[]} | null} */ let list = null;
    const flush = () => {
      if (plain.length) blocks.push(h("p", null, lines(plain, newTab)));
      if (list) blocks.push(list.start ? h("ol", { start: +list.start }, list.items) : h("ul", null, list.items));
      plain = [];
      list = null;
    };
    for (const line of paragraph.split("\n")) {
      const item = ITEM.exec(line);
      if (!item) {
        if (list) flush();
        plain.push(line);
        continue;
      }
      if (plain.length || (list && !list.start !== !item[1])) flush();
      list ??= { start: item[1] ?? "", items: [] };
      list.items.push(h("li", null, inline(item[2], newTab)));
    }
    flush();
  }
  return blocks;
}

/** @param {string[]} texts @param {string} newTab */
const lines = (texts, newTab) => texts.flatMap((line, i) => (i ? [h("br", null), ...inline(line, newTab)] : inline(line, newTab)));

/** @param {string} text @param {string} newTab @returns {Children[]} */
function inline(text, newTab) {
  /** @type {Children[]} */ const out = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    const [all, code, bold, , italic, label, target] = match;
    out.push(text.slice(from, match.index));
    from = match.index + all.length;
    if (code) out.push(h("code", null, code));
    else if (bold) out.push(h("strong", null, inline(bold, newTab)));
    else if (italic) out.push(h("em", null, inline(italic, newTab)));
    else out.push(link(label ?? all, target ?? all, newTab) ?? all);
  }
  out.push(text.slice(from));
  return out;
}

/** A link that may be followed, or null. Where text and target differ the host is shown. @param {string} label @param {string} target @param {string} newTab */
function link(label, target, newTab) {
  const url = safe(target);
  if (!url) return null;
  const host = url.host && !label.includes(url.host) ? ` (${url.host})` : "";
  return h(
    "a",
    { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow ugc" },
    label,
    host && h("span", { class: "host" }, host),
    h("span", { class: "sr" }, ` (${newTab})`),
  );
}

/** @param {string} target @returns {URL | null} */
export function safe(target) {
  const url = URL.canParse(target) ? new URL(target) : null;
  return url && ["http:", "https:", "mailto:", "tel:"].includes(url.protocol) ? url : null;
}
