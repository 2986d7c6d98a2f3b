const data = JSON.parse(document.getElementById('data').textContent);
const SVG = 'http://www.w3.org/2000/svg';
const COLOURS = 8;
const DASHES = ['', '7 4', '2 4', '9 3 2 3'];

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'text') node.textContent = value;
    else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...(children || []).filter((child) => child !== null));
  return node;
}
const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

/* The colors of each task start with the first one. */
const seen = {};
const turns = data.groups.map(({ yardstick }) => (seen[yardstick] = (seen[yardstick] ?? -1) + 1));
const colour = (group) => `var(--c${turns[group] % COLOURS})`;
const dash = (group) => DASHES[Math.floor(turns[group] / COLOURS) % DASHES.length];
const title = (text, more) => el('h2', { text }, more ? el('span', { class: 'quiet', text: more }) : null);
const card = (id, ...children) => el('section', { class: 'card', id }, ...children);
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function swatch(group) {
  const line = svg('line', { x1: 1, y1: 5, x2: 17, y2: 5, 'stroke-width': 3, 'stroke-dasharray': dash(group) });
  line.style.stroke = colour(group);
  const box = svg('svg', { class: 'swatch', width: 18, height: 10, 'aria-hidden': 'true' }, line);
  box.style.width = '18px';
  return box;
}

function figure(value) {
  if (value === null || value === undefined) return '';
  const size = Math.abs(value);
  if (size && (size < 1e-3 || size >= 1e7)) return value.toExponential(2);
  if (Number.isInteger(value) || size >= 1e4) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(4)));
}

const tip = document.getElementById('tip');
function showTip(event, head, rows) {
  tip.replaceChildren(el('div', {}, el('strong', { text: head })), ...rows);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const right = event.clientX + 16 + box.width > innerWidth;
  tip.style.left = `${Math.max(4, right ? event.clientX - 16 - box.width : event.clientX + 16)}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + 12, innerHeight - box.height - 8))}px`;
}
const hideTip = () => { tip.hidden = true; };
const tipRow = (group, name, value) =>
  el('div', {}, swatch(group), el('span', { text: cut(name, 44) }), el('b', { text: value }));

/* Draws into a box of the width it has, again when that changes. */
function drawn(draw, className) {
  const box = el('div', { class: className || 'wide' });
  let width = 0;
  const redraw = () => { if (width) box.replaceChildren(draw(width)); };
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now && now !== width) { width = now; redraw(); }
  }).observe(box);
  box.redraw = redraw;
  return box;
}
