// LLVM IR and assembly of the selected program, or of all.

const codePane = (kind, title) => pane(kind, {
  title,
  region: "right",
  live: true,
  render(app, body) {
    const callee = app.node()?.callee || null;
    body.append(note("compiling…"));
    body.shown = callee;
    app.askOnce("source", { step: app.current, kind, function: callee }).then((text) => {
      if (body.shown !== callee) return;
      const lines = text.split("\n");
      const hot = hotLoop(lines);
      body.replaceChildren(h("div", { class: "ul-text" }, lines.slice(0, 4000).map((t, i) =>
        h("div", { class: `ul-line${hot.has(i) ? " ul-hot" : ""}`,
          title: hot.has(i) ? "the innermost loop" : null },
        h("span", { class: "ul-lineno" }, String(i + 1)),
        h("span", { class: "ul-linesign" }, hot.has(i) ? "●" : ""), h("code", {}, coloured(t))))));
    }).catch((e) => body.replaceChildren(note(e.message)));
  },
  mark(app, body, from) {
    if (body.shown !== (app.node()?.callee || null)) app.drawPane(kind);
  },
});

// the lines of the loop with the most vector arithmetic: from a label to the jump back to it
const hotLoop = (lines) => {
  const label = new Map();
  let best = [0, 0, 0];
  lines.forEach((t, i) => {
    const l = /^([.\w$]+):/.exec(t);
    if (l) label.set(l[1], i);
    const j = /^\s+j\w+\s+([.\w$]+)/.exec(t);
    const start = j ? label.get(j[1]) : undefined;
    if (start === undefined) return;
    const work = lines.slice(start, i).filter((x) => /^\s+v?(fm|mul|add|max|p?dp)/.test(x)).length;
    const share = work / (i - start + 1);
    if (work && share > best[0]) best = [share, start, i];
  });
  const length = best[2] ? best[2] - best[1] + 1 : 0;
  return new Set(Array.from({ length }, (_, i) => best[1] + i));
};

codePane("llvm", "LLVM");
codePane("asm", "Assembly");
