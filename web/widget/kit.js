// What the panel shares with the parts that come later. They import it from here alone, so that it is one file; the
// panel is named too, so that the bundler makes that file of everything that is loaded at once: one packs better than two.

import "./panel.js";

export { Component, h, html } from "../shared/ui.js";
export { translator } from "../shared/i18n.js";
export { markdown, safe } from "../shared/markdown.js";
export { Problem } from "./api.js";
export { Icon } from "./icon.js";
export { CHANNELS } from "./log.js";

/** Give the document the style of a part that came later; a constructed sheet needs no exception in the policy. @param {string} css */
export function dress(css) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets.push(sheet);
}
