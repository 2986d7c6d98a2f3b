/* A table whose heads sort it; `decorate(cell, row, column)` may dress a cell. */
function tableOf(found, decorate) {
  const body = el('tbody');
  const rows = found.cells.map((cells, row) => el('tr', { 'data-row': row }, ...cells.map((text, column) => {
    const cell = el('td', { class: found.columns[column].wordy ? 'wordy' : null, text, title: text.length > 40 ? text : null });
    decorate(cell, row, column);
    return cell;
  })));
  body.append(...rows);
  const heads = found.columns.map((column, place) => el('th', { scope: 'col', class: column.wordy ? 'wordy' : null },
    el('button', { type: 'button', text: column.title, onclick: () => sortBy(place) })));

  function sortBy(place) {
    const down = heads[place].getAttribute('aria-sort') === 'ascending';
    heads.forEach((head) => head.removeAttribute('aria-sort'));
    heads[place].setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const keyed = rows.map((row, at) => [found.sort[at][place], at]);
    keyed.sort(([a, i], [b, j]) => {
      if (a === null || b === null) return a === b ? i - j : a === null ? 1 : -1;
      return (down ? -1 : 1) * compareValues(a, b) || i - j;
    });
    body.append(...keyed.map(([, at]) => rows[at]));
  }
  return el('div', { class: 'wide' }, el('table', {}, el('thead', {}, el('tr', {}, ...heads)), body));
}

function compareValues(a, b) {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return a.localeCompare(b, 'en', { numeric: true });
}

function named(cell, group) {
  const text = cell.textContent;
  cell.replaceChildren(el('span', { class: 'named' }, swatch(group), el('span', { text })));
}

function resultCard() {
  const groups = data.groups.length === 1 ? 'one group' : `${data.groups.length} groups`;
  return card('results', title('Results', `${groups}; runs of one group differ only in the seed`),
    tableOf(data.table, (cell, row, column) => { if (column === 0) named(cell, row); }));
}

function pairCard() {
  if (!data.pairTable) return null;
  const place = Object.fromEntries(data.groups.map((group, at) => [group.name, at]));
  const last = data.pairTable.columns.findIndex((column) => column.title === 'verdict');
  const first = data.pairTable.columns.findIndex((column) => column.title === 'what');
  return card('differences', title('Differences', 'mean of the first minus mean of the second; p corrected over the family'),
    tableOf(data.pairTable, (cell, row, column) => {
      if (column === first && data.pairs[row].a in place) named(cell, place[data.pairs[row].a]);
      if (column === last) cell.classList.add(data.pairs[row].verdict);
    }));
}
