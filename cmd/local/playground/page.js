// Reads items as any page does, and shows who answered and for how long the answer holds.
import { busy, fail as failToAnswer, showDirect, showHTTP, tick } from './answer.js';
import { asAWS, asClient, asCurl, asFetch } from './copy.js';
import { $, clock, log, say } from './dom.js';
import { ask, invoke, readyPayloads } from './requests.js';
import { become, fail, keep, list, remove, search, showLives, stored, write } from './storage.js';
import { watch } from './watch.js';

const { example, functionName, notFoundMaxAge } = document.body.dataset;
const withStorage = $('write') !== null;

// --- the view, which is in the URL too ---

const standard = { tab: 'http', key: example, form: 'item', cache: 'default', payload: '', watch: '' };
let stop = null; // ends the watch
let next = null; // when the watch asks again

function view() {
  return {
    tab: $('direct').hidden ? 'http' : 'direct', key: $('key').value, form: $('form').value, cache: $('cache').value,
    payload: $('payload').value, watch: stop ? '1' : '', functionName,
  };
}

// remember writes the view into the URL. It stands behind #, so that it is in no log.
function remember() {
  const now = view();
  const different = Object.keys(standard).filter((name) => now[name] !== standard[name] && (now.tab === 'direct' || name !== 'payload'));
  const parameters = new URLSearchParams(different.map((name) => [name, now[name]]));
  history.replaceState(null, '', `#${parameters}`);
}

// open shows the view of the URL. It reads, but invokes nothing by itself: a payload may change items.
async function open() {
  const wanted = { ...standard, ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) };
  if (wanted.tab !== 'direct' && wanted.key === example) wanted.key = await firstKey();
  stopWatching();
  for (const name of ['key', 'payload']) $(name).value = wanted[name];
  for (const name of ['form', 'cache']) choose($(name), wanted[name]);
  if (!wanted.payload) fillPayload('key');
  selectTab(wanted.tab === 'direct' ? 'direct' : 'http');
  if (wanted.tab === 'direct') say('summary', 'Not invoked yet.');
  else if (wanted.watch && wanted.key) startWatching();
  else if (wanted.key) read();
  else say('summary', 'Nothing read yet. Type a key that ALLOWED_KEYS allows.');
}

// firstKey is a key whose item can be shown. In the embedded storage the example has one. Of a real account the rules tell
// how a key may begin, so that those that are there can be listed.
async function firstKey() {
  if (withStorage) return example;
  const payload = JSON.stringify(readyPayloads(example)['list-keys']);
  const { parsed } = await invoke(functionName, payload).catch(() => ({})); // a read will tell that nobody answers
  return parsed?.items?.[0]?.key ?? '';
}

// choose selects an option, the first if there is none of this value.
function choose(select, value) {
  const option = [...select.options].find((one) => one.value === value && !one.disabled);
  (option ?? select.options[0]).selected = true;
}

function selectTab(name) {
  for (const one of ['http', 'direct']) {
    $(one).hidden = one !== name;
    $(`tab-${one}`).setAttribute('aria-selected', one === name);
    $(`tab-${one}`).tabIndex = one === name ? 0 : -1;
  }
  for (const button of document.querySelectorAll('.copy button')) button.hidden = name === 'direct' && ['fetch', 'client'].includes(button.value);
  hideSnippet();
}

// --- reading ---

let running = new AbortController(); // the latest request, which alone is shown

async function read() {
  const asked = view();
  running.abort();
  const { signal } = running = new AbortController();
  remember();
  const what = `GET ${asked.key}${asked.form === 'item' ? '' : ` (${$('form').selectedOptions[0].value})`}${stop ? ', watched' : ''}`;
  if (!stop) {
    say('summary', `Reading ${asked.key} …`);
    busy('read-button', true);
  }
  try {
    const answer = await ask(asked, signal);
    const { by, status } = showHTTP(answer);
    log(what, status, by, answer.ms, !answer.response.ok);
    if (answer.fresh && answer.form === 'item') keep(answer.key, Date.now() + answer.fresh - answer.now());
    return answer;
  } catch (error) {
    if (signal.aborted) return null;
    failToAnswer(error);
    log(what, 'no answer', '', 0, true);
    return null;
  } finally {
    if (!signal.aborted) busy('read-button', false);
  }
}

// readAndShow reads for somebody who may look at another part of the page.
async function readAndShow() {
  if (await read()) $('value').scrollIntoView({ block: 'nearest' });
}

async function runInvocation() {
  running.abort();
  const { signal } = running = new AbortController();
  remember();
  say('summary', 'Invoking …');
  busy('invoke-button', true);
  try {
    const answer = await invoke(functionName, $('payload').value, signal);
    showDirect(answer);
    $('value').scrollIntoView({ block: 'nearest' });
    log('invoke', answer.failed ? 'error' : answer.response.status, 'direct', answer.ms, answer.failed);
  } catch (error) {
    if (signal.aborted) return;
    failToAnswer(error);
    log('invoke', 'no answer', '', 0, true);
  } finally {
    if (!signal.aborted) busy('invoke-button', false);
  }
}

function fillPayload(name) {
  const payload = readyPayloads($('key').value.trim().split(/\s+/)[0] || example || 'order:1001')[name];
  $('payload').value = JSON.stringify(payload, null, 2);
}

// --- watching ---

function startWatching() {
  if (!$('read').reportValidity()) return;
  $('watch').textContent = 'Stop watching';
  stop = () => {};
  stop = watch(read, Number(notFoundMaxAge), (time) => {
    next = time;
    showNext();
  });
}

function stopWatching() {
  stop?.();
  stop = next = null;
  $('watch').textContent = 'Watch';
  $('watching').textContent = 'Watch asks again each time the answer may have changed.';
}

function showNext() {
  if (!stop) return;
  const text = document.hidden || !next ? 'Asking …' : `Watching. Asks again in ${clock(Math.max(next - Date.now(), 0))}.`;
  if ($('watching').textContent !== text) $('watching').textContent = text;
}

// --- copying ---

const snippets = { curl: asCurl, fetch: asFetch, client: asClient, aws: asAWS };

async function copy(name) {
  const text = snippets[name](view(), location.origin);
  $('snippet').textContent = text;
  $('snippet').hidden = false;
  try {
    await navigator.clipboard.writeText(text);
    say('copied', 'Copied:');
  } catch {
    say('copied', 'The browser does not let this page copy. Copy it yourself:');
  }
}

function hideSnippet() {
  $('snippet').hidden = true;
  say('copied', '');
}

// --- events ---

function submit(id, action) {
  $(id).addEventListener('submit', (event) => {
    event.preventDefault();
    action();
  });
}

submit('read', () => {
  stopWatching();
  readAndShow();
});
submit('invoke', runInvocation);
if ($('user')) submit('user', () => become($('claims').value.trim()));
$('watch').addEventListener('click', () => {
  if (!stop) return startWatching();
  stopWatching();
  remember();
});
$('ready').addEventListener('click', ({ target }) => target.value && fillPayload(target.value));
document.querySelector('.copy').addEventListener('click', ({ target }) => target.value && copy(target.value));
for (const id of ['http', 'direct']) {
  $(`tab-${id}`).addEventListener('click', () => {
    stopWatching();
    selectTab(id);
    remember();
  });
}
document.querySelector('[role=tablist]').addEventListener('keydown', ({ key }) => {
  if (key !== 'ArrowLeft' && key !== 'ArrowRight') return;
  const other = $($('direct').hidden ? 'tab-direct' : 'tab-http');
  other.click();
  other.focus();
});
for (const id of ['key', 'form', 'cache', 'payload']) {
  $(id).addEventListener('input', () => {
    stopWatching(); // of what was asked before
    hideSnippet();
    remember();
  });
}
addEventListener('hashchange', open);
setInterval(() => {
  tick();
  showNext();
  if (withStorage) showLives();
}, 250);

if (withStorage) {
  const readKey = (key) => {
    stopWatching();
    selectTab('http');
    $('key').value = key;
    if ($('form').value === 'batch') choose($('form'), 'item');
    readAndShow();
  };
  submit('write', () => write($('write-key').value));
  $('delete').addEventListener('click', () => $('write').reportValidity() && remove($('write-key').value));
  $('read-changed').addEventListener('click', () => readKey($('write-key').value));
  $('fault').addEventListener('change', ({ target }) => fail(target));
  $('search').addEventListener('input', search);
  $('keys').addEventListener('click', ({ target }) => {
    const key = target.closest('button')?.textContent;
    if (!key) return;
    [$('write-key').value, $('new-value').value] = [key, stored(key)?.value ?? ''];
    readKey(key);
  });
  setInterval(() => list().catch(() => {}), 5000); // items end
  list().catch(() => {}); // reading will tell that nobody answers
}
open();
