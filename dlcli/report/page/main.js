/* Visibility of groups, with listeners that redraw on changes. */
function selection() {
  const watchers = [];
  const state = { hidden: new Set(), watch: (tell) => watchers.push(tell) };
  const told = (change) => (...given) => { change(...given); watchers.forEach((tell) => tell()); };
  state.toggle = told((at) => { if (!state.hidden.delete(at)) state.hidden.add(at); });
  state.only = told((at) => { state.hidden = new Set(data.groups.map((_, place) => place).filter((place) => place !== at)); });
  state.all = told((own) => {
    const shown = own.some((at) => !state.hidden.has(at));
    own.forEach((at) => (shown ? state.hidden.add(at) : state.hidden.delete(at)));
  });
  return state;
}

function themeButton() {
  const button = document.getElementById('theme'), root = document.documentElement;
  const dark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches);
  const label = () => { button.textContent = dark() ? '☀ light' : '☾ dark'; };
  button.addEventListener('click', () => { root.dataset.theme = dark() ? 'light' : 'dark'; label(); });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', label);
  label();
}

function saidCard() {
  const lines = [...data.sentence.split('\n'), ...data.notes].filter((line) => line);
  return lines.length ? el('section', { class: 'card said', id: 'sentence' }, ...lines.map((text, at) =>
    el('p', { class: at < data.sentence.split('\n').length && data.sentence ? null : 'quiet', text }))) : null;
}

document.getElementById('title').textContent = data.title;
document.getElementById('under').textContent =
  `${data.command} · ${data.runs.length} run${data.runs.length === 1 ? '' : 's'} · ${data.made}`;
themeButton();
const state = selection();
document.getElementById('main').append(...[
  saidCard(), resultCard(), curveCard(state), ...forestCards(), pairCard(), classCard(), parallelCard(state), runCard(), leftCard(),
].filter((part) => part !== null));
document.documentElement.dataset.ready = String(Math.round(performance.now()));
