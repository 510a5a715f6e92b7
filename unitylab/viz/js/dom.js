// The workbench: five regions around one selection. Plain files, joined in the order of
// `assets.py` into one ES module: no build step, no dependency.

const h = (tag, props = {}, ...children) => {
  const node = document.createElement(tag);
  fill(node, props);
  node.append(...children.flat(2).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
};

// the same for SVG
const s = (tag, props = {}, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(node, props);
  node.append(...children.flat(2).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
};

const fill = (node, props) => {
  for (const [k, v] of Object.entries(props)) {
    if (v === null || v === undefined || v === false) continue;
    if (k.startsWith("on")) node.addEventListener(k.slice(2), v);
    else node.setAttribute(k, v === true ? "" : v);
  }
};

const button = (label, title, onclick, cls = "", props = {}) =>
  h("button", { class: `ul-button ${cls}`, title, onclick, type: "button", ...props }, label);

const note = (...text) => h("p", { class: "ul-note" }, ...text);

// --- numbers for people ---------------------------------------------------------------------
const scaled = (x, steps, base) => {
  let k = 0;
  let v = x;
  while (Math.abs(v) >= base && k < steps.length - 1) { v /= base; k += 1; }
  return `${Number(v.toPrecision(3))} ${steps[k]}`;
};

const duration = (t) => {
  if (t === null || t === undefined) return "";
  for (const [factor, unit] of [[1, "s"], [1e3, "ms"], [1e6, "µs"]]) {
    if (t * factor >= 1) return `${Number((t * factor).toPrecision(3))} ${unit}`;
  }
  return `${Number((t * 1e9).toPrecision(3))} ns`;
};
const bytes = (x) => scaled(x, ["B", "kB", "MB", "GB"], 1000);
const flops = (x) => scaled(x, ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"], 1000);
const percent = (x) => `${Math.round(100 * x)} %`;

// --- text with colours ------------------------------------------------------------------------
const KEYWORDS = ["def", "class", "with", "for", "in", "return", "if", "else", "while", "assert",
  "not", "and", "or", "pass", "define", "call", "ret", "br", "load", "store"].join("|");
const WORDS = new RegExp(["(#.*$)", '("(?:[^"\\\\]|\\\\.)*")',
  "\\b(\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)\\b", "(@[\\w.]+)", `\\b(${KEYWORDS})\\b`,
  "\\b([TRI](?:\\.\\w+)+|cls\\.\\w+)"].join("|"), "g");
const CLASSES = ["", "comment", "string", "number", "decorator", "keyword", "api"];
const coloured = (text) => {
  const out = [];
  let at = 0;
  for (const m of text.matchAll(WORDS)) {
    if (m.index > at) out.push(text.slice(at, m.index));
    const k = m.slice(1).findIndex((g) => g !== undefined) + 1;
    out.push(h("span", { class: `ul-t-${CLASSES[k]}` }, m[0]));
    at = m.index + m[0].length;
  }
  out.push(text.slice(at));
  return out;
};

// scrolls `box` so that `item` is in it
const reveal = (box, item) => {
  const a = box.getBoundingClientRect();
  const b = item.getBoundingClientRect();
  if (b.top < a.top || b.bottom > a.bottom) box.scrollTop += b.top - a.top - a.height / 3;
  if (b.left < a.left || b.left > a.right - 40) box.scrollLeft += b.left - a.left - 40;
};
