// Runs in Node, against the real function at VOXKV_URL and against servers that answer as no function of ours would.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { getItem } from './voxkv.mjs';

const url = process.env.VOXKV_URL;
const hours = 3_600_000;

// stopClocks keeps the time that a slow machine takes out of what is left.
function stopClocks(t) {
  const [steady, wall] = [performance.now(), Date.now()];
  t.mock.method(performance, 'now', () => steady);
  t.mock.method(Date, 'now', () => wall);
}

// leftOf is what is left of an item at its arrival, by the header that it came with, and max-age.
async function leftOf(t, key) {
  let headers;
  const { fetch } = globalThis;
  t.mock.method(globalThis, 'fetch', async (...request) => {
    const response = await fetch(...request);
    headers = response.headers;
    return response;
  });
  stopClocks(t);
  const item = await getItem(url, key);
  const maxAge = Number(/ max-age=(\d+)/.exec(headers.get('Cache-Control'))[1]);
  assert.equal(item.left(), (item.expires_at - maxAge - 3) * 1000 - Date.parse(headers.get('Date'))); // a browser might have kept it for max-age
  return { item, maxAge };
}

test('an item', async (t) => {
  const { item, maxAge } = await leftOf(t, 'order:1001');
  assert.ok(maxAge > 0 && maxAge <= 60);
  assert.equal(item.key, 'order:1001');
  assert.equal(item.value, 'value of order:1001');
  assert.ok(Number.isInteger(item.expires_at));
  assert.equal(item.expired, false);
});

test('an absent item is null', async () => {
  assert.equal(await getItem(url, 'order:absent'), null);
});

for (const key of ['a+b', 'a#b', 'a;b', 'ключЁё', 'я:1', '.', '..']) {
  test(`the key ${key}`, async () => {
    const item = await getItem(url, key);
    assert.deepEqual([item.key, item.value], [key, `value of ${key}`]);
  });
}

test('an item close to its end', async (t) => {
  const { maxAge } = await leftOf(t, 'order:short');
  assert.ok(maxAge > 0 && maxAge <= 49); // of its 100 s
});

const failures = [
  ['fails:busy', 503, 'upstream_busy', 7000],
  ['fails:unavailable', 503, 'upstream_unavailable', 2000],
  ['fails:failure', 502, 'upstream_failure', undefined],
  ['fails:timeout', 504, 'upstream_timeout', undefined],
  ['no key', 400, 'invalid_key', undefined],
  ['', 400, 'invalid_key', undefined],
];
for (const [key, status, code, retryAfter] of failures) {
  test(`${status} ${code} for "${key}"`, async () => {
    await assert.rejects(getItem(url, key), (error) => {
      assert.ok(error instanceof Error);
      assert.deepEqual([error.status, error.code, error.retryAfter], [status, code, retryAfter]);
      assert.match(error.message, /\.$/); // the problem's detail
      return true;
    });
  });
}

test('a wrong path is an error, not an absence', async () => {
  await assert.rejects(getItem(`${url}/nowhere`, 'order:1001'), { status: 404, code: 'no_route' });
});

// serve answers every request as answer says, and returns its root and the requests' headers.
async function serve(answer) {
  const seen = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    answer(response, request);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { root: `http://127.0.0.1:${server.address().port}`, seen };
}

// The clock of this server is years off, as no client's or everybody's may be.
const serverNow = Date.UTC(2031, 4, 5, 12, 0, 0);

function serveItem({ left, headers = {} }) {
  return serve((response) => {
    response.writeHead(200, { Date: new Date(serverNow).toUTCString(), ...headers });
    response.end(JSON.stringify({ key: 'k', value: 'v', expires_at: left === null ? null : serverNow / 1000 + left }));
  });
}

const lives = [
  ['what is left counts from Date, by the server\'s clock', { left: 100 }, 97],
  ['Age comes off', { left: 100, headers: { Age: '30' } }, 67],
  ['a browser may have kept it for max-age', { left: 100, headers: { 'Cache-Control': 'public, max-age=40, must-revalidate' } }, 57],
  ['but no longer than max-age, Age included', { left: 100, headers: { Age: '30', 'Cache-Control': 'public, max-age=40' } }, 57],
  ['s-maxage is not for browsers', { left: 100, headers: { 'Cache-Control': 'public, s-maxage=40' } }, 97],
  ['s-maxage does not stand for max-age', { left: 100, headers: { 'Cache-Control': 'public, s-maxage=38, max-age=40' } }, 57],
  ['where max-age leaves nothing, the browser is made to ask', { left: 60, headers: { 'Cache-Control': 'private, max-age=57' } }, 57],
];
for (const [name, answer, seconds] of lives) {
  test(name, async (t) => {
    stopClocks(t);
    const { root } = await serveItem(answer);
    assert.equal((await getItem(root, 'k')).left(), seconds * 1000);
  });
}

const overs = [
  ['an answer older than the item\'s life', { left: 20, headers: { Age: '30' } }],
  ['an item that has three seconds left, which Date, Age and a late answer may hide', { left: 3 }],
  ['an item of unknown life', { left: null }],
  ['an answer without a date', { left: 100, headers: { Date: 'soon' } }],
  ['an answer of unknown age', { left: 100, headers: { Age: 'old' } }],
];
for (const [name, answer] of overs) {
  test(`${name} is expired at once`, async () => {
    const { root } = await serveItem(answer);
    const item = await getItem(root, 'k');
    assert.deepEqual([item.value, item.expired, item.left()], ['v', true, 0]);
  });
}

for (const off of [-5 * hours, 5 * hours]) {
  test(`a clock that is ${off / hours} hours off changes nothing`, async (t) => {
    stopClocks(t);
    const wall = Date.now();
    t.mock.method(Date, 'now', () => wall + off);
    const { root } = await serveItem({ left: 100 });
    assert.equal((await getItem(root, 'k')).left(), 97_000);
  });
}

test('an item expires by a clock that nobody can set', async (t) => {
  let [steady, wall] = [performance.now(), Date.now()];
  t.mock.method(performance, 'now', () => steady);
  t.mock.method(Date, 'now', () => wall);
  const { root } = await serveItem({ left: 100 });
  const item = await getItem(root, 'k');
  assert.equal(item.left(), 97_000);
  wall -= 5 * hours; // somebody sets the clock back
  steady += 96_999;
  assert.deepEqual([item.left(), item.expired], [1, false]);
  steady += 1;
  assert.deepEqual([item.left(), item.expired], [0, true]);
});

test('an item expires while the computer sleeps', async (t) => {
  let wall = Date.now();
  t.mock.method(performance, 'now', () => 1); // stands still
  t.mock.method(Date, 'now', () => wall);
  const { root } = await serveItem({ left: 100 });
  const item = await getItem(root, 'k');
  wall += 97_000;
  assert.equal(item.expired, true);
});

test('the way through the network counts', async (t) => {
  stopClocks(t);
  let steady = performance.now();
  t.mock.method(performance, 'now', () => steady);
  const { root } = await serve((response) => {
    steady += 30_000;
    response.writeHead(200, { Date: new Date(serverNow).toUTCString() });
    response.end(JSON.stringify({ key: 'k', value: 'v', expires_at: serverNow / 1000 + 100 }));
  });
  const item = await getItem(root, 'k');
  assert.equal(item.left(), 67_000);
});

test('no header of our own', async () => {
  const { root, seen } = await serveItem({ left: 100 });
  await getItem(root, 'k');
  // These are what Node's fetch sends by itself.
  const usual = ['host', 'connection', 'accept', 'accept-language', 'sec-fetch-mode', 'user-agent', 'accept-encoding'];
  assert.deepEqual(Object.keys(seen[0]).filter((name) => !usual.includes(name)), []);
});

test('a gateway\'s own answer', async () => {
  const { root } = await serve((response) => {
    response.writeHead(502, { 'Content-Type': 'text/html' });
    response.end('<h1>Bad Gateway</h1>');
  });
  await assert.rejects(getItem(root, 'k'), { message: 'HTTP status 502', status: 502, code: undefined, retryAfter: undefined });
});

test('a gateway\'s own 404 is no absence', async () => {
  const { root } = await serve((response) => response.writeHead(404).end('{"message":"Not Found"}'));
  await assert.rejects(getItem(root, 'k'), { status: 404, code: undefined });
});

const waits = [
  ['120', 120_000],
  [new Date(serverNow + 30_000).toUTCString(), 30_000],
  [new Date(serverNow - 30_000).toUTCString(), undefined],
  ['soon', undefined],
];
for (const [text, want] of waits) {
  test(`Retry-After: ${text}`, async () => {
    const { root } = await serve((response) => {
      response.writeHead(429, { 'Retry-After': text, Date: new Date(serverNow).toUTCString() }).end();
    });
    await assert.rejects(getItem(root, 'k'), { status: 429, retryAfter: want });
  });
}

test('abort before the answer', async () => {
  const { root } = await serve(() => {});
  await assert.rejects(getItem(root, 'k', { signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' });
  await assert.rejects(getItem(root, 'k', { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

for (const status of [200, 503]) {
  test(`abort within the body of a ${status}`, async () => {
    const controller = new AbortController();
    const { root } = await serve((response) => {
      response.writeHead(status).write('{"key":');
      setTimeout(() => controller.abort(), 50);
    });
    await assert.rejects(getItem(root, 'k', { signal: controller.signal }), { name: 'AbortError' });
  });
}

test('no answer at all', async () => {
  const { root } = await serve((response) => response.destroy());
  await assert.rejects(getItem(root, 'k'), (error) => error instanceof TypeError && error.status === undefined);
});
