/* Every run, folded; what is inside is made when it is opened. */
function runCard() {
  const rows = data.runs.map(runRow);
  const filter = el('input', {
    class: 'filter', type: 'search', placeholder: `filter ${data.runs.length} runs`, 'aria-label': 'filter runs',
    oninput: (event) => {
      const wanted = event.target.value.toLowerCase();
      rows.forEach((row) => { row.hidden = !row.words.includes(wanted); });
    },
  });
  return card('runs', title('Runs', 'configuration and environment of each'), data.runs.length > 6 ? filter : null, el('div', { id: 'shelf' }, ...rows));
}

function runRow(run) {
  const good = run.status === 'completed' || run.status === 'running';
  const row = el('details', { 'data-run': run.id }, el('summary', {}, swatch(run.group), el('strong', { text: run.name }),
    el('span', { text: `seed ${run.seed ?? '?'}` }), el('code', { text: run.id }),
    el('span', { class: `status${good ? '' : ' bad'}`, text: run.status }), el('span', { class: 'quiet', text: run.started })));
  row.words = `${run.name} ${run.id} ${run.status} seed ${run.seed} ${data.groups[run.group].name}`.toLowerCase();
  row.addEventListener('toggle', () => { if (row.open && row.children.length === 1) row.append(...inside(run)); });
  return row;
}

function inside(run) {
  const part = (name, text) => el('div', {}, el('h3', { text: name }), el('pre', { text }));
  return [el('p', { class: 'quiet', text: `${run.path} on ${run.host}` }), el('div', { class: 'trio' },
    part('configuration', data.texts[run.config]), part('environment', data.texts[run.environment]), part('facts', data.texts[run.facts]))];
}

function leftCard() {
  if (!data.left.length) return null;
  const lines = data.left.map((one) => el('li', { text: `${one.id || one.path}: ${one.reason}` }));
  return card('left', title('Excluded runs', 'with reasons'), el('ul', { class: 'left' }, ...lines));
}
