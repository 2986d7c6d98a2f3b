/* Precision, recall and F1 of each class, and the confusion matrix, of one run of a group. */
function classCard() {
  if (!data.classes.length) return null;
  const box = el('div', { class: 'pair' });
  const show = (at) => {
    const entry = data.classes[at];
    box.replaceChildren(...[
      entry.table ? tableOf(entry.table, () => {}) : null, entry.confusion ? confusionOf(entry.confusion) : null,
    ].filter((part) => part !== null));
  };
  const label = ({ group, seed }) => `${data.groups[group].name}, seed ${seed ?? '?'}`;
  const picked = data.classes.length > 1 ? el('select', {
    'aria-label': 'run', onchange: (event) => show(Number(event.target.value)),
  }, ...data.classes.map((entry, at) => el('option', { value: at, text: label(entry) }))) : null;
  show(0);
  return card('classes', title('Classes', data.classes.length > 1 ? 'of one run of a group' : label(data.classes[0])), picked, box);
}

/* True classes as rows, predicted classes as columns; the shade is the square root of the share of the row. */
function confusionOf({ names, counts }) {
  const head = el('tr', {}, el('th', { text: 'true \\ predicted' }), ...names.map((name) => el('th', { scope: 'col', text: cut(name, 14) })));
  const rows = counts.map((row, at) => {
    const total = row.reduce((sum, count) => sum + count, 0) || 1;
    return el('tr', {}, el('th', { scope: 'row', text: cut(names[at], 24) }), ...row.map((count, column) => {
      const cell = el('td', { text: String(count), title: `${names[at]} predicted as ${names[column]}: ${count}` });
      cell.style.background = `color-mix(in oklab, var(--c0) ${Math.round(70 * Math.sqrt(count / total))}%, transparent)`;
      return cell;
    }));
  });
  return el('div', { class: 'wide' }, el('table', { class: 'confusion' }, el('thead', {}, head), el('tbody', {}, ...rows)));
}
