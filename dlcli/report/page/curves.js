/* Curves: means with bands, seeds, hover, toggles, logarithms, smoothing. */
const MOST_BANDS = 6; /* more of them are one block */
const decode = (steps) => { let at = 0; return steps.map((gap) => (at = Number((at + gap).toPrecision(15)))); };

function smoothed(values, strength) {
  if (!strength) return values;
  let sum = 0, weight = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = strength * sum + (1 - strength) * value;
    weight = strength * weight + (1 - strength);
    return sum / weight;
  });
}

function pathOf(xs, ys, x, y, xLog, yLog) {
  let out = '', pen = false;
  for (let i = 0; i < xs.length; i++) {
    const bad = ys[i] === null || ys[i] === undefined || (yLog && ys[i] <= 0) || (xLog && xs[i] <= 0);
    if (bad) { pen = false; continue; }
    out += `${pen ? 'L' : 'M'}${x.at(xs[i]).toFixed(1)} ${y.at(ys[i]).toFixed(1)}`;
    pen = true;
  }
  return out;
}

function bandPath(line, x, y, xLog, yLog, floor) {
  const safe = (v) => (yLog && v <= 0 ? floor : v);
  const parts = [];
  let up = [], down = [];
  const close = () => { if (up.length > 1) parts.push(`M${up.join('L')}L${down.reverse().join('L')}Z`); up = []; down = []; };
  for (let i = 0; i < line.x.length; i++) {
    if (line.low[i] === null || line.high[i] === null || (xLog && line.x[i] <= 0)) { close(); continue; }
    const at = x.at(line.x[i]).toFixed(1);
    up.push(`${at} ${y.at(safe(line.high[i])).toFixed(1)}`);
    down.push(`${at} ${y.at(safe(line.low[i])).toFixed(1)}`);
  }
  close();
  return parts.join('');
}

function curveCard(state) {
  const names = Object.keys(data.curves);
  if (!names.length) return null;
  for (const lines of Object.values(data.curves)) for (const line of lines) {
    for (const one of [...line.seeds, ...(line.mean ? [line.mean] : [])]) one.x = decode(one.x);
  }
  const tasks = [...new Set(data.groups.map((group) => group.yardstick))];
  const mainOf = (task) => {
    const group = data.groups.find((one) => one.yardstick === task);
    const wanted = `valid ${group.metric.slice(group.metric.indexOf(' ') + 1)}`;
    return names.includes(wanted) ? wanted : names[0];
  };
  const view = { task: tasks[0], metric: mainOf(tasks[0]), xLog: false, yLog: false, seeds: false, smooth: 0 };
  const pick = (label, values, chosen, change) => el('label', {}, document.createTextNode(label), el('select', {
    'aria-label': label, onchange: (event) => { change(event.target.value); box.redraw(); },
  }, ...values.map((value) => el('option', { value, text: value, selected: value === chosen ? '' : null }))));
  const tick = (label, name) => el('label', {}, el('input', {
    type: 'checkbox', 'data-view': name, onchange: (event) => { view[name] = event.target.checked; box.redraw(); },
  }), document.createTextNode(label));
  const metricBox = pick('metric', names, view.metric, (value) => { view.metric = value; });
  const controls = el('div', { class: 'controls' },
    tasks.length > 1 ? pick('task', tasks, view.task, (value) => {
      view.task = value; view.metric = mainOf(value); metricBox.lastChild.value = view.metric; chips.fill();
    }) : null,
    metricBox, tick('every seed', 'seeds'), tick(`log ${data.x}`, 'xLog'), tick('log values', 'yLog'),
    el('label', {}, document.createTextNode('smoothing'), el('input', {
      type: 'range', min: 0, max: 0.98, step: 0.02, value: 0, 'aria-label': 'smoothing',
      oninput: (event) => { view.smooth = Number(event.target.value); box.redraw(); },
    })));
  const box = drawn((width) => curvePlot(view, state, width), 'plot');
  const chips = chipBox(view, state);
  state.watch(() => { box.redraw(); chips.refresh(); });
  return card('curves', title('Curves', data.groups.length > 1 ? 'the mean over seeds with its 95 % interval; click a name to hide it, double-click to see it alone' : ''),
    controls, box, chips);
}

function chipBox(view, state) {
  const box = el('div', { class: 'chips' });
  const own = () => data.groups.map((group, at) => at).filter((at) => data.groups[at].yardstick === view.task);
  box.fill = () => box.replaceChildren(...[
    ...own().map((at) => el('button', {
      type: 'button', class: 'chip', 'data-group': at, 'aria-pressed': 'true', title: data.groups[at].name,
      onclick: () => state.toggle(at), ondblclick: () => state.only(at),
    }, swatch(at), el('span', { text: data.groups[at].name }))),
    own().length > 2 ? el('button', { type: 'button', class: 'chip all', text: 'all / none', onclick: () => state.all(own()) }) : null,
  ].filter((chip) => chip !== null));
  box.refresh = () => box.querySelectorAll('[data-group]').forEach((chip) =>
    chip.setAttribute('aria-pressed', String(!state.hidden.has(Number(chip.dataset.group)))));
  const plain = box.fill;
  box.fill = () => { plain(); box.refresh(); };
  box.fill();
  return box;
}

/* What is drawn of each visible group: one mean with its band, or its seeds where there is no mean. */
function seriesOf(view, state) {
  const lines = (data.curves[view.metric] || []).filter((line) =>
    data.groups[line.group].yardstick === view.task && !state.hidden.has(line.group));
  const main = [], faint = [];
  for (const line of lines) {
    const name = data.groups[line.group].name;
    if (line.mean) main.push({ group: line.group, name, ...line.mean });
    for (const seed of line.seeds) {
      const one = { group: line.group, name: line.seeds.length > 1 ? `${name} · seed ${seed.seed}` : name, ...seed };
      if (!line.mean) main.push(one); else if (view.seeds) faint.push(one);
    }
  }
  return { main, faint };
}

function curvePlot(view, state, width) {
  const height = 380, frame = { left: 62, right: width - 14, top: 34, bottom: height - 46 };
  const { main, faint } = seriesOf(view, state);
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-label': `curves of ${view.metric}` });
  const soft = (line) => ({ ...line, raw: line.y, y: smoothed(line.y, view.smooth),
    low: line.low && smoothed(line.low, view.smooth), high: line.high && smoothed(line.high, view.smooth) });
  const shown = main.map(soft), thin = faint.map(soft);
  const xs = extent([...shown, ...thin].flatMap((line) => line.x), view.xLog);
  const plain = extent([...shown, ...thin].flatMap((line) => line.y), view.yLog);
  if (!xs || !plain) {
    root.append(svg('text', { x: width / 2, y: height / 2, 'text-anchor': 'middle', text: 'nothing to draw here' }));
    return root;
  }
  const bands = shown.length > MOST_BANDS ? [] : shown;
  const banded = extent(bands.flatMap((line) => [...(line.low || []), ...(line.high || [])]), view.yLog) || plain;
  const span = plain[1] - plain[0] || Math.abs(plain[0]) || 1;
  const low = view.yLog ? Math.min(plain[0], Math.max(banded[0], plain[0] / 3)) : Math.min(plain[0], Math.max(banded[0], plain[0] - span * 0.35));
  const high = view.yLog ? Math.max(plain[1], Math.min(banded[1], plain[1] * 3)) : Math.max(plain[1], Math.min(banded[1], plain[1] + span * 0.35));
  const x = scaleOf(xs[0], xs[1], frame.left, frame.right, view.xLog);
  const y = scaleOf(low, high, frame.bottom, frame.top, view.yLog);
  root.append(...axes(frame, x, y, data.x, view.metric));
  const clip = svg('clipPath', { id: 'clip' }, svg('rect', { x: frame.left, y: frame.top - 2, width: Math.max(0, frame.right - frame.left), height: frame.bottom - frame.top + 4 }));
  const inner = svg('g', { 'clip-path': 'url(#clip)' });
  const add = (d, className, group, fillIt) => {
    const path = svg('path', { d, class: className, 'data-group': group, 'stroke-dasharray': className === 'mean' ? dash(group) : null });
    path.style[fillIt ? 'fill' : 'stroke'] = colour(group);
    inner.append(path);
  };
  for (const line of bands) if (line.low) add(bandPath(line, x, y, view.xLog, view.yLog, low), 'band', line.group, true);
  for (const line of thin) add(pathOf(line.x, line.y, x, y, view.xLog, view.yLog), 'seed', line.group);
  if (view.smooth) for (const line of shown) add(pathOf(line.x, line.raw, x, y, view.xLog, view.yLog), 'raw', line.group);
  for (const line of shown) add(pathOf(line.x, line.y, x, y, view.xLog, view.yLog), 'mean', line.group);
  root.append(svg('defs', {}, clip), inner);
  hover(root, frame, x, y, shown, width);
  return root;
}

function nearestPlace(xs, value) {
  let low = 0, high = xs.length - 1;
  while (high - low > 1) { const mid = (low + high) >> 1; if (xs[mid] < value) low = mid; else high = mid; }
  return Math.abs(xs[high] - value) < Math.abs(xs[low] - value) ? high : low;
}

function hover(root, frame, x, y, shown, width) {
  const rule = svg('line', { class: 'axis', y1: frame.top, y2: frame.bottom, visibility: 'hidden' });
  const dots = svg('g', {});
  root.append(rule, dots);
  root.addEventListener('pointerleave', () => { hideTip(); rule.setAttribute('visibility', 'hidden'); dots.replaceChildren(); });
  root.addEventListener('pointermove', (event) => {
    const box = root.getBoundingClientRect();
    const pixel = ((event.clientX - box.left) / box.width) * width, pixelY = event.clientY - box.top;
    if (pixel < frame.left - 6 || pixel > frame.right + 6) { hideTip(); return; }
    const wanted = x.back(Math.min(frame.right, Math.max(frame.left, pixel)));
    const found = shown.map((line) => ({ line, at: nearestPlace(line.x, wanted) }))
      .filter(({ line, at }) => line.y[at] !== null && Math.abs(x.at(line.x[at]) - pixel) < 60);
    if (!found.length) { hideTip(); return; }
    found.sort((a, b) => Math.abs(y.at(a.line.y[a.at]) - pixelY) - Math.abs(y.at(b.line.y[b.at]) - pixelY));
    const near = found.slice(0, 12).sort((a, b) => b.line.y[b.at] - a.line.y[a.at]);
    const step = found[0].line.x[found[0].at];
    rule.setAttribute('x1', x.at(step)); rule.setAttribute('x2', x.at(step)); rule.setAttribute('visibility', 'visible');
    dots.replaceChildren(...near.map(({ line, at }) => {
      const dot = svg('circle', { cx: x.at(line.x[at]), cy: y.at(line.y[at]), r: 3.5 });
      dot.style.fill = colour(line.group);
      return dot;
    }));
    showTip(event, `${data.x} ${figure(step)}`, near.map(({ line, at }) => {
      const around = line.low && line.low[at] !== null ? ` [${figure(line.low[at])}, ${figure(line.high[at])}]` : '';
      return tipRow(line.group, line.name, figure(line.y[at]) + around);
    }));
  });
}
