// The loop lab: which tensor program it shows, how fast that is, and what an edit does.
// `app.lab` is its state; the tree and the memory pane read it.

const labOf = (app) => {
  const lab = app.lab ??= { key: "", speeds: new Map(), auto: true };
  const all = app.view.loops || {};
  const callee = app.node()?.callee;
  if (all[callee]) lab.fn = callee;
  else if (!all[lab.fn]) lab.fn = all[app.entry] ? app.entry : Object.keys(all)[0] || "";
  lab.rows = all[lab.fn] || [];
  lab.keys = lab.rows.filter((r) => r.key).map((r) => r.key);
  if (!lab.keys.includes(lab.key)) lab.key = lab.keys[0] || "";
  return lab;
};
const labArgs = (app) => ({ step: app.current, function: labOf(app).fn });
const redrawLab = (app) => ["loops", "memory"].forEach((id) => app.drawPane(id));

// the tab bar's choice of a program, where there are several
const programChoice = (app) => {
  const names = Object.keys(app.view.loops || {});
  return names.length > 1 && h("select", { class: "ul-select ul-programs", "aria-label": "program",
    onchange: (e) => {
      app.lab.fn = e.target.value;
      app.selected = null;
      redrawLab(app);
    } }, names.map((n) => h("option", { value: n, selected: n === labOf(app).fn }, n)));
};

// --- speed --------------------------------------------------------------------------------------

const speedsOf = (app) => labOf(app).speeds.get(`${app.current} ${app.lab.fn}`);

const askSpeed = (app, measure) => {
  const lab = labOf(app);
  const args = { ...labArgs(app), measure };
  const name = `${args.step} ${args.function}`;
  if (measure) lab.measuring = name;
  const done = () => {
    if (measure && lab.measuring === name) lab.measuring = "";
    redrawLab(app);
  };
  lab.speeds.set(name, lab.speeds.get(name) || {});
  app.ask("loop_speed", args).then((found) => { lab.speeds.set(name, found); done(); })
    .catch((e) => { if (!/^stopped/.test(e.message)) lab.failed = e.message; done(); });
};

const measureLab = (app) => { labOf(app).failed = ""; askSpeed(app, true); redrawLab(app); };

const gflops = (x) => `${Number((x / 1e9).toPrecision(3))} GFLOP/s`;
const counted = (x) => scaled(x, ["", "k", "M", "G", "T"], 1000).trim();
const rateOf = (x) => `${bytes(x)}/s`;

// time, rate, share of the limit, and what the step before had
const drawSpeed = (app) => {
  const lab = labOf(app);
  const known = speedsOf(app);
  if (!known) askSpeed(app, false);
  const { here, before, rows = [] } = known || {};
  if (!app.live && !here) return "";
  const busy = lab.measuring === `${app.current} ${lab.fn}`;
  const last = here && before ? before.time / here.time : 0;
  const same = Math.abs(last - 1) < 0.03;
  const ratio = same ? "= as before" : last >= 1 ? `▲ ×${Number(last.toPrecision(3))} faster`
    : `▼ ×${Number((1 / last).toPrecision(3))} slower`;
  const share = here && (here.peak ?? 0) >= (here.copy ?? 0) ? here?.peak : here?.copy;
  const limit = here && share === here.peak ? "peak" : "copy speed";
  const most = Math.max(...rows.map((r) => (r.time ? 1 / r.time : 0)), 0);
  return h("section", { class: "ul-speed", "aria-label": "speed" },
    h("div", { class: "ul-speed-now" },
      h("div", { class: "ul-speed-main" },
        h("b", {}, here ? (here.flops ? gflops(here.flops) : duration(here.time))
          : busy ? "measuring…" : "not measured"),
        share ? h("span", { class: "ul-share" }, h("meter", { min: 0, max: 1, value: share,
          "aria-label": `${percent(share)} of this machine's ${limit}` }),
        h("small", {}, `${percent(share)} of ${limit}`)) : ""),
      h("div", { class: "ul-speed-more" }, here && [h("span", {}, duration(here.time)),
        here.bytes && h("span", { title: "bytes that it must move at least, each second" },
          rateOf(here.bytes)),
        last > 0 && h("span", { class: same ? null : last > 1 ? "ul-better" : "ul-worse",
          title: `${before.name}: ${duration(before.time)}` }, ratio)],
      lab.failed && h("span", { class: "ul-worse" }, lab.failed)),
      h("div", { class: "ul-live ul-speed-tools" }, busy
        ? button("■ Stop", "stop measuring (Esc)", () => app.ask("stop"), "", {
          "aria-label": "stop measuring" })
        : button("Measure", "time this program (m)", () => measureLab(app)),
      h("label", { title: "measure after every edit" }, h("input", { type: "checkbox",
        checked: lab.auto, onchange: (e) => { lab.auto = e.target.checked; } }), "auto"))),
    rows.length > 1 && h("div", { class: "ul-steps", role: "list",
      "aria-label": "speed after each step" }, rows.map((r) => h("button", { type: "button",
      role: "listitem", class: `ul-col${r.step === app.current ? " ul-here" : ""}`,
      title: `${r.step} ${r.name}: ${r.time ? duration(r.time) : "not measured"}`,
      "aria-label": `step ${r.step} ${r.name}: ${r.time
        ? (r.flops ? gflops(r.flops) : duration(r.time)) : "not measured"}`,
      onclick: () => app.go(r.step) },
    h("span", { style: `height:${r.time ? Math.max(6, 100 / r.time / most) : 0}%` }),
    h("i", {}, r.time ? "" : "·")))));
};

// --- edits --------------------------------------------------------------------------------------

const focusRow = (app) => {
  app.frame.want("loops", ".ul-loop.ul-selected");
  app.drawPane("loops");
};

const refuse = (app, key, text) => {
  app.lab.refused = { key, text, step: app.current };
  app.lab.prompt = null;
  focusRow(app);
};

const makeEdit = (app, op, key, args) => {
  const { lab } = app;
  if (lab.measuring) app.ask("stop");
  lab.prompt = lab.refused = null;
  app.frame.busy(true);
  app.ask("loop_edit", { function: lab.fn, op, key, ...args }).then((next) => {
    lab.key = next;
    app.frame.want("loops", ".ul-loop.ul-selected");
    if (lab.auto) measureLab(app); else redrawLab(app);
  }).catch((e) => refuse(app, key, e.message));
};

// does an edit that has one way, asks for the way of one that has several
const startEdit = (app, match) => {
  const { lab } = app;
  const { key } = lab;
  app.askOnce("loop_edits", { ...labArgs(app), key }).then((all) => {
    const edit = all.find(match);
    if (!edit || key !== lab.key) return;
    const legal = edit.choices.filter((c) => c.legal);
    if (!legal.length && edit.op !== "split") refuse(app, key, edit.reason);
    else if (edit.choices.length === 1) makeEdit(app, edit.op, key, legal[0].args);
    else {
      lab.refused = null;
      lab.prompt = lab.prompt?.op === edit.op ? null : edit;
      if (lab.prompt) {
        app.frame.want("loops", ".ul-choice:not([aria-disabled]), .ul-prompt input");
      }
      app.drawPane("loops");
    }
  }).catch((e) => refuse(app, key, e.message));
};
