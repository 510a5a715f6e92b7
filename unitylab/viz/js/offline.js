// The host of a page without a kernel: it answers what the workbench asks from what was computed
// when the page was written. Not a part of the widget's module.

const bytes = Uint8Array.from(atob("DATA"), (c) => c.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
const data = JSON.parse(await new Response(stream).text());
const program = new Blob([data.program], { type: "text/javascript" });
const widget = (await import(URL.createObjectURL(program))).default;

const viewOf = (step) => {
  const view = data.views[step];
  const before = view.base === null ? undefined : data.texts[view.base];
  return { ...view, text: data.texts[step], before };
};
const state = { ...data.state, view: viewOf(data.state.current) };
const on = {};

// machine code of the programs at a node, or of all; lines count back from a program's last
const source = ({ step, kind, key }) => {
  const all = Object.entries(data.shown[step]);
  const mine = all.filter(([, [, , keys]]) => keys.includes(key));
  const wanted = mine.length ? mine : all;
  const parts = wanted.map(([name, [number, last, keys]]) => ({ name, keys, last,
    known: data.programs[number].code, why: data.programs[number].why.code }));
  const missing = parts.filter((p) => !p.known);
  if (missing.length === parts.length && missing.length) {
    throw new Error(`the machine code of ${missing.map((p) => p.name).join(", ")}: ${
      missing[0].why}`);
  }
  return parts.filter((p) => p.known).map(({ name, keys, known, last }) => ({ name, keys,
    rows: known[kind].map(([text, line, hot]) => [text, line && last && last + 1 - line, hot]) }));
};

// what the loop lab asks of a program
const walked = (what) => ({ step, function: name }) => {
  const place = data.shown[step][name];
  const found = place && data.programs[place[0]];
  if (!found?.[what]) throw new Error(found?.why[what] || `step ${step} has no program ${name}`);
  return found[what];
};

const NONE = "this file has no kernel: open the notebook to do that";
const ANSWERS = { source, loop_order: walked("order"), loop_traffic: walked("traffic"),
  loop_speed: () => ({ rows: [], here: null, before: null }),
  checkout: ({ step, base }) => {
    const view = data.views[step];
    if (!view || (base !== undefined && base !== view.base)) throw new Error(NONE);
    model.set("view", viewOf(step));
    model.set("current", step);
  } };

const answered = (ask, args) => {
  const key = ask === "describe" ? { ...args, key: null } : args;
  const known = data.answers[JSON.stringify([ask, key])];
  if (known !== undefined) return known;
  if (!ANSWERS[ask] || args.measure) throw new Error(NONE);
  return ANSWERS[ask](args);
};

const model = {
  get: (name) => state[name],
  set: (name, value) => { state[name] = value; (on["change:" + name] || []).forEach((f) => f()); },
  save_changes: () => {},
  on: (name, f) => { (on[name] ||= []).push(f); },
  off: (name, f) => { on[name] = (on[name] || []).filter((g) => g !== f); },
  send: ({ id, ask, args }) => queueMicrotask(() => {
    const answer = (m) => (on["msg:custom"] || []).forEach((f) => f({ id, ...m }));
    try {
      answer({ ok: true, result: answered(ask, args) });
    } catch (e) { answer({ error: e.message }); }
  }),
};
widget.render({ model, el: document.getElementById("app") });
