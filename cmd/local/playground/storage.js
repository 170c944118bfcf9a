// The embedded storage: its keys, changes of it, and how it fails.
import { $, clock, element, log, say, stopwatch, timeOfDay } from './dom.js';

const { cacheMaxAge, notFoundMaxAge } = document.body.dataset; // in milliseconds
const kept = new Map(); // by key, until when this browser keeps its copy
let items = new Map(); // by key

export const stored = (key) => items.get(key);

// keep notes that the browser has a copy, until a time by this machine's clock.
export const keep = (key, until) => kept.set(key, until);

// --- the keys ---

// list asks which items there are. The rows stay as they are while their keys do: a button that is replaced loses the focus.
export async function list() {
  const all = await (await fetch('/storage/', { cache: 'no-store' })).json();
  const before = [...items.keys()].join();
  items = new Map(all.map((item) => [item.key, item]));
  if (before !== [...items.keys()].join()) showRows();
  showLives();
}

function showRows() {
  const focused = document.activeElement.closest('#keys button')?.textContent;
  $('keys').replaceChildren(...[...items.keys()].map((key) => {
    const row = element('li');
    row.append(Object.assign(element('button', key), { type: 'button' }), element('span'));
    return row;
  }));
  search();
  rows().find(({ button }) => button.textContent === focused)?.button.focus();
}

const rows = () => [...$('keys').children].map((row) => ({ row, button: row.firstChild, life: row.lastChild }));

// search hides the keys that do not have the text.
export function search() {
  const text = $('search').value.trim().toLowerCase();
  const all = rows();
  for (const { row, button } of all) row.hidden = !button.textContent.toLowerCase().includes(text);
  const shown = all.filter(({ row }) => !row.hidden).length;
  $('count').textContent = shown === all.length ? `${shown} keys` : `${shown} of ${all.length} keys`;
}

// showLives shows how long each item has left.
export function showLives() {
  for (const { button, life } of rows()) {
    const item = items.get(button.textContent);
    const left = item ? item.expires_at * 1000 - Date.now() : 0;
    const text = left > 0 ? clock(left) : 'ended';
    if (life.textContent !== text) life.textContent = text;
  }
}

// --- changes ---

// send sends a change, and says what came of it.
async function send(status, what, path, { method, body, done }) {
  const elapsed = stopwatch();
  try {
    const response = await fetch(path, { method, body });
    const problem = response.ok ? '' : (await response.text()).trim();
    say(status, problem || done, problem ? 'bad' : '');
    log(what, response.status, 'storage', elapsed(), !response.ok);
    return response.ok;
  } catch (error) {
    say(status, `No answer: ${error.message}`, 'bad');
    return false;
  }
}

export async function write(key) {
  const path = `/storage/${encodeURIComponent(key)}?ttl=${$('ttl').value}`;
  await change(key, 'PUT', path, $('new-value').value, `${key} is written.`);
}

export async function remove(key) {
  await change(key, 'DELETE', `/storage/${encodeURIComponent(key)}`, undefined, `${key} is deleted.`);
}

async function change(key, method, path, body, done) {
  $('after').hidden = true;
  await list().catch(() => {}); // what send says is enough
  const before = items.get(key);
  if (await send('written', `${method} ${key}`, path, { method, body, done })) {
    $('copies').replaceChildren(...copiesOf(key, before).map((text) => element('li', text)));
    $('after').hidden = false;
    await list().catch(() => {});
  }
}

// copiesOf says who may still show what was before a change, and until when. No copy outlives the item.
function copiesOf(key, before) {
  const now = Date.now();
  if (!before) return [`Who was told before that there is no ${key} may go on to say so until ${timeOfDay(now + Number(notFoundMaxAge))} (NOT_FOUND_MAX_AGE).`];
  const until = (time) => timeOfDay(Math.min(time, before.expires_at * 1000));
  const copies = [];
  const { local_ms: local, cache_ms: cache } = before; // by the rule for the key
  if (local > 0) copies.push(`The function may use a copy of the old value until ${until(now + local)} (LOCAL_MAX_AGE).`);
  if (kept.get(key) > now) copies.push(`This browser may use its copy until ${until(kept.get(key))}.`);
  if (cache > 0) copies.push(`Other browsers and caches may use theirs until ${until(now + cache)} (${cache === Number(cacheMaxAge) ? 'CACHE_MAX_AGE' : 'the max-age of its rule'}).`);
  return copies.length > 0 ? copies : ['No copy may be used any more.'];
}

export function fail({ value, selectedOptions: [{ text }] }) {
  return send('failing', `storage ${text}`, '/playground/fault', { method: 'PUT', body: value, done: `The storage ${text} from now on.` });
}

// become makes another one ask. The browser's cache knows no users here, since no token tells them apart.
export function become(claims) {
  const done = claims ? 'These claims count from now on. The browser may still use copies of what was answered before.' : 'Nobody with claims asks from now on.';
  return send('became', 'other claims', '/playground/claims', { method: 'PUT', body: claims, done });
}
