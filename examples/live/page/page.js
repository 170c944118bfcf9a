import { createClient } from '/voxkv-client.min.js';
import { plays, url } from '/config.js';

const meanings = {
  ringing: ['Ringing', 'The customer’s telephone rings.', 'busy'],
  connected: ['Connected', 'The customer has answered.', 'good'],
  ended: ['Ended', 'The call is over.', 'over'],
  failed: ['No answer', 'The customer was not reached.', 'bad'],
};
const $ = (id) => document.getElementById(id);
const order = new URLSearchParams(location.search).get('order') ?? '2001';

let item; // undefined before the first answer
let had = false; // whether there was an item
let changed; // when item was seen to change
let error; // why the last request got no answer

function words() {
  if (item) return meanings[item.value] ?? [item.value, 'A status that this page has no words for.', 'over'];
  if (item === undefined) return ['…', 'Asking for the first time.', 'over'];
  if (!had) return ['No call yet', 'There is no status for this order.', 'over'];
  if (error) return ['Unknown', 'The last status has reached its end, and we cannot ask for the next.', 'over'];
  return ['No status', 'The last one has reached its end, or was deleted.', 'over'];
}

function show() {
  const [status, meaning, kind] = words();
  $('status').textContent = status;
  $('status').className = error && item ? 'old' : kind;
  $('meaning').textContent = meaning;
  document.title = `${status} – order ${order}`;
  const since = $('seen').children.length > 1 ? 'The last change was seen at ' : 'First seen at ';
  $('since').replaceChildren(...(changed ? [since, time(changed), '.'] : []));
  $('connection').className = error ? 'bad' : 'good';
  $('connection').textContent = connection();
}

function connection() {
  if (!error) return changed ? 'Live.' : '';
  const known = item ? 'This is the last status that we know.' : '';
  const why = error.status ? `voxkv has no answer (${error.code ?? `HTTP status ${error.status}`}).` : 'voxkv cannot be reached.';
  return `Not live: ${why} We keep trying. ${known}`;
}

function time(date) {
  const element = document.createElement('time');
  element.dateTime = date.toISOString();
  element.textContent = date.toLocaleTimeString('en-GB');
  return element;
}

function see(next) {
  item = next;
  had ||= item !== null;
  changed = new Date();
  const [status] = words();
  const line = document.createElement('li');
  line.append(time(changed), ' ', status);
  $('seen').prepend(line);
  if ($('seen').children.length > 8) $('seen').lastChild.remove();
  show();
}

// Everything that keeps the status live.
function watch() {
  createClient({ url }).watch(`order:${order}`, see, {
    onError(failure) {
      error = failure;
      show();
    },
    onAnswer() {
      error = undefined;
      show();
    },
  });
}

// What the buttons do is played by this example's server.
async function ask(path, body, done) {
  $('done').textContent = '';
  try {
    const response = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    $('done').textContent = response.ok ? done : await response.text();
  } catch {
    $('done').textContent = 'The program that serves this page does not run any more.';
  }
}

function play() {
  $('try').hidden = false;
  $('call').addEventListener('submit', (event) => {
    event.preventDefault();
    const longest = $('short').checked ? 20 : undefined;
    ask('/call', { order, customer: $('customer').value, longest }, 'The scenario has started and calls the customer.');
  });
  for (const button of document.querySelectorAll('button[data-path]')) {
    button.addEventListener('click', () => ask(button.dataset.path, { order, ...JSON.parse(button.dataset.body) }, `${button.textContent}: done.`));
  }
}

$('order').textContent = order;
if (/^\d{1,10}$/.test(order)) {
  watch();
  if (plays) play();
} else {
  $('status').textContent = 'No such order';
  $('meaning').textContent = 'An order is a number, as in /?order=2001.';
}
