/* Parallel coordinates: the keys that differ, numbers by size and words evenly spaced, and what came out. */
function parallelCard(state) {
  const rows = data.groups.map((group, at) => ({ ...group, at })).filter((group) => group.mean !== null);
  const tasks = [...new Set(rows.map((row) => row.yardstick))];
  const cards = tasks.map((task) => {
    const own = rows.filter((row) => row.yardstick === task);
    const keys = [...new Set(own.flatMap((row) => Object.keys(row.keys)))].filter((key) =>
      new Set(own.map((row) => row.keys[key]).filter((value) => value !== undefined)).size > 1);
    if (keys.length < 2 || own.length < 2) return null;
    const box = drawn((width) => parallelPlot(own, keys, state, width), 'plot');
    state.watch(() => box.redraw());
    return el('div', {}, tasks.length > 1 ? el('p', { class: 'quiet', text: task }) : null, box);
  });
  if (!cards.some((one) => one)) return null;
  return card('parallel', title('Parallel coordinates', 'a line a group, through its settings to its mean; blue is better, orange worse'), ...cards);
}

/* An axis of words: numbers among them first, by size. */
function wordy(column, told) {
  const rank = (value) => (typeof value === 'number' ? 0 : 1);
  const words = [...new Set(told)].sort((a, b) => rank(a) - rank(b) || (rank(a) ? String(a).localeCompare(String(b)) : a - b));
  const of = column.of;
  column.words = words;
  column.of = (row) => (of(row) === undefined ? undefined : words.indexOf(of(row)));
  column.tell = (place) => cut(String(words[place]), 14);
  column.show = (row) => String(of(row) ?? '');
}

function parallelPlot(rows, keys, state, width) {
  const height = 330, top = 44, bottom = height - 26, left = 46, right = width - 60;
  const columns = [...keys.map((key) => ({ name: key, of: (row) => row.keys[key] })), { name: rows[0].metric, of: (row) => row.mean }];
  columns.forEach((column, at) => {
    const told = rows.map(column.of).filter((value) => value !== undefined);
    column.tell = tickText;
    column.show = (row) => figure(column.of(row));
    if (told.some((value) => typeof value !== 'number')) wordy(column, told);
    const values = rows.map(column.of).filter((value) => value !== undefined);
    const [low, high] = extent(values, false) || [0, 1];
    column.log = !column.words && low > 0 && high / low > 30 && column.name !== rows[0].metric;
    column.scale = scaleOf(low, high, bottom, top, column.log);
    column.spread = at < keys.length && new Set(values).size < rows.length ? Math.min(3, 24 / rows.length) : 0;
    column.x = left + (at * (right - left)) / (columns.length - 1);
  });
  const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-label': 'parallel coordinates' });
  const lines = svg('g', {});
  const [low, high] = extent(rows.map((row) => row.mean), false);
  for (const [turn, row] of rows.entries()) {
    if (state.hidden.has(row.at)) continue;
    const share = high > low ? (row.mean - low) / (high - low) : 1;
    const good = Math.round(100 * (row.direction === 'max' ? share : 1 - share));
    const d = columns.filter((column) => column.of(row) !== undefined)
      .map((column, at) => `${at ? 'L' : 'M'}${column.x.toFixed(1)} ${(column.scale.at(column.of(row)) + column.spread * (turn - (rows.length - 1) / 2)).toFixed(1)}`).join('');
    const path = svg('path', { d, class: 'polyline', 'data-group': row.at });
    path.style.stroke = `color-mix(in oklab, var(--high) ${good}%, var(--low))`;
    path.addEventListener('pointermove', (event) => {
      path.classList.add('lit');
      showTip(event, row.name, columns.map((column) => el('div', {}, el('span', { text: column.name }), el('b', { text: column.show(row) }))));
    });
    path.addEventListener('pointerleave', () => { path.classList.remove('lit'); hideTip(); });
    lines.append(path);
  }
  for (const column of columns) {
    root.append(svg('line', { class: 'axis', x1: column.x, x2: column.x, y1: top, y2: bottom }),
      svg('text', { class: 'name', x: column.x, y: 18, 'text-anchor': 'middle', text: cut(column.name, 22) + (column.log ? ' (log)' : '') }));
    const distinct = [...new Set(rows.map(column.of).filter((value) => value !== undefined))];
    const ticks = column.words ? column.words.map((_, place) => place) : distinct.length <= 6 && column !== columns[columns.length - 1] ? distinct : column.scale.ticks(5);
    for (const tick of ticks) {
      root.append(svg('line', { class: 'axis', x1: column.x - 3, x2: column.x + 3, y1: column.scale.at(tick), y2: column.scale.at(tick) }),
        svg('text', { class: 'halo', x: column.x + 7, y: column.scale.at(tick) + 4, text: column.tell(tick) }));
    }
  }
  root.prepend(lines);
  return root;
}
