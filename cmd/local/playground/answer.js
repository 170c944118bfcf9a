// The latest answer: its value, its clocks and who gave it.
import { $, clock, element, say } from './dom.js';
import { hopsOf } from './hops.js';

let shown; // what the clocks need

// busy marks what is shown as old while a request runs.
export function busy(button, on) {
  $(button).setAttribute('aria-busy', on);
  $('answer').classList.toggle('old', on);
  $('answer').setAttribute('aria-busy', on);
}

// showHTTP shows an answer over HTTP, and returns who gave it.
export function showHTTP({ form, key, response, body, parsed, logged, now, fresh }) {
  const { by, sum, hops } = hopsOf(logged);
  const again = response.headers.get('Retry-After');
  const status = [response.status, response.ok ? '' : parsed?.code].filter(Boolean).join(' ');
  say('summary', `${status}. ${sum}${again ? ` Ask again in ${again} s.` : ''}`, response.ok ? 'good' : 'bad');
  hops.forEach(([state, text], i) => {
    const hop = $('hops').children[i];
    hop.className = state;
    hop.querySelector('span').textContent = text;
  });
  const value = form === 'value' && response.ok ? body : form === 'parsed' && parsed && 'value_json' in parsed ? parsed.value_json : parsed?.value;
  $('headers-title').textContent = 'Headers that a page of another origin may read';
  show({ what: key, body, parsed, value: response.ok && form !== 'batch' ? value : undefined, headers: readable(response.headers) });
  shown = { key, now, ends: parsed?.expires_at ? parsed.expires_at * 1000 : NaN, fresh };
  $('hops').hidden = $('clocks').hidden = false;
  tick();
  return { by, status };
}

// showDirect shows an answer to a direct invocation.
export function showDirect({ response, body, parsed, failed, now }) {
  const sum = failed ? `${parsed?.errorType ?? response.headers.get('X-Amzn-Errortype') ?? response.status}: ${parsed?.errorMessage ?? parsed?.message ?? parsed?.Message ?? body}` : 'The function answered.';
  say('summary', sum, failed ? 'bad' : 'good');
  const item = failed ? null : parsed;
  $('headers-title').textContent = 'Headers';
  show({ what: 'Direct invocation', body, parsed, value: item?.value, headers: [...response.headers] });
  shown = {
    key: item?.key, now, ends: item?.expires_at ? item.expires_at * 1000 : NaN,
    fresh: item?.max_age > 0 ? now() + item.max_age * 1000 : null,
  };
  $('hops').hidden = true;
  $('clocks').hidden = item?.max_age === undefined;
  tick();
}

// show shows the value, and the whole answer if there is none. A value that is JSON is shown as JSON.
function show({ what, body, parsed, value, headers }) {
  const json = value === undefined ? parsed : typeof value === 'string' ? structured(value) : value;
  const text = json === undefined ? value ?? body : JSON.stringify(json, null, 2);
  $('asked').textContent = what;
  $('value').textContent = text === '' ? '(empty)' : text;
  $('value').classList.toggle('long', text.length > 60 || text.includes('\n'));
  $('kind').textContent = value === undefined ? '' : json === undefined ? 'Text' : 'JSON';
  $('body').textContent = body;
  $('headers').replaceChildren(...headers.flatMap(([name, text]) => [element('dt', name), element('dd', text)]));
  $('answer').hidden = false;
}

// structured is what a text is as JSON, undefined if that is no object or list: the text 42 is shown as it is.
function structured(text) {
  try {
    const json = JSON.parse(text);
    return typeof json === 'object' && json !== null ? json : undefined;
  } catch {
    return undefined;
  }
}

// fail says that there was no answer.
export function fail(error) {
  $('answer').hidden = true;
  shown = undefined;
  say('summary', `No answer: ${error.message}. Is cmd/local still running?`, 'bad');
}

// readable are the headers that the function shows to every page, and those that any response does (Fetch standard).
function readable(headers) {
  const always = ['cache-control', 'content-language', 'content-length', 'content-type', 'expires', 'last-modified', 'pragma'];
  const exposed = (headers.get('Access-Control-Expose-Headers') ?? '').toLowerCase().split(/\s*,\s*/);
  return [...headers].filter(([name]) => always.includes(name) || exposed.includes(name));
}

// tick moves the clocks.
export function tick() {
  if (!shown) return;
  const [ends, fresh] = [shown.ends - shown.now(), shown.fresh - shown.now()];
  const over = ends <= 0;
  if (over && !$('value').classList.contains('over')) say('summary', `${shown.key} has ended: no page may show it any longer.`, 'bad');
  $('ends').textContent = Number.isNaN(ends) ? '–' : over ? 'ended' : clock(ends);
  $('fresh').textContent = shown.fresh === null ? 'no time' : fresh > 0 ? clock(fresh) : 'not any more';
  for (const id of ['ends', 'value', 'body']) $(id).classList.toggle('over', over);
}
