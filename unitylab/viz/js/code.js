// LLVM IR and assembly of the selected program, or of all; every line knows its line of the script.

const MOST_CODE = 4000; // lines that are drawn

const codePane = (kind, title) => pane(kind, {
  title,
  region: "right",
  render(app, body) {
    const key = callOf(app);
    const box = h("div", {}, note("compiling…"));
    const what = `${app.stamp} ${key}`;
    body.shown = key;
    body.append(box);
    app.into(box, "source", { step: app.current, kind, key }, (parts) => {
      queueMicrotask(() => {
        if (app.line) markLines(app, body, body.code === what ? "text" : "draw");
        else if (body.code !== what || !body.scrollTop) toHotLoop(body);
        body.code = what;
      });
      return parts.length ? drawCode(app, parts)
        : note("There is no tensor program here: library calls are machine code of others.");
    });
  },
  mark(app, body, from) {
    if (body.shown !== callOf(app)) app.drawPane(kind);
    else markLines(app, body, from === kind ? "text" : from);
  },
  keys: lineKeys,
});

const toHotLoop = (body) => {
  body.scrollTop = Math.max(0, (body.querySelector(".ul-hot")?.offsetTop || 0) - 80);
};

const callOf = (app) => (app.node() && !["param", "output"].includes(app.node().kind)
  ? app.selected : null);

const drawCode = (app, parts) => {
  let left = MOST_CODE;
  const rows = parts.flatMap(({ name, keys, rows: all }) => {
    const mine = all.slice(0, Math.max(0, left));
    left -= mine.length;
    return [parts.length > 1 && h("h4", { class: "ul-program" }, name),
      ...mine.map(([text, line, hot], i) => codeLine(app, keys, i, text, line, hot))];
  });
  if (left <= 0) rows.push(note(`the first ${MOST_CODE} lines; select a node for its own`));
  return [writtenNote(app, "compiled"),
    h("div", { class: "ul-text", role: "list", "aria-label": "lines" }, rows)];
};

// a page without a kernel says when it found out what it shows
const writtenNote = (app, how) => app.info.written && note(
  `${how} when this file was written, ${app.info.written}`);

const codeLine = (app, keys, i, text, line, hot) => h("div", {
  class: `ul-line${hot ? " ul-hot" : ""}`, role: "listitem",
  "data-keys": keys.join(" "), "data-line": line || null,
  title: [line && `line ${line} of the script: ${app.view.text.lines[line - 1].trim()}`,
    hot && "in the loop that does most of the work"].filter(Boolean).join("; ") || null,
  onclick: () => app.selectLine(line, keys, "code") },
h("span", { class: "ul-lineno" }, String(i + 1)),
h("span", { class: "ul-lineno ul-from" }, line ? `‹${line}` : ""),
h("span", { class: "ul-linesign", "aria-label": hot ? "hot loop" : null }, hot ? "●" : ""),
h("code", {}, coloured(text)));

codePane("llvm", "LLVM");
codePane("asm", "Assembly");
