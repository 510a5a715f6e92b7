// Positions in layers, for what is shown only for a moment (opened and closed groups, neighbours)
// and for graphs that are too large for Graphviz: a box is below what it needs.
// boxes: [{id, w, h}] in program order, edges: [[from, to]]; gives {at: Map(id -> {x, y}), w, h}.

const GAP_X = 20;
const GAP_Y = 34;

const layered = (boxes, edges) => {
  const inputs = new Map(boxes.map((b) => [b.id, []]));
  const users = new Map(boxes.map((b) => [b.id, []]));
  for (const [a, b] of edges) {
    if (a === b || !inputs.has(a) || !inputs.has(b)) continue;
    inputs.get(b).push(a);
    users.get(a).push(b);
  }
  const rows = intoRows(boxes, layersOf(boxes, inputs, users));
  for (let sweep = 0; sweep < 3; sweep += 1) {
    sortRows(rows, inputs);
    sortRows([...rows].reverse(), users);
  }
  sortRows(rows, inputs);
  return positions(rows, inputs, users);
};

// the longest way from the start; what needs nothing stands right above its first user
const layersOf = (boxes, inputs, users) => {
  const layer = new Map();
  const left = new Map(boxes.map((b) => [b.id, inputs.get(b.id).length]));
  const queue = boxes.filter((b) => !left.get(b.id)).map((b) => b.id);
  for (const id of queue) {
    layer.set(id, Math.max(0, ...inputs.get(id).map((i) => (layer.get(i) ?? -1) + 1)));
    for (const u of users.get(id)) {
      left.set(u, left.get(u) - 1);
      if (left.get(u) === 0) queue.push(u);
    }
  }
  boxes.forEach((b) => layer.has(b.id) || layer.set(b.id, 0)); // a cycle among closed groups
  for (const b of boxes) {
    const below = users.get(b.id).map((u) => layer.get(u));
    if (!inputs.get(b.id).length && below.length) {
      layer.set(b.id, Math.max(0, Math.min(...below) - 1));
    }
  }
  return layer;
};

const intoRows = (boxes, layer) => {
  const rows = [];
  for (const b of boxes) (rows[layer.get(b.id)] ??= []).push(b);
  return rows.filter(Boolean);
};

const sortRows = (rows, neighbours) => {
  const place = new Map();
  rows.forEach((row) => row.forEach((b, i) => place.set(b.id, i / row.length)));
  for (const row of rows) {
    const wish = new Map(row.map((b) => {
      const near = neighbours.get(b.id).map((n) => place.get(n));
      return [b.id, near.length ? near.reduce((x, y) => x + y, 0) / near.length : place.get(b.id)];
    }));
    row.sort((a, b) => wish.get(a.id) - wish.get(b.id));
    row.forEach((b, i) => place.set(b.id, i / row.length));
  }
};

const positions = (rows, inputs, users) => {
  const at = new Map();
  let y = 0;
  for (const row of rows) {
    const high = Math.max(...row.map((b) => b.h));
    let x = -row.reduce((w, b) => w + b.w + GAP_X, -GAP_X) / 2;
    for (const b of row) {
      at.set(b.id, { x: x + b.w / 2, y: y + high / 2 });
      x += b.w + GAP_X;
    }
    y += high + GAP_Y;
  }
  for (let round = 0; round < 3; round += 1) {
    rows.forEach((row) => pull(row, inputs, at));
    [...rows].reverse().forEach((row) => pull(row, users, at));
  }
  const all = rows.flat();
  const low = Math.min(0, ...all.map((b) => at.get(b.id).x - b.w / 2));
  const top = Math.max(0, ...all.map((b) => at.get(b.id).x + b.w / 2));
  all.forEach((b) => { at.get(b.id).x -= low; });
  return { at, w: top - low, h: Math.max(0, y - GAP_Y) };
};

// moves the boxes of a row towards the middle of their neighbours, in order and without overlap
const pull = (row, neighbours, at) => {
  const wish = row.map((b) => {
    const near = neighbours.get(b.id).map((n) => at.get(n).x);
    return near.length ? near.reduce((x, y) => x + y, 0) / near.length : at.get(b.id).x;
  });
  const apart = (i) => (row[i - 1].w + row[i].w) / 2 + GAP_X;
  const left = [...wish];
  for (let i = 1; i < row.length; i += 1) left[i] = Math.max(left[i], left[i - 1] + apart(i));
  const right = [...wish];
  for (let i = row.length - 2; i >= 0; i -= 1) {
    right[i] = Math.min(right[i], right[i + 1] - apart(i + 1));
  }
  row.forEach((b, i) => { at.get(b.id).x = (left[i] + right[i]) / 2; });
};
