// One import for what every view needs.

import htm from "../vendor/htm.js";
import { h, render } from "../vendor/preact.js";
import { effect } from "./signal.js";

export { Component, Fragment, h } from "../vendor/preact.js";
export { batch, effect, signal } from "./signal.js";

/** Templates to elements: html`<p class=${c}>${text}</p>`. Text is always text. */
export const html = /* @__PURE__ */ htm.bind(h);

/**
 * Draw a view, and again whenever a signal changed that was read while drawing.
 * @param {() => import("../vendor/preact.js").ComponentChild} view
 * @param {Element} place
 */
export const draw = (view, place) => effect(() => render(view(), place));
