/* Intervals as a forest plot: of the means, and of the differences. `line` is the value of a dashed line, or null. */
function forest(rows, name, line) {
  return drawn((width) => {
    const step = 30, label = Math.min(230, width * 0.36), top = 30;
    const height = top + rows.length * step + 44, frame = { left: label + 8, right: width - 16, top, bottom: height - 40 };
    const values = rows.flatMap((row) => [row.low, row.high, row.mid, ...row.dots]);
    const found = extent(line === null ? values : [...values, line], false);
    const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, height, role: 'img', 'aria-label': `intervals of ${name}` });
    if (!found) return root;
    const pad = (found[1] - found[0]) * 0.04;
    const x = scaleOf(found[0] - pad, found[1] + pad, frame.left, frame.right, false);
    for (const tick of x.ticks(Math.max(2, Math.floor((frame.right - frame.left) / 80)))) {
      root.append(svg('line', { class: 'grid', x1: x.at(tick), x2: x.at(tick), y1: top - 8, y2: frame.bottom }),
        svg('text', { x: x.at(tick), y: frame.bottom + 16, 'text-anchor': 'middle', text: tickText(tick) }));
    }
    if (line !== null) root.append(svg('line', { class: 'zero', x1: x.at(line), x2: x.at(line), y1: top - 8, y2: frame.bottom }));
    root.append(svg('text', { class: 'name', x: 0, y: 12, text: name }));
    rows.forEach((row, at) => root.append(forestRow(row, x, top + at * step + step / 2 - 4, label)));
    root.addEventListener('pointerleave', hideTip);
    return root;
  });
}

function forestRow(row, x, y, label) {
  const most = Math.floor(label / 6.6);
  const parts = [svg('text', { class: 'name', x: label, y: y + 4, 'text-anchor': 'end', text: cut(row.name, most) })];
  const mark = (node) => { node.style.stroke = node.style.fill = colour(row.group); parts.push(node); return node; };
  for (const dot of row.dots) {
    if (dot !== null) mark(svg('circle', { cx: x.at(dot), cy: y + 8, r: 2.2, opacity: 0.45 })).style.stroke = 'none';
  }
  if (row.low !== null && row.high !== null) {
    mark(svg('line', { x1: x.at(row.low), x2: x.at(row.high), y1: y, y2: y, 'stroke-width': 3, 'stroke-linecap': 'round' }));
  }
  if (row.mid !== null) mark(svg('circle', { cx: x.at(row.mid), cy: y, r: 5 })).style.stroke = 'none';
  const around = row.low === null ? 'no interval' : `[${figure(row.low)}, ${figure(row.high)}]`;
  const words = row.mid === null ? 'no value' : `${figure(row.mid)} ${around}`;
  return svg('g', { class: 'forest-row', onpointermove: (event) => showTip(event, row.name, [tipRow(row.group, row.more, words)]) },
    svg('rect', { x: 0, y: y - 13, width: '100%', height: 28, fill: 'transparent' }), ...parts);
}

function forestCards() {
  const cards = [];
  for (const task of new Set(data.groups.map((group) => group.yardstick))) {
    const own = data.groups.map((group, at) => ({ ...group, at })).filter((group) => group.yardstick === task && group.n);
    if (!own.length || (own.length === 1 && own[0].low === null)) continue;
    const means = own.map((group) => ({
      name: group.name, group: group.at, mid: group.mean, low: group.low, high: group.high, dots: group.values,
      more: group.degenerate ? `${group.n} seeds, equal values` : `${group.n} seed${group.n === 1 ? '' : 's'}`,
    }));
    const parts = [el('div', {}, title('Intervals', `mean, 95 % CI, and every seed${own[0].baseline === null ? '' : `; line: the baseline of the task, ${figure(own[0].baseline)}`}`),
      forest(means, `${own[0].metric} · ${task}`, own[0].baseline))];
    const place = Object.fromEntries(data.groups.map((group, at) => [group.name, at]));
    const pairs = data.pairs.filter((pair) => pair.task === task && pair.difference !== null);
    if (pairs.length) {
      const one = new Set(pairs.map((pair) => pair.b)).size === 1;
      const rows = pairs.map((pair) => ({
        name: one ? pair.a : `${pair.a} − ${pair.b}`, group: place[pair.a], mid: pair.difference, low: pair.low, high: pair.high, dots: [],
        more: `${pair.n} ${pair.paired ? 'paired' : 'seeds per group'}, p corrected ${pair.p_holm === null ? 'none' : pair.p_holm.toPrecision(2)}`,
      }));
      parts.push(el('div', {}, title('Differences', one ? `from ${pairs[0].b}` : 'of all pairs'), forest(rows, 'difference of means, 95 % CI', 0)));
    }
    cards.push(el('section', { class: 'card pair forest' }, ...parts));
  }
  return cards;
}
