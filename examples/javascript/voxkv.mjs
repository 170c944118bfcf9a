// Reads items from voxkv, in a page or in Node 20 and newer. No dependencies: copy this file.
//
//   import { getItem } from './voxkv.mjs';
//
//   let item = await getItem('https://kv.example.com', 'order:1001');
//   show(item ? item.value : 'no such order');
//
//   // Later: a value may be used until its item expires, and not a moment longer.
//   if (item?.expired) item = await getItem('https://kv.example.com', 'order:1001');
//
// Asking often costs little: the browser's cache answers for as long as the function allows.

/**
 * Reads the item under a key.
 *
 * Resolves to null where there is no item, and to { key, value, expires_at, left(), expired } where there is one:
 *   value       a string, as it was stored; if it is JSON, parse it
 *   expires_at  when the item ends, in Unix seconds, or null. Do not compare it with Date.now(): people's clocks are wrong
 *   left()      the milliseconds for which value may still be used, by a clock that nobody can set; 0 at the end
 *   expired     whether that is over. It is at once if expires_at is null: use such a value now, and do not keep it
 * Keep the item itself: a copy of it stops counting.
 *
 * Rejects with an Error that has
 *   status      of the answer, such as 503
 *   code        to switch on, such as 'upstream_busy'; undefined if a gateway in front gave the answer
 *   retryAfter  the milliseconds to wait before asking again; undefined if the answer names none
 * and, as fetch does, with an AbortError after signal, and with a TypeError if there is no answer at all.
 *
 * @param {string} url  the root of the API, without a slash at its end
 * @param {string} key  as it was stored; it is escaped here
 * @param {{signal?: AbortSignal}} [options]
 */
export function getItem(url, key, { signal } = {}) {
  // No URL can hold "." and ".." in its path.
  const path = key === '.' || key === '..' ? `?key=${key}` : `/${encodeURIComponent(key)}`;
  return read(`${url}/v1/items${path}`, signal, 'default');
}

// No headers of our own: with one, browsers would ask for permission first, and not use their cache.
async function read(url, signal, cache) {
  const elapsed = stopwatch(); // before the request: its way through the network counts
  const response = await fetch(url, { signal, cache });
  if (!response.ok) return absent(response, signal);
  const item = await response.json();
  const keptFor = cache === 'default' ? maxAge(response.headers) : 0;
  const life = lifeOnArrival(item, response.headers, keptFor);
  // Too old only if the browser has kept it for long. Where that is possible, let it ask.
  if (life <= 0 && keptFor > 0) return read(url, signal, 'no-cache');
  const left = () => Math.max(0, life - elapsed()) || 0;
  return { ...item, left, get expired() { return left() === 0; } };
}

// Date and Age tell the age of an answer when it reached the browser. How long the browser's cache has kept it since,
// nothing tells, but it is at most max-age, Age included. Date and Age are whole seconds: each may be almost one short.
// The third second is for a shared cache that counts Age from when an answer arrived, and got it late.
function lifeOnArrival(item, headers, keptFor) {
  const age = Math.max(Number(headers.get('Age')), keptFor);
  return (item.expires_at - age - 3) * 1000 - Date.parse(headers.get('Date'));
}

// s-maxage is for shared caches, not for a browser's.
function maxAge(headers) {
  return Number(/max-age=(\d+)/.exec(headers.get('Cache-Control'))?.[1] ?? 0);
}

// Two clocks, and the one that went further counts: performance.now() may stand still while a computer sleeps, and
// Date.now() goes back when somebody sets it. Only differences are used, so that a wrong clock does no harm.
function stopwatch() {
  const [steady, wall] = [performance.now(), Date.now()];
  return () => Math.max(performance.now() - steady, Date.now() - wall);
}

async function absent(response, signal) {
  const { status, headers } = response;
  const problem = await response.json().catch(() => null); // a gateway's own answer may be anything
  signal?.throwIfAborted();
  if (status === 404 && problem?.code === 'not_found') return null;
  const error = new Error(problem?.detail ?? `HTTP status ${status}`);
  throw Object.assign(error, { status, code: problem?.code, retryAfter: retryAfter(headers) });
}

// Retry-After is a number of seconds or, from some gateways, a date by the clock that made Date.
function retryAfter(headers) {
  const text = headers.get('Retry-After');
  if (text === null) return undefined;
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.parse(headers.get('Date'));
  return wait >= 0 ? wait : undefined;
}
