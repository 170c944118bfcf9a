// Reads items as any page does, and shows who answered and for how long the answer holds.
const $ = (id) => document.getElementById(id);
const withStorage = $('write') !== null;

// --- reading ---

let reading = new AbortController(); // of the latest read, which alone is shown

async function read(key) {
  reading.abort();
  const { signal } = reading = new AbortController();
  $('key').value = key;
  say('summary', `Reading ${key} …`);
  const mark = crypto.randomUUID();
  const cache = new FormData($('read')).get('cache');
  const elapsed = stopwatch();
  try {
    const response = await fetch(itemURL(key), { cache, signal, headers: { 'Playground-Request': mark } });
    const body = await response.text();
    const ms = elapsed();
    show({ key, response, body, ms, ...await visit(mark, signal) });
  } catch (error) {
    if (signal.aborted) return;
    $('answer').hidden = true;
    say('summary', `No answer: ${error.message}. Is cmd/local still running?`, 'bad');
    log(`GET ${key}`, 'no answer', '', elapsed(), true);
  }
}

// No URL can hold "." and ".." in its path.
function itemURL(key) {
  return `/v1/items${key === '.' || key === '..' ? `?key=${key}` : `/${encodeURIComponent(key)}`}`;
}

// visit asks what the function made of the request; null if it got none. This answer never comes from a cache, so that
// its Date is the server's clock, where an answer from a cache has the Date of when it was made. Date is whole seconds:
// it may be almost one short.
async function visit(mark, signal) {
  const since = stopwatch();
  const response = await fetch(`/playground/requests/${mark}`, { cache: 'no-store', signal });
  const date = Date.parse(response.headers.get('Date')) + 1000;
  return { visit: await response.json(), now: () => date + since() };
}

// Two clocks, and the one that went further counts: performance.now() may stand still while a computer sleeps, and
// Date.now() goes back when somebody sets it. Only differences are used, so that a wrong clock does no harm.
function stopwatch() {
  const [steady, wall] = [performance.now(), Date.now()];
  return () => Math.max(performance.now() - steady, Date.now() - wall);
}

// --- who answered ---

// way tells what became of the request at the browser's cache, the function and Voximplant, and sums it up.
function way({ visit }) {
  if (!visit) {
    return { by: 'browser’s cache', sum: 'The browser’s cache answered by itself.', steps: [['answered', 'answered'], ['', 'not asked'], ['', 'not asked']] };
  }
  const w = wayIn(visit);
  if (visit.status !== 304) return { ...w, steps: [['asked', 'had no answer'], ...w.steps] };
  return {
    by: `304, ${w.by}`, sum: 'The browser’s cache answered: the function says that its copy still holds (304).',
    steps: [['answered', 'answered'], ['asked', 'said “unchanged” (304)'], w.steps[1]],
  };
}

function wayIn({ cache, upstream_ms }) {
  const asked = `${upstream_ms.toFixed(1)} ms`;
  switch (cache) {
    case 'hit':
      return { by: 'function’s copy', sum: 'The function answered from its copy.', steps: [['answered', 'answered from its copy'], ['', 'not asked']] };
    case 'miss':
      return { by: 'Voximplant', sum: 'Voximplant answered.', steps: [['asked', 'had no young copy'], ['answered', `answered, ${asked}`]] };
    case 'stale':
      return { by: 'function’s old copy', sum: 'Voximplant failed. An older copy of the function, not expired, stood in.', steps: [['answered', 'answered from an older copy'], ['failed', `failed, ${asked}`]] };
    case 'none':
      return { by: 'Voximplant failed', sum: 'Voximplant failed, and no copy could stand in.', steps: [['asked', 'had no copy that could stand in'], ['failed', `failed, ${asked}`]] };
    case 'scope':
      return { by: 'function: out of scope', sum: 'The key is outside ALLOWED_KEYS, and so does not exist.', steps: [['answered', 'key is outside ALLOWED_KEYS'], ['', 'not asked']] };
  }
  return { by: 'function', sum: 'The function answered.', steps: [['answered', 'answered'], ['', 'not asked']] };
}

// --- showing ---

let shown; // the latest answer: what its clocks need

function show({ key, response, body, ms, visit, now }) {
  const { by, sum, steps } = way({ visit });
  const parsed = parse(body);
  const again = response.headers.get('Retry-After');
  const status = [response.status, parsed?.code].filter(Boolean).join(' ');
  say('summary', `${status}. ${sum}${again ? ` Ask again in ${again} s.` : ''}`, response.ok ? 'good' : 'bad');
  steps.forEach(([state, text], i) => {
    const step = $('way').children[i];
    step.className = state;
    step.querySelector('span').textContent = text;
  });
  $('body').textContent = parsed ? JSON.stringify(parsed, null, 2) : body;
  $('headers').replaceChildren(...readable(response.headers).flatMap(([name, value]) => [element('dt', name), element('dd', value)]));
  shown = { key, now, ends: parsed?.expires_at ? parsed.expires_at * 1000 : NaN, fresh: freshUntil(response.headers) };
  $('answer').hidden = false;
  tick();
  $('way').scrollIntoView({ block: 'nearest' }); // on a phone it may be below the fold
  log(`GET ${key}`, status, by, ms, !response.ok);
}

// readable are the headers that the function shows to every page, and those that any response does (Fetch standard).
function readable(headers) {
  const always = ['cache-control', 'content-language', 'content-length', 'content-type', 'expires', 'last-modified', 'pragma'];
  const exposed = (headers.get('Access-Control-Expose-Headers') ?? '').toLowerCase().split(/\s*,\s*/);
  return [...headers].filter(([name]) => always.includes(name) || exposed.includes(name));
}

// freshUntil is by the server's clock, in milliseconds; null where the browser asks each time.
function freshUntil(headers) {
  const maxAge = Number(/max-age=(\d+)/.exec(headers.get('Cache-Control'))?.[1]);
  return maxAge > 0 ? Date.parse(headers.get('Date')) + (maxAge - Number(headers.get('Age'))) * 1000 : null;
}

function tick() {
  if (!shown) return;
  const [ends, fresh] = [shown.ends - shown.now(), shown.fresh - shown.now()];
  const over = ends <= 0;
  if (over && !$('body').classList.contains('over')) say('summary', `${shown.key} has ended: no page may show it any longer.`, 'bad');
  $('ends').textContent = Number.isNaN(ends) ? '–' : over ? 'ended' : clock(ends);
  $('fresh').textContent = shown.fresh === null ? 'no time' : fresh > 0 ? clock(fresh) : 'not any more';
  for (const id of ['ends', 'body']) $(id).classList.toggle('over', over);
}

function clock(ms) {
  const s = Math.ceil(ms / 1000);
  const two = (n) => String(Math.floor(n)).padStart(2, '0');
  if (s >= 86400) return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
  return `${s >= 3600 ? `${Math.floor(s / 3600)}:` : ''}${two(s % 3600 / 60)}:${two(s % 60)}`;
}

function log(what, status, by, ms, bad = false) {
  const line = element('li');
  line.append(element('time', new Date().toLocaleTimeString('en-GB')), element('code', what), element('span', status, bad ? 'bad' : ''),
    element('span', by, 'by'), element('span', `${ms.toFixed(0)} ms`, 'by'));
  $('log').prepend(line);
  $('log').children[10]?.remove();
  $('no-requests').hidden = true;
}

function say(id, text, className = '') {
  Object.assign($(id), { textContent: text, className });
}

function element(name, text = '', className = '') {
  return Object.assign(document.createElement(name), { textContent: text, className });
}

function parse(text) {
  try { return JSON.parse(text); } catch { return null; }
}

// --- the embedded storage ---

let values = new Map(); // by key
let listed; // the keys shown

async function showKeys() {
  const items = await (await fetch('/storage/', { cache: 'no-store' })).json();
  values = new Map(items.map(({ key, value }) => [key, value]));
  if (listed === (listed = [...values.keys()].join())) return; // a button that is replaced loses the focus
  const focused = document.activeElement.textContent;
  $('keys').replaceChildren(...[...values.keys()].map((key) => {
    const item = element('li');
    item.append(Object.assign(element('button', key), { type: 'button' }));
    return item;
  }));
  [...$('keys').querySelectorAll('button')].find((button) => button.textContent === focused)?.focus();
}

// change sends a change of the storage, and says what came of it.
async function change(status, what, path, { method, body, done }) {
  const elapsed = stopwatch();
  try {
    const response = await fetch(path, { method, body });
    const problem = response.ok ? '' : (await response.text()).trim();
    say(status, problem || done, problem ? 'bad' : '');
    log(what, response.status, 'storage', elapsed(), !response.ok);
  } catch (error) {
    say(status, `No answer: ${error.message}`, 'bad');
  }
}

async function write(key) {
  const path = `/storage/${encodeURIComponent(key)}?ttl=${$('ttl').value}`;
  await change('written', `PUT ${key}`, path, { method: 'PUT', body: $('value').value, done: `${key} is written.` });
  await showChanged(key);
}

async function remove(key) {
  const done = `${key} is deleted. Copies of it may live on for as long as caches may answer.`;
  await change('written', `DELETE ${key}`, `/storage/${encodeURIComponent(key)}`, { method: 'DELETE', done });
  await showChanged(key);
}

async function showChanged(key) {
  $('key').value = key;
  await showKeys().catch(() => {}); // a read will tell that nobody answers
}

function fail({ value, selectedOptions: [{ text }] }) {
  return change('failing', `storage ${text}`, '/playground/fault', { method: 'PUT', body: value, done: `The storage ${text} from now on.` });
}

// become makes another one ask. The browser's cache knows no users here, since no token tells them apart.
function become(claims) {
  const done = claims ? 'Asking with these claims from now on. The browser’s cache may still answer for who asked before.' : 'Asking without claims from now on.';
  return change('became', 'other claims', '/playground/claims', { method: 'PUT', body: claims, done });
}

// --- events ---

$('read').addEventListener('submit', (event) => {
  event.preventDefault();
  read($('key').value);
});
$('user')?.addEventListener('submit', (event) => {
  event.preventDefault();
  become($('claims').value.trim());
});
setInterval(tick, 250);
if (withStorage) {
  $('write').addEventListener('submit', (event) => {
    event.preventDefault();
    write($('write-key').value);
  });
  $('delete').addEventListener('click', () => $('write').reportValidity() && remove($('write-key').value));
  $('fault').addEventListener('change', ({ target }) => fail(target));
  $('keys').addEventListener('click', ({ target }) => {
    const key = target.closest('button')?.textContent;
    if (!key) return;
    [$('write-key').value, $('value').value] = [key, values.get(key)];
    read(key);
  });
  setInterval(() => showKeys().catch(() => {}), 5000); // items end
  showKeys();
}
