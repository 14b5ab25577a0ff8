// The demo shop's script: which language, and the sentences to try.

const asked = new URLSearchParams(location.search).get("lang");
const english = asked ? asked === "en" : !/^pt\b/i.test(navigator.language);
document.documentElement.lang = english ? "en" : "pt-BR";

document.addEventListener("click", ({ target }) => {
  const button = target instanceof Element && target.closest("[data-ask]");
  const chat = /** @type {(HTMLElement & {open(text?: string): void}) | null} */ (document.querySelector("segue-chat"));
  if (button) chat?.open(button.textContent ?? "");
});
