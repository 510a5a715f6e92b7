// Text: the diff of two points of the history (or of a preview, or of one rewrite) and the script.

const MOST = 1500; // lines that are drawn at once
const FOLD = 4; // unchanged lines that stay around a change

// rows [old line, new line, sign, text, keys] of two texts {lines, keys} and their operations
const diffRows = (before, after, ops, moves = {}) => {
  const rows = [];
  const gone = moves.gone || {};
  const come = moves.come || {};
  for (const [tag, a, b, c, d] of ops) {
    if (tag === "equal") {
      for (let i = 0; i < b - a; i += 1) {
        rows.push([a + i + 1, c + i + 1, " ", after.lines[c + i], after.keys[c + i] || []]);
      }
      continue;
    }
    for (let i = a; i < b; i += 1) {
      rows.push([i + 1, null, gone[i] === undefined ? "-" : "<", before.lines[i],
        before.keys[i] || [], gone[i]]);
    }
    for (let i = c; i < d; i += 1) {
      rows.push([null, i + 1, come[i] === undefined ? "+" : ">", after.lines[i],
        after.keys[i] || [], come[i]]);
    }
  }
  return rows;
};

const LINE = { "+": ["added", "+", "added"], "-": ["removed", "−", "removed"],
  "<": ["moved", "↷", "moved away, now line"], ">": ["moved", "↳", "moved here from line"] };

const drawLine = (app, [old, now, sign, text, keys, other]) => {
  const [cls, mark, said] = LINE[sign] || ["same", "", ""];
  const where = other === undefined ? said : `${said} ${other + 1}`;
  const line = app.preview ? 0 : now;
  return h("div", { class: `ul-line ul-sign-${cls}`, role: "listitem", title: where,
    "data-keys": keys.join(" "), "data-line": app.inProgram(line) ? line : null,
    onclick: () => app.selectLine(line, keys, "text") },
  h("span", { class: "ul-lineno" }, String(now ?? old ?? "")),
  h("span", { class: "ul-linesign", "aria-label": where || null }, mark),
  h("code", {}, coloured(text)));
};

// lines, with long runs of unchanged ones folded
const drawRows = (app, all, folds = true) => {
  const out = [];
  const rest = all.slice(MOST); // a page at a time: thousands of lines take long to draw
  const rows = all.slice(0, MOST);
  for (let i = 0; i < rows.length;) {
    let j = i;
    while (j < rows.length && rows[j][2] === " ") j += 1;
    const [head, tail] = [i === 0 ? 0 : FOLD, j === rows.length ? 0 : FOLD];
    if (folds && j - i > head + tail + FOLD) {
      const hidden = rows.slice(i + head, j - tail);
      out.push(...rows.slice(i, i + head).map((r) => () => drawLine(app, r)));
      const fold = h("button", { class: "ul-fold", type: "button", onclick: () => {
        fold.replaceWith(...hidden.map((r) => drawLine(app, r)));
      } }, `⋯ ${hidden.length} unchanged lines`);
      out.push(() => fold, ...rows.slice(j - tail, j).map((r) => () => drawLine(app, r)));
    } else out.push(...rows.slice(i, j).map((r) => () => drawLine(app, r)));
    if (j < rows.length) { const r = rows[j]; out.push(() => drawLine(app, r)); j += 1; }
    i = j;
  }
  if (rest.length) {
    const more = h("button", { class: "ul-fold", type: "button", onclick: () => {
      more.replaceWith(drawRows(app, rest, folds));
      app.frame.mark("text");
    } }, `⋯ ${rest.length} more lines`);
    out.push(() => more);
  }
  const box = h("div", { class: "ul-text", role: "list", "aria-label": "lines" });
  drawSome(app, box, out, 0);
  return box;
};

// a screenful or two at once, the others when the page has a moment
const AT_ONCE = 120;
const drawSome = (app, box, makers, from) => {
  box.append(...makers.slice(from, from + AT_ONCE).map((make) => make()));
  const body = from > 0 && box.closest(".ul-body");
  if (body) markLines(app, body, body.querySelector(".ul-selected") ? "text" : "draw");
  if (from + AT_ONCE < makers.length) {
    setTimeout(() => box.isConnected && drawSome(app, box, makers, from + AT_ONCE));
  }
};

// lights up the selected line, what is inside of the selected loop, or all lines of a node
const markLines = (app, body, from) => {
  let first = null;
  for (const l of body.querySelectorAll(".ul-line")) {
    const lit = app.line ? app.lit(Number(l.dataset.line)) : app.selected !== null &&
      body.shown !== app.selected && l.dataset.keys.split(" ").includes(app.selected) ? 2 : 0;
    l.classList.toggle("ul-selected", lit === 2);
    l.classList.toggle("ul-within", lit === 1);
    if (lit === 2) l.setAttribute("aria-current", "true"); else l.removeAttribute("aria-current");
    if (lit && !first) first = l;
  }
  if (first && from !== "text") reveal(body, first);
};

// moves the selection to the next line that stands for something else
const nextLine = (by) => (app, body) => {
  const lines = [...body.querySelectorAll('.ul-line[data-line],.ul-line:not([data-keys=""])')];
  if (!lines.length) { body.scrollTop += by * 40; return; }
  const lit = (l) => l.classList.contains("ul-selected");
  const at = lines.includes(body.cursor) && lit(body.cursor) ? lines.indexOf(body.cursor)
    : lines.findLastIndex(lit);
  const what = (l) => l?.dataset.line || l?.dataset.keys;
  let k = at + by;
  while (lines[k] && what(lines[k]) === what(lines[at])) k += by;
  body.cursor = lines[(k + lines.length) % lines.length];
  const { line, keys } = body.cursor.dataset;
  app.selectLine(Number(line || 0), keys ? keys.split(" ") : [], "line");
  reveal(body, body.cursor);
};
const lineKeys = { ArrowDown: nextLine(1), ArrowUp: nextLine(-1) };

const NUMBER = { time: duration, bytes, flops, peak: bytes };
const numbersTable = (numbers) => h("div", { class: "ul-numbers" }, numbers.map((n) => {
  const show = NUMBER[n.unit] || String;
  const ratio = n.before && n.after && n.before !== n.after
    ? ` ×${Number((n.after / n.before).toPrecision(3))}` : "";
  return h("span", { class: "ul-figure", title: n.name }, h("small", {}, n.name),
    n.before === n.after || n.before === null
      ? h("b", {}, n.after === null ? "–" : show(n.after))
      : h("b", {}, `${show(n.before)} → ${n.after === null ? "–" : show(n.after)}${ratio}`));
}));

const drawPreview = (app, body) => {
  const p = app.preview;
  body.append(h("div", { class: "ul-banner", role: "note" }, h("b", {}, p.title),
    p.summary && h("span", {}, p.summary), h("span", { class: "ul-space" }),
    p.apply && button("Apply", "make this the next step", p.apply, "ul-primary ul-live"),
    p.before_ && button("‹", "the rewrite before", p.before_, "",
      { "aria-label": "rewrite before" }),
    p.after_ && button("›", "the next rewrite", p.after_, "", { "aria-label": "next rewrite" }),
    button("×", "back to the step (Esc)", () => { app.preview = null; app.drawPane("diff"); }, "",
      { "aria-label": "close" })));
  if (p.code) {
    body.append(h("div", { class: "ul-snippet" }, h("code", {}, coloured(p.code)),
      button("copy", "copy this code for a cell", () => app.copy(p.code))));
  }
  if (p.numbers) body.append(numbersTable(p.numbers));
  if (p.text !== undefined) {
    body.append(h("pre", { class: "ul-text ul-python" }, coloured(p.text)));
  } else body.append(drawRows(app, diffRows(p.before, p.after, p.ops, p.moves)));
};

pane("diff", {
  title: "Diff",
  region: "right",
  tools(app) {
    const { base, id } = app.view;
    return [h("span", { class: "ul-summary" },
      base === undefined || base === null ? "" : `${base} → ${id}`)];
  },
  render(app, body) {
    const { view } = app;
    if (app.preview) { drawPreview(app, body); return; }
    if (!view.text) return;
    if (view.numbers) body.append(numbersTable(view.numbers));
    if (app.row?.failed) body.append(note(app.row.failed));
    const rows = view.before ? diffRows(view.before, view.text, view.diff, view.moves)
      : view.text.lines.map((t, i) => [null, i + 1, " ", t, view.text.keys[i] || []]);
    if (view.before && rows.every((r) => r[2] === " ")) body.append(note("Nothing changed."));
    body.append(drawRows(app, rows, Boolean(view.before)));
  },
  mark: markLines,
  keys: lineKeys,
});

pane("script", {
  title: "Script",
  region: "right",
  render(app, body) {
    const { text } = app.view;
    if (!text) return;
    body.append(drawRows(app, text.lines.map((t, i) => [null, i + 1, " ", t, text.keys[i] || []]),
      false));
  },
  mark: markLines,
  keys: lineKeys,
});
