// The requests to the function: over HTTP as any page makes them, and as another function invokes it.
import { parse, stopwatch } from './dom.js';

// pathOf is the path that asks for keys in one of the forms.
export function pathOf({ form, key }) {
  const keys = key.trim().split(/\s+/);
  if (form === 'batch') return `/v1/items?${keys.map((one) => `key=${encodeURIComponent(one)}`).join('&')}`;
  const route = { item: 'items', optional: 'optional', parsed: 'parsed', value: 'values' }[form];
  if (form === 'item' && (key === '.' || key === '..')) return `/v1/items?key=${key}`; // no URL can hold them in its path
  return `/v1/${route}/${encodeURIComponent(key)}`;
}

// ask makes one request over HTTP.
export async function ask(view, signal) {
  const id = crypto.randomUUID();
  const elapsed = stopwatch();
  const response = await fetch(pathOf(view), { cache: view.cache, signal, headers: { 'Playground-Request': id } });
  const body = await response.text();
  const ms = elapsed();
  const { logged, now } = await loggedOf(id, signal);
  const parsed = response.headers.get('Content-Type')?.includes('json') ? parse(body) : undefined;
  return { ...view, response, body, parsed, ms, logged, now, fresh: freshUntil(response.headers) };
}

// loggedOf asks what the function logged of the request; null if it got none. This answer never comes from a cache, so that
// its Date is the server's clock, where an answer from a cache has the Date of when it was made. Date is whole seconds:
// it may be almost one short.
async function loggedOf(id, signal) {
  const since = stopwatch();
  const response = await fetch(`/playground/requests/${id}`, { cache: 'no-store', signal });
  const date = Date.parse(response.headers.get('Date')) + 1000;
  return { logged: await response.json(), now: () => date + since() };
}

// freshUntil is by the server's clock, in milliseconds; null where the browser asks each time.
function freshUntil(headers) {
  const maxAge = Number(/max-age=(\d+)/.exec(headers.get('Cache-Control'))?.[1]);
  return maxAge > 0 ? Date.parse(headers.get('Date')) + (maxAge - Number(headers.get('Age'))) * 1000 : null;
}

export const invokePath = (name) => `/2015-03-31/functions/${name}/invocations`;

// invoke makes one direct invocation, as Lambda's API has it.
export async function invoke(name, payload, signal) {
  const elapsed = stopwatch();
  const response = await fetch(invokePath(name), { method: 'POST', body: payload, signal });
  const body = await response.text();
  const date = Date.parse(response.headers.get('Date')) + 1000;
  const failed = !response.ok || response.headers.has('X-Amz-Function-Error');
  return { response, body, parsed: parse(body), failed, ms: elapsed(), now: () => date + elapsed() };
}

// readyPayloads are the payloads to begin with.
export function readyPayloads(key) {
  const prefix = key.includes(':') ? key.slice(0, key.indexOf(':') + 1) : key;
  return {
    key: { key },
    keys: { keys: [key, `${prefix}1002`] },
    list: { operation: 'list', prefix },
    'list-keys': { operation: 'keys', prefix },
    set: { operation: 'set', key, value: 'on its way', ttl: 90 },
    delete: { operation: 'delete', key },
  };
}
