import { html } from "../shared/ui.js";

/** A drawing beside words, or on a button that has a name. @param {{d: string}} props */
export const Icon = ({ d }) => html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d=${d} /></svg>`;
