/* A scale: domain to pixels, linear or logarithmic, with round ticks. */
function scaleOf(low, high, from, to, log) {
  const f = log ? Math.log10 : (v) => v;
  let a = f(low), b = f(high);
  if (a === b) { const pad = log ? 0.5 : Math.abs(a) * 0.05 || 0.5; a -= pad; b += pad; }
  const at = (value) => from + ((f(value) - a) / (b - a)) * (to - from);
  const back = (pixel) => { const v = a + ((pixel - from) / (to - from)) * (b - a); return log ? 10 ** v : v; };
  return { at, back, ticks: (count) => (log ? logTicks(a, b, count) : linearTicks(a, b, count)) };
}

function linearTicks(a, b, count) {
  const rough = (b - a) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const ticks = [];
  for (let i = Math.ceil(a / step - 1e-9); i * step <= b + step * 1e-9; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function logTicks(a, b, count) {
  const decades = b - a;
  if (decades < 0.9) return linearTicks(10 ** a, 10 ** b, count).filter((tick) => tick > 0);
  const marks = decades < 2.5 ? [1, 2, 5] : [1], stride = Math.max(1, Math.ceil(decades / count)), ticks = [];
  for (let e = Math.floor(a); e <= Math.ceil(b); e += stride) for (const m of marks) {
    const value = m * 10 ** e, place = Math.log10(value);
    if (place >= a - 1e-9 && place <= b + 1e-9) ticks.push(Number(value.toPrecision(6)));
  }
  return ticks;
}

function extent(values, log) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value === null || value === undefined || (log && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

function tickText(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(4))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(4))}k`;
  if (size && size < 1e-3) return value.toExponential(0);
  return String(Number(value.toPrecision(4)));
}

/* Grid, ticks and labels of a plot with its frame {left, right, top, bottom}. */
function axes(frame, x, y, xName, yName) {
  const parts = [];
  for (const tick of y.ticks(5)) {
    const at = y.at(tick);
    parts.push(svg('line', { class: 'grid', x1: frame.left, x2: frame.right, y1: at, y2: at }));
    parts.push(svg('text', { x: frame.left - 8, y: at + 4, 'text-anchor': 'end', text: tickText(tick) }));
  }
  const room = Math.max(2, Math.floor((frame.right - frame.left) / 90));
  for (const tick of x.ticks(room)) {
    const at = x.at(tick);
    parts.push(svg('line', { class: 'axis', x1: at, x2: at, y1: frame.bottom, y2: frame.bottom + 4 }));
    parts.push(svg('text', { x: at, y: frame.bottom + 18, 'text-anchor': 'middle', text: tickText(tick) }));
  }
  parts.push(svg('line', { class: 'axis', x1: frame.left, x2: frame.right, y1: frame.bottom, y2: frame.bottom }));
  parts.push(svg('text', { x: frame.right, y: frame.bottom + 36, 'text-anchor': 'end', text: xName }));
  parts.push(svg('text', { class: 'name', x: frame.left - 8, y: frame.top - 12, 'text-anchor': 'start', text: yName }));
  return parts;
}
