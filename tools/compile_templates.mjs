// Turn html`…` templates into the calls that htm would make of them, so that what is built needs no htm and parses
// nothing in the browser. htm itself reads the templates here: both ways mean the same.
//
//     node compile_templates.mjs HTM_MODULE FILE…      rewrites the files

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [htmPath, ...files] = process.argv.slice(2);
const { default: htm } = await import(pathToFileURL(htmPath));

/** Where the text that begins at `at` ends; `at` stands on its first quote. */
function endOfString(code, at) {
  const quote = code[at];
  for (let i = at + 1; i < code.length; i++) {
    if (code[i] === "\\") i++;
    else if (code[i] === quote) return i;
    else if (quote === "`" && code.startsWith("${", i)) i = endOfExpression(code, i + 2);
  }
  throw new Error("a text without an end");
}

/** Where the brace stands that closes the expression which begins at `at`. */
function endOfExpression(code, at) {
  let depth = 0;
  for (let i = at; i < code.length; i++) {
    if ("'\"`".includes(code[i])) i = endOfString(code, i);
    else if (code.startsWith("/*", i)) i = code.indexOf("*/", i) + 1;
    else if (code[i] === "{") depth++;
    else if (code[i] === "}" && depth-- === 0) return i;
  }
  throw new Error("an expression without an end");
}

class Field {
  constructor(code) {
    this.code = code;
  }
  toString() {
    throw new Error(`\${${this.code}} stands inside a quoted attribute`);
  }
}

const show = (value) => (value instanceof Field ? value.code : value instanceof Call ? value.code : JSON.stringify(value));

class Call {
  constructor(type, props, children) {
    const pairs = Object.entries(props ?? {}).map(([name, value]) => {
      // htm spreads with Object.assign, which copies the field's only property under its name.
      if (name === "code") return `...${value}`;
      return `${/^\w+$/.test(name) ? name : JSON.stringify(name)}: ${show(value)}`;
    });
    const rest = children.map((child) => `, ${show(child)}`).join("");
    this.code = `h(${show(type)}, ${pairs.length ? `{${pairs.join(", ")}}` : "null"}${rest})`;
  }
}

const build = htm.bind(function (type, props, ...children) {
  this[0] = 3; // nothing here may be reused
  return new Call(type, props, children);
});

function compile(code) {
  let out = "";
  let i = 0;
  while (i < code.length) {
    const found = code.indexOf("html`", i);
    if (found < 0) return out + code.slice(i);
    out += code.slice(i, found);
    const statics = [];
    const fields = [];
    let from = found + 5;
    let at = from;
    for (; code[at] !== "`"; at++) {
      if (code[at] === "\\") throw new Error("an escape in a template");
      if (!code.startsWith("${", at)) continue;
      const end = endOfExpression(code, at + 2);
      statics.push(code.slice(from, at));
      fields.push(new Field(compile(code.slice(at + 2, end)).trim()));
      from = end + 1;
      at = end;
    }
    statics.push(code.slice(from, at));
    const calls = build(Object.assign(statics, { raw: statics }), ...fields);
    out += Array.isArray(calls) ? `[${calls.map(show).join(", ")}]` : show(calls);
    i = at + 1;
  }
  return out;
}

for (const file of files) {
  const code = readFileSync(file, "utf8");
  if (!code.includes("html`") || file.endsWith("ui.js")) continue;
  writeFileSync(file, 'import { h } from "#ui";\n' + compile(code));
}
