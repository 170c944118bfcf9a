import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { createClient, ItemError } from 'voxkv-client';
import { settle, world } from './world.mjs';

test('an item', async (t) => {
  const w = world(t);
  w.put('order:1001', '{"state":"ringing"}', 3600_000);
  const item = await w.client.get('order:1001');
  assert.equal(w.asked[0].path, '/base/v1/optional/order%3A1001');
  assert.deepEqual([item.key, item.value, item.expired], ['order:1001', '{"state":"ringing"}', false]);
  assert.deepEqual(item.json(), { state: 'ringing' });
  assert.equal(item.expiresAt.getTime(), w.items.get('order:1001').ends * 1000);
  assert.ok(item.left() > 3000_000);
  assert.equal(await w.client.get('absent'), null);
});

test('a value that is no JSON stays out of the error', async (t) => {
  const w = world(t);
  w.put('k', 'secret words', 3600_000);
  const item = await w.client.get('k');
  assert.throws(() => item.json(), (error) => error instanceof SyntaxError && !error.message.includes('secret'));
});

for (const key of ['a+b', 'a#b', 'a;b', 'ключЁё', '__proto__', 'constructor', 'a/b', '...']) {
  test(`the key ${key}`, async (t) => {
    const w = world(t);
    w.put(key, 'v', 3600_000);
    w.answer = (url) => {
      assert.equal(new URL(url).pathname, `/base/v1/optional/${encodeURIComponent(key)}`);
    };
    if (key === 'a/b') w.answer = () => w.respond({ key, value: 'v', expires_at: null });
    assert.equal((await w.client.get(key)).value, 'v');
  });
}

for (const key of ['.', '..']) {
  test(`the key ${key}, which no path can hold`, async (t) => {
    const w = world(t);
    w.answer = () => w.problem(404, 'not_found');
    assert.equal(await w.client.get(key), null);
    w.answer = (url) => w.respond({ key: new URL(url).searchParams.get('key'), value: 'v', expires_at: null });
    assert.equal((await w.client.get(key)).value, 'v');
    assert.equal(w.asked[0].path, '/base/v1/items');
  });
}

for (const key of ['', undefined, null, 1001, {}, ['k'], 'half \ud83d']) {
  test(`${JSON.stringify(key) ?? 'undefined'} is no key`, async (t) => {
    const w = world(t);
    const refused = { name: 'TypeError', message: 'key must be a non-empty string' };
    assert.throws(() => w.client.get(key), refused);
    assert.throws(() => w.client.getMany(['a', key]), refused);
    assert.throws(() => w.client.watch(key, () => {}), refused);
    assert.throws(() => w.client.changes(key), refused);
    await settle();
    assert.equal(w.asked.length, 0);
  });
}

for (const url of ['', undefined, '/v1', 'kv.example.com', 'ftp://kv.example.com', 'https://', 'https://a:99999', 'https://kv.example.com?x=1', 'https://kv.example.com/#a', 'https://user:password@kv.example.com', 'javascript:alert(1)']) {
  test(`${url} is no url`, () => {
    assert.throws(() => createClient({ url }), { name: 'TypeError', message: 'url must be like https://kv.example.com' });
  });
}
test('other options that are none', () => {
  const url = 'https://kv.example.com';
  assert.throws(() => createClient({ url, token: 'secret' }), { message: 'token must be a function' });
  for (const maxKeys of [0, -1, NaN, 'x']) assert.throws(() => createClient({ url, maxKeys }), { message: 'maxKeys must be 1 or more' });
});

for (const [url, root] of [
  ['https://kv.example.com', 'https://kv.example.com'], ['https://kv.example.com/', 'https://kv.example.com'],
  ['HTTP://kv.example.com:8080/base//', 'http://kv.example.com:8080/base'], [new URL('https://kv.example.com/'), 'https://kv.example.com'],
]) {
  test(`the url ${url}`, async () => {
    let asked;
    const client = createClient({ url, fetch: async (url) => { asked = url; return new Response('null'); } });
    await client.get('k');
    assert.equal(asked, `${root}/v1/optional/k`);
  });
}

test('a global fetch that comes later is used', async (t) => {
  const client = createClient({ url: 'https://kv.example.com' });
  t.mock.method(globalThis, 'fetch', async () => new Response('null'));
  assert.equal(await client.get('k'), null);
});

test('no header without a token, and the browser\'s cache as asked for', async (t) => {
  const w = world(t);
  await w.client.get('a');
  await w.client.get('b', { fresh: true });
  assert.deepEqual(w.asked.map(({ cache, authorization }) => [cache, authorization]), [[undefined, undefined], ['no-cache', undefined]]);
});

const failures = [
  [400, 'invalid_key', {}, undefined], [502, 'upstream_failure', {}, undefined], [503, 'upstream_busy', { 'Retry-After': '7' }, 7000],
  [429, undefined, { 'Retry-After': 'soon' }, undefined], [404, 'no_route', {}, undefined], [500, 'internal_error', {}, undefined],
];
for (const [status, code, headers, retryAfter] of failures) {
  test(`${status} ${code}`, async (t) => {
    const w = world(t);
    w.answer = () => w.problem(status, code, { ...headers, 'X-Request-Id': 'request-1' });
    await assert.rejects(w.client.get('k'), (error) => {
      assert.ok(error instanceof ItemError && error instanceof Error);
      assert.deepEqual([error.name, error.status, error.code, error.retryAfter, error.requestId], ['ItemError', status, code, retryAfter, 'request-1']);
      assert.equal(error.message, `It is ${code}.`);
      return true;
    });
  });
}

for (const [offset, want] of [[30_000, 30_000], [-30_000, undefined]]) {
  test(`Retry-After as a date, ${offset / 1000} s from Date`, async (t) => {
    const w = world(t);
    const date = Date.UTC(2031, 4, 5);
    w.answer = () => w.problem(429, undefined, { Date: new Date(date).toUTCString(), 'Retry-After': new Date(date + offset).toUTCString() });
    await assert.rejects(w.client.get('k'), { status: 429, retryAfter: want });
  });
}

for (const [name, body, status] of [
  ['a page of a hotel\'s network', '<!doctype html><title>Welcome</title>', 200], ['nothing', '', 200], ['half of an item', '{"key":"k","val', 200],
  ['another key', { key: 'other', value: 'v', expires_at: null }, 200], ['no value', { key: 'k', expires_at: null }, 200],
  ['a value that is no string', { key: 'k', value: 1, expires_at: null }, 200], ['no end', { key: 'k', value: 'v' }, 200],
  ['an end that is no number', { key: 'k', value: 'v', expires_at: '1795430000' }, 200], ['a list', [], 200], ['a number', 5, 200], ['true', true, 200],
]) {
  test(`${name} is no answer`, async (t) => {
    const w = world(t);
    w.answer = () => w.respond(body, { status });
    await assert.rejects(w.client.get('k'), { name: 'ItemError', status, code: 'invalid_response' });
  });
}

for (const [name, body, message] of [
  ['a page', '<h1>Bad gateway</h1>', 'HTTP status 502'], ['a list', [], 'HTTP status 502'], ['null', null, 'HTTP status 502'],
  ['a gateway\'s message', { message: 'Internal Server Error' }, 'HTTP status 502'],
]) {
  test(`502 with ${name}`, async (t) => {
    const w = world(t);
    w.answer = () => w.respond(body, { status: 502 });
    await assert.rejects(w.client.get('k'), { name: 'ItemError', status: 502, code: undefined, message });
  });
}

test('no answer at all', async (t) => {
  const w = world(t);
  w.answer = () => { throw new TypeError('fetch failed'); };
  await assert.rejects(w.client.get('k'), (error) => error.status === 0 && error.code === 'network' && error.cause instanceof TypeError);
  w.answer = () => new Response(new ReadableStream({ pull(c) { c.error(new TypeError('terminated')); } }));
  await assert.rejects(w.client.get('k'), { status: 0, code: 'network' });
});

test('abort gives the signal\'s reason, and is passed on', async (t) => {
  const w = world(t);
  await assert.rejects(w.client.get('k', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal(w.asked.length, 0);
  w.answer = () => new Promise(() => {}); // a fetch that does not know the signal
  const controller = new AbortController();
  const answer = w.client.get('k', { signal: controller.signal });
  await settle();
  controller.abort(new Error('enough'));
  await assert.rejects(answer, { message: 'enough' });
  assert.ok(w.asked[0].signal.aborted);
  const many = new AbortController();
  const answers = w.client.getMany(['a', 'b'], { signal: many.signal });
  many.abort();
  await assert.rejects(answers, { name: 'AbortError' });
});

test('a token is sent, asked for again after 401, and once', async (t) => {
  const tokens = ['old', 'new', 'third', 'fourth'];
  let given = 0;
  const w = world(t, { token: async () => tokens[given++] });
  w.answer = (_, { headers }) => (headers.Authorization === 'Bearer new' ? undefined : w.respond({ message: 'Unauthorized' }, { status: 401 }));
  assert.equal(await w.client.get('k'), null);
  assert.deepEqual(w.asked.map(({ authorization }) => authorization), ['Bearer old', 'Bearer new']);
  await assert.rejects(w.client.get('k'), { status: 401 });
  assert.equal(given, 4);
});

test('401 without a token is one request', async (t) => {
  const w = world(t);
  w.answer = () => w.respond({ message: 'Unauthorized' }, { status: 401 });
  await assert.rejects(w.client.get('k'), { status: 401, code: undefined });
  assert.equal(w.asked.length, 1);
});

for (const token of [() => undefined, () => '', () => 'a\nb', () => 'секрет', () => 5, async () => { throw new Error('logged out'); }, () => { throw new Error('logged out'); }]) {
  test(`token ${token} is an error without its text`, async (t) => {
    const w = world(t, { token });
    await assert.rejects(w.client.get('k'), (error) => {
      assert.deepEqual([error.name, error.status, error.code, error.message], ['ItemError', 0, 'token', 'token must give a string of ASCII characters']);
      assert.ok(!error.cause || error.cause.message === 'logged out');
      return true;
    });
    assert.equal(w.asked.length, 0);
  });
}

// What is left of an item by one answer, as docs/http-contract.md has it.
const lives = [
  ['what is left counts from Date, by the server\'s clock', { left: 100 }, 97, 1],
  ['Age comes off', { left: 100, headers: { Age: '30' } }, 67, 1],
  ['a browser may have kept it for max-age', { left: 100, headers: { 'Cache-Control': 'public, max-age=40, must-revalidate' } }, 57, 1],
  ['but no longer than max-age, Age included', { left: 100, headers: { Age: '30', 'Cache-Control': 'public, max-age=40' } }, 57, 1],
  ['s-maxage is not for browsers', { left: 100, headers: { 'Cache-Control': 'public, s-maxage=40' } }, 97, 1],
  ['s-maxage does not stand for max-age', { left: 100, headers: { 'Cache-Control': 'public, s-maxage=38, max-age=40' } }, 57, 1],
  ['where max-age leaves nothing, the browser is made to ask', { left: 60, headers: { 'Cache-Control': 'private, max-age=57' } }, 57, 2],
  ['an answer older than the item\'s life', { left: 20, headers: { Age: '30' } }, 0, 2],
  ['three seconds, which Date, Age and a late answer may hide', { left: 3 }, 0, 2],
  ['an item of unknown life', { left: null }, 0, 1],
  ['an answer without a date', { left: 100, headers: { Date: 'soon' } }, 0, 2],
  ['an answer of unknown age', { left: 100, headers: { Age: 'old' } }, 0, 2],
];
for (const [name, { left, headers }, seconds, requests] of lives) {
  test(name, async (t) => {
    const w = world(t);
    const date = Date.UTC(2031, 4, 5); // no clock of a client is that wrong
    w.answer = () => w.respond({ key: 'k', value: 'v', expires_at: left === null ? null : date / 1000 + left }, { headers: { Date: new Date(date).toUTCString(), ...headers } });
    const item = await w.client.get('k');
    assert.deepEqual([item.value, item.left(), item.expired], ['v', seconds * 1000, seconds === 0]);
    assert.deepEqual(w.asked.map(({ cache }) => cache), [undefined, 'no-cache'].slice(0, requests));
    await w.advance(seconds * 1000 + 50);
    assert.ok(item.expired);
  });
}

test('one answer that is new tells how old the others are', async (t) => {
  const w = world(t, { isPrivate: true });
  w.put('a', 'x', 3600_000);
  w.put('k', 'one', 50_000);
  await w.client.get('a', { fresh: true });
  await w.client.get('k');
  await w.advance(20_000);
  const item = await w.client.get('k'); // out of the browser's cache
  assert.equal(w.asked.length, 2);
  const left = w.items.get('k').ends * 1000 - w.serverNow();
  assert.ok(item.left() <= left && item.left() > left - 4500, `${item.left()} of ${left} ms`);
});

test('a page of somebody else\'s does not set the clock', async (t) => {
  const w = world(t);
  w.put('k', 'one', 60_000);
  const item = await w.client.get('k', { fresh: true });
  const left = item.left();
  w.answer = () => w.respond('<h1>Welcome to the hotel</h1>', { headers: { Date: new Date(Date.UTC(1999, 0, 1)).toUTCString() } });
  await assert.rejects(w.client.get('k', { fresh: true }), { code: 'invalid_response' });
  assert.equal(item.left(), left);
});

// batches answers as the function does, and keeps how many keys each request had.
function batches(w, { most = 10, fails = {} } = {}) {
  const sizes = [];
  w.answer = (url) => {
    const keys = new URL(url).searchParams.getAll('key');
    if (!keys.length) {
      sizes.push(1);
      return undefined;
    }
    sizes.push(keys.length);
    if (keys.length > most) return w.problem(400, 'too_many_keys');
    if (keys.some((key) => key.includes(' '))) return w.problem(400, 'invalid_key');
    const body = { items: Object.create(null), errors: Object.create(null) };
    for (const key of keys) {
      const item = w.items.get(key);
      if (Object.hasOwn(fails, key)) body.errors[key] = { code: fails[key], errorType: 'UpstreamBusy', errorMessage: 'The storage is busy.' };
      else body.items[key] = item ? { key, value: item.value, expires_at: item.ends } : null;
    }
    return w.respond(JSON.stringify(body), { headers: { 'Cache-Control': 'private, max-age=60' } });
  };
  return sizes;
}

test('several items, absences and failures', async (t) => {
  const w = world(t);
  const sizes = batches(w, { fails: { c: 'upstream_busy' } });
  w.put('a', '1', 3600_000);
  w.put('__proto__', 'p', 3600_000);
  const all = await w.client.getMany(['a', 'b', 'c', 'a', '__proto__', 'constructor']);
  assert.deepEqual([...all.keys()], ['a', 'b', 'c', '__proto__', 'constructor']);
  assert.deepEqual([all.get('a').value, all.get('b'), all.get('__proto__').value, all.get('constructor')], ['1', null, 'p', null]);
  const error = all.get('c');
  assert.ok(error instanceof ItemError);
  assert.deepEqual([error.status, error.code, error.message], [200, 'upstream_busy', 'The storage is busy.']);
  assert.deepEqual(sizes, [5]);
});

test('a list is split, and a rest of one is asked for alone', async (t) => {
  const w = world(t);
  const sizes = batches(w);
  const keys = Array.from({ length: 21 }, (_, i) => `k${i}`);
  assert.deepEqual([...(await w.client.getMany(keys)).keys()], keys);
  assert.deepEqual(sizes, [10, 10, 1]);
  assert.equal((await w.client.getMany([])).size, 0);
});

test('maxKeys, and a function that takes fewer', async (t) => {
  const w = world(t, { maxKeys: 50 });
  const sizes = batches(w, { most: 13 });
  assert.equal((await w.client.getMany(Array.from({ length: 25 }, (_, i) => `k${i}`))).get('k24'), null);
  assert.deepEqual(sizes, [25, 12, 12, 1]);
});

test('long keys are split sooner', async (t) => {
  const w = world(t);
  const sizes = batches(w);
  const all = await w.client.getMany(Array.from({ length: 10 }, (_, i) => 'ж'.repeat(199) + i));
  assert.deepEqual([sizes, all.size], [[4, 4, 2], 10]);
});

test('a key that is too long for a list is asked for alone, and once', async (t) => {
  const w = world(t);
  const controller = new AbortController();
  w.answer = (url) => {
    if (w.asked.length > 5) controller.abort();
    return url.includes('/optional/') ? w.problem(400, 'invalid_key') : w.respond({ items: { a: null, b: null }, errors: {} });
  };
  const long = 'x'.repeat(7000);
  const all = await w.client.getMany(['a', 'b', long], { signal: controller.signal });
  assert.deepEqual([...all].map(([key, item]) => [key, item && item.code]), [['a', null], ['b', null], [long, 'invalid_key']]);
  assert.deepEqual(w.asked.map(({ path }) => path.length), ['/base/v1/items'.length, '/base/v1/optional/'.length + 7000]);
});

test('one key that is none spoils no other', async (t) => {
  const w = world(t);
  batches(w);
  w.put('a', '1', 3600_000);
  const single = w.answer;
  w.answer = (url) => (url.includes('optional/no%20key') ? w.problem(400, 'invalid_key') : single(url));
  const all = await w.client.getMany(['a', 'b', 'no key', 'c']);
  assert.deepEqual([all.get('a').value, all.get('b'), all.get('c'), all.get('no key').code], ['1', null, null, 'invalid_key']);
});

test('a part that fails takes no other along', async (t) => {
  const w = world(t, { maxKeys: 2 });
  batches(w);
  const answer = w.answer;
  w.answer = (url) => (url.includes('key=c') ? w.problem(503, 'upstream_unavailable', { 'Retry-After': '2' }) : answer(url));
  const all = await w.client.getMany(['a', 'b', 'c', 'd', 'e', 'f']);
  assert.deepEqual([...all.values()].map((x) => x && x.code), [null, null, 'upstream_unavailable', 'upstream_unavailable', null, null]);
  assert.equal(all.get('c').retryAfter, 2000);
});

for (const [name, body] of [['nothing', {}], ['a page', '<html>'], ['items of others', { items: { a: { key: 'b', value: 'v', expires_at: null } } }], ['a list', []], ['null', null]]) {
  test(`several: ${name} is no answer`, async (t) => {
    const w = world(t);
    w.answer = () => w.respond(body);
    const all = await w.client.getMany(['a', 'b']);
    assert.deepEqual([...all.values()].map((x) => x.code), ['invalid_response', 'invalid_response']);
  });
}

test('changes: the latest, and none twice', async (t) => {
  const w = world(t);
  const changes = w.client.changes('k');
  await w.advance(10_000);
  assert.equal(w.asked.length, 0, 'it begins with next()');
  assert.deepEqual(await changes.next(), { done: false, value: null });
  const next = changes.next();
  w.put('k', 'one', 3600_000);
  await w.advance(5_000);
  assert.equal((await next).value.value, 'one');
  w.put('k', 'two', 3600_000);
  await w.advance(60_000);
  w.put('k', 'three', 3600_000);
  await w.advance(60_000);
  assert.equal((await changes.next()).value.value, 'three', 'who is slow misses what was between');
  const pending = changes.next();
  await settle();
  assert.deepEqual(await changes.return(), { done: true, value: undefined });
  assert.deepEqual(await pending, { done: true, value: undefined });
  const { length } = w.asked;
  await w.advance(200_000, undefined, 1000);
  assert.equal(w.asked.length, length);
});

test('changes: an item that ends before the loop takes it is not given', async (t) => {
  const w = world(t);
  w.put('k', 'one', 60_000);
  const changes = w.client.changes('k');
  assert.equal((await changes.next()).value.value, 'one');
  w.put('k', 'two', 60_000);
  await w.advance(40_000);
  w.sleep(60_000); // the loop's body goes on before any timer does
  const next = changes.next();
  await w.advance(1_000);
  assert.equal((await next).value, null);
  await changes.return();
});

test('changes: an item whose end nobody knows is given', async (t) => {
  const w = world(t);
  w.put('k', 'one', null);
  const changes = w.client.changes('k');
  assert.equal((await changes.next()).value.value, 'one');
  await changes.return();
});

test('changes: break, return before next, abort', async (t) => {
  const w = world(t);
  for await (const item of w.client.changes('k')) {
    assert.equal(item, null);
    break;
  }
  const unused = w.client.changes('k');
  assert.deepEqual(await unused.return(), { done: true, value: undefined });
  assert.equal((await unused.next()).done, true);
  const controller = new AbortController();
  const seen = [];
  const loop = (async () => {
    for await (const item of w.client.changes('k', { signal: controller.signal })) seen.push(item);
  })();
  await settle();
  controller.abort();
  await loop;
  assert.deepEqual(seen, [null]);
  for await (const item of w.client.changes('k', { signal: controller.signal })) assert.fail(String(item));
  const { length } = w.asked;
  await w.advance(60_000);
  assert.equal(w.asked.length, length, 'nothing is watched any more');
});

test('changes: an abort stops the watch while the loop\'s body runs', async (t) => {
  const w = world(t);
  const controller = new AbortController();
  const changes = w.client.changes('k', { signal: controller.signal });
  await changes.next();
  controller.abort();
  const { length } = w.asked;
  await w.advance(60_000);
  assert.equal(w.asked.length, length);
  assert.equal((await changes.next()).done, true);
});

for (const own of [{}, { onError: undefined }]) {
  test(`changes: failures go to onError, and a key that is none ends the loop with its error: ${inspect(own)}`, async (t) => {
    const errors = [];
    const w = world(t, { onError: ({ code }) => errors.push(code) });
    w.answer = () => (w.asked.length < 2 ? w.problem(503, 'upstream_busy') : w.problem(400, 'invalid_key'));
    const next = w.client.changes('k', own).next();
    const rejected = assert.rejects(next, { name: 'ItemError', code: 'invalid_key' });
    await w.advance(5_000);
    await rejected;
    assert.deepEqual(errors, ['upstream_busy', 'invalid_key']);
  });
}

test('the bundle has at most 3 kB', async () => {
  const size = gzipSync(await readFile(new URL('../dist/voxkv-client.min.js', import.meta.url)), { level: 9 }).length;
  assert.ok(size <= 3072, `${size} bytes`);
});

test('the bundle exports the same', async () => {
  const bundle = await import('../dist/voxkv-client.min.js');
  const modules = await import('voxkv-client');
  assert.deepEqual(Object.keys(bundle), Object.keys(modules));
  assert.equal(await bundle.createClient({ url: 'https://kv.example.com', fetch: async () => new Response('null') }).get('k'), null);
});
