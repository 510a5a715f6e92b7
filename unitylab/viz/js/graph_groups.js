// Which boxes and groups of a graph are seen, and where they stand when groups open and close.

// what is visible: groups that are closed stand for what is in them
const visible = (app, { nodes = [], groups = [], edges = [] }) => {
  const near = app.options.near && app.selected ? neighbours(app, app.options.near, edges) : null;
  const shut = new Map(groups.map((g) => [g.id, g]));
  const up = (id) => { // the outermost closed group around a group
    let found = null;
    for (let g = shut.get(id); g; g = shut.get(g.parent)) {
      if (!near && !app.opened.has(g.id)) found = g;
    }
    return found;
  };
  const stand = new Map();
  const boxes = new Map();
  for (const n of nodes) {
    if (near && !near.has(n.id)) continue;
    const g = n.group ? up(n.group) : null;
    const box = g ? boxes.get(g.id) || { ...g, w: 0, h: 44, kind: "group", inner: [] } : n;
    if (g) box.inner.push(n);
    boxes.set(box.id, box);
    stand.set(n.id, box.id);
  }
  const shown = new Map();
  for (const [a, b, status, points] of edges) {
    const [x, y] = [stand.get(a), stand.get(b)];
    if (x && y && x !== y) shown.set(`${x} ${y}`, { a: x, b: y, status, points });
  }
  return { boxes: [...boxes.values()], edges: [...shown.values()], groups: near ? [] :
    groups.filter((g) => app.opened.has(g.id) && !up(g.id)), near };
};

const neighbours = (app, far, edges) => {
  const found = new Set([app.selected]);
  for (let k = 0; k < far; k += 1) {
    const now = new Set(found);
    for (const [a, b] of edges) {
      if (now.has(a)) found.add(b);
      if (now.has(b)) found.add(a);
    }
  }
  return found;
};

// positions of boxes and open groups: a group is laid out by itself, then stands as one box
const arrange = (seen) => {
  const at = new Map();
  const frames = new Map();
  const parents = new Map(seen.groups.map((g) => [g.id, g]));
  const home = (b) => (parents.has(b.kind === "group" ? b.parent : b.group)
    ? (b.kind === "group" ? b.parent : b.group) : "");
  const chain = (b) => { // "" and the groups around a box, outermost first
    const way = [];
    for (let g = home(b); g; g = parents.get(g).parent || "") way.unshift(g);
    return ["", ...way.filter((g) => parents.has(g))];
  };
  const chains = new Map(seen.boxes.map((b) => [b.id, chain(b)]));
  const inside = new Map([["", []], ...seen.groups.map((g) => [g.id, []])]);
  const put = new Set();
  for (const b of seen.boxes) {
    const way = chains.get(b.id);
    way.slice(1).forEach((g, i) => {
      if (!put.has(g)) { put.add(g); inside.get(way[i]).push(parents.get(g)); }
    });
    inside.get(way.at(-1)).push(b);
  }
  const solve = (id) => {
    const members = inside.get(id).map((b) => (parents.has(b.id) ? solve(b.id) : b));
    const depth = id === "" ? 0 : chainOf(id, parents).length;
    const edges = seen.edges.flatMap((e) => {
      const [x, y] = [e.a, e.b].map((k) => [...chains.get(k), k]);
      return x[depth] === id && y[depth] === id ? [[x[depth + 1], y[depth + 1]]] : [];
    });
    const found = layered(members, edges);
    frames.set(id, { found, members });
    const title = id ? Math.min(300, 7.4 * parents.get(id).label.length + 64) : 0;
    return { id, w: Math.max(found.w + 28, title), h: found.h + 46 };
  };
  const whole = solve("");
  const spread = (id, dx, dy) => {
    for (const b of frames.get(id).members) {
      const p = frames.get(id).found.at.get(b.id);
      at.set(b.id, { x: p.x + dx, y: p.y + dy, w: b.w, h: b.h });
      if (frames.has(b.id)) {
        const inner = frames.get(b.id).found.w;
        spread(b.id, p.x + dx - inner / 2, p.y + dy - b.h / 2 + 32);
      }
    }
  };
  spread("", 0, 0);
  return { at, w: whole.w - 28, h: whole.h - 46 };
};
const chainOf = (id, parents) => (id
  ? [...chainOf(parents.get(id)?.parent || "", parents), id] : []).filter((g) => parents.has(g));
