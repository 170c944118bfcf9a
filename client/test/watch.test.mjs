import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient, ItemError } from 'voxkv-client';
import { settle, watch, world } from './world.mjs';

test('asks when max-age has ended, and calls back when something has changed', async (t) => {
  const w = world(t);
  w.put('k', 'one', 3600_000);
  const { seen, errors } = watch(w, 'k');
  await settle();
  assert.deepEqual(seen, [['one', 0]]);
  await w.advance(100_000);
  assert.deepEqual(seen, [['one', 0]]);
  w.put('k', 'two', 3600_000);
  await w.advance(21_000);
  assert.deepEqual(w.times(), [0, 60, 120]);
  assert.deepEqual(seen, [['one', 0], ['two', 120]]);
  w.items.delete('k');
  await w.advance(60_000);
  assert.deepEqual(seen.at(-1), [null, 180]);
  assert.deepEqual(errors, []);
});

test('a longer life of the same value is a change', async (t) => {
  const w = world(t);
  w.put('k', 'one', 3600_000);
  const { seen, item } = watch(w, 'k');
  await w.advance(30_000);
  const end = item().expiresAt;
  w.put('k', 'one', 7200_000);
  await w.advance(31_000);
  assert.equal(seen.length, 2);
  assert.ok(item().expiresAt > end);
});

test('an absent key is asked for as often as shared caches may give another answer', async (t) => {
  const w = world(t);
  const { seen } = watch(w, 'k');
  await w.advance(12_000);
  assert.deepEqual(w.times(), [0, 5, 10]);
  assert.deepEqual(seen, [[null, 0]]);
  w.put('k', 'one', 3600_000);
  await w.advance(4_000);
  assert.deepEqual(seen.at(-1), ['one', 15]);
  assert.ok(w.asked.every(({ path }) => path === '/base/v1/optional/k'));
});

test('pages whose answers end together do not ask together', async (t) => {
  let n = 0;
  const w = world(t, { random: () => [0, 0.25, 0.5, 0.999][n++ % 4] });
  for (const key of ['a', 'b', 'c', 'd']) w.put(key, 'one', 3600_000);
  for (const key of ['a', 'b', 'c', 'd']) watch(w, key);
  await w.advance(67_000);
  const second = w.times().slice(4);
  assert.equal(new Set(second).size, 4);
  assert.ok(second[0] >= 60 && second[3] <= 66 && second[3] > 65);
});

test('the answer of a shared cache is asked for again when its rest has ended', async (t) => {
  const w = world(t);
  w.put('k', 'one', 3600_000);
  w.answer = () => {
    const item = { key: 'k', value: 'one', expires_at: w.items.get('k').ends };
    return w.respond(item, { headers: { 'Cache-Control': 'public, max-age=60, s-maxage=60', Age: '45' } });
  };
  watch(w, 'k');
  await w.advance(16_000);
  assert.deepEqual(w.times(), [0, 15]);
});

test('the browser\'s cache is left out once, to learn the server\'s clock, and again after an hour', async (t) => {
  const w = world(t);
  w.put('k', 'one', 24 * 3600_000);
  watch(w, 'k');
  await w.advance(3700_000, undefined, 1000);
  const modes = w.asked.map(({ cache }) => cache);
  assert.deepEqual([modes[0], modes[1], modes[59], modes[60], modes[61]], ['no-cache', undefined, undefined, 'no-cache', undefined]);
  assert.equal(modes.filter((mode) => mode === 'no-cache').length, 2);
});

test('what another tab has made the browser keep is asked for again when its rest has ended', async (t) => {
  const w = world(t);
  w.put('other', 'x', 3600_000);
  w.put('k', 'one', 3600_000);
  watch(w, 'other');
  await w.advance(1000);
  await w.client.get('k', { fresh: true }); // as another tab would
  await w.advance(40_000);
  watch(w, 'k');
  await w.advance(20_500);
  const k = w.asked.filter(({ path }) => path.endsWith('/k')).map(({ at }) => at / 1000);
  assert.equal(k.length, 2);
  assert.ok(k[1] > 59 && k[1] <= 61.5, `asked again at ${k[1]}`);
});

test('an item is null at its end, without a request', async (t) => {
  const w = world(t);
  w.put('k', 'one', 30_000);
  const { seen, item } = watch(w, 'k');
  await settle();
  w.answer = () => { throw new TypeError('unreachable'); };
  const end = w.items.get('k').ends * 1000;
  await w.advance(40_000, () => {
    if (item()) assert.ok(w.serverNow() < end);
  });
  assert.deepEqual(seen.map(([value]) => value), ['one', null]);
  const early = end - w.serverNow() + w.now() - seen[1][1] * 1000;
  assert.ok(early > 0 && early < 5000, `null ${early} ms before the end`);
});

test('near its end an item is not asked for in a hot loop', async (t) => {
  const w = world(t);
  w.put('k', 'one', 30_000);
  watch(w, 'k');
  await w.advance(40_000);
  assert.ok(w.asked.length < 15, `${w.asked.length} requests`);
  const times = w.times();
  for (let i = 1; i < times.length; i++) assert.ok(times[i] - times[i - 1] >= 1);
});

for (const [name, control] of [['no-store', 'no-store'], ['max-age=0', 'private, max-age=0'], ['no Cache-Control', undefined]]) {
  test(`an item with ${name} is asked for every 5 s`, async (t) => {
    const w = world(t);
    w.put('k', 'one', 3600_000);
    w.answer = () => w.respond({ key: 'k', value: 'one', expires_at: w.items.get('k').ends }, { headers: control ? { 'Cache-Control': control } : {} });
    const { seen } = watch(w, 'k');
    await w.advance(16_000);
    assert.deepEqual(w.times(), [0, 5, 10, 15]);
    assert.deepEqual(seen, [['one', 0]]);
  });
}

test('an item whose end nobody knows is good until the next answer should be there', async (t) => {
  const w = world(t);
  w.put('k', 'one', null);
  const { seen, errors, item } = watch(w, 'k');
  await w.advance(11_000);
  assert.deepEqual(seen, [['one', 0]]);
  assert.deepEqual([item().expiresAt, item().expired], [null, true]);
  w.answer = () => w.problem(503, 'upstream_busy');
  await w.advance(4_300);
  assert.deepEqual(seen.at(-1), [null, 15]);
  assert.deepEqual(errors, [['upstream_busy', 15]]);
});

test('an item whose end nobody knows does not outlive a request that hangs', async (t) => {
  const w = world(t);
  w.put('k', 'one', null);
  const { seen } = watch(w, 'k');
  await settle();
  w.answer = () => new Promise(() => {});
  await w.advance(12_000);
  assert.deepEqual(seen.map(([value]) => value), ['one', null]);
  assert.ok(seen[1][1] <= 11, `null after ${seen[1][1]} s`);
});

test('pauses grow after failures, and the value is kept meanwhile', async (t) => {
  const w = world(t, { random: 0.5 });
  w.put('k', 'one', 3600_000);
  const { seen, errors } = watch(w, 'k');
  await settle();
  w.answer = () => w.problem(502, 'upstream_failure');
  await w.advance(400_000, undefined, 500);
  const times = w.times().slice(1);
  const pauses = times.slice(1).map((at, i) => Math.round(at - times[i]));
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
  assert.deepEqual(seen, [['one', 0]]);
  assert.equal(errors.length, times.length);
  w.answer = undefined;
  w.put('k', 'two', 3600_000);
  await w.advance(60_000);
  assert.equal(seen.at(-1)[0], 'two');
  const before = w.asked.length;
  w.answer = () => w.problem(502, 'upstream_failure');
  await w.advance(67_000);
  assert.ok(w.asked.length >= before + 1, 'the pauses begin anew');
});

for (const [header, least, most] of [['20', 20, 26], ['999999999', 600, 661], ['0', 0.5, 2], ['soon', 0.5, 2]]) {
  test(`Retry-After: ${header}`, async (t) => {
    const w = world(t, { random: 0.9 });
    w.answer = () => w.problem(503, 'upstream_busy', { 'Retry-After': header });
    watch(w, 'k');
    await w.advance(700_000, undefined, 500);
    const times = w.times();
    assert.ok(times[1] - times[0] >= least && times[1] - times[0] <= most, `again after ${times[1] - times[0]} s`);
  });
}

test('a failure that is over is told by onAnswer, where nothing has changed', async (t) => {
  const w = world(t);
  let answers = 0;
  const { seen, errors } = watch(w, 'k', { onAnswer: () => answers++ });
  await settle();
  assert.equal(answers, 1);
  w.answer = () => w.problem(504, 'upstream_timeout');
  await w.advance(5_000);
  assert.deepEqual([answers, errors.length], [1, 1]);
  w.answer = undefined;
  await w.advance(5_000);
  assert.ok(answers >= 2);
  assert.deepEqual(seen, [[null, 0]]);
});

test('a request without an answer fails after 30 s, and the watch goes on', async (t) => {
  const w = world(t);
  w.answer = () => new Promise(() => {});
  const { seen, errors } = watch(w, 'k');
  await w.advance(30_000);
  assert.deepEqual(errors, [['timeout', 30]]);
  assert.ok(w.asked[0].signal.aborted);
  w.answer = undefined;
  await w.advance(2_000);
  assert.deepEqual(seen.map(([value]) => value), [null]);
});

test('a token() that never answers fails too', async (t) => {
  const w = world(t, { token: () => new Promise(() => {}) });
  const { errors } = watch(w, 'k');
  await w.advance(30_000);
  assert.deepEqual(errors, [['timeout', 30]]);
});

test('a key that is none ends the watch; 401 and 403 do not', async (t) => {
  const w = world(t);
  w.answer = () => w.problem(403, undefined);
  const { errors } = watch(w, 'k');
  await w.advance(10_000);
  assert.ok(errors.length > 2);
  w.answer = () => w.problem(400, 'invalid_key');
  await w.advance(30_000);
  assert.equal(errors.at(-1)[0], 'invalid_key');
  assert.equal(errors.filter(([code]) => code === 'invalid_key').length, 1);
  const { length } = w.asked;
  await w.advance(300_000, undefined, 1000);
  assert.equal(w.asked.length, length);
});

test('an answer for another key is none', async (t) => {
  const w = world(t);
  w.answer = () => w.respond({ key: 'other', value: 'secret', expires_at: null });
  const { seen, errors } = watch(w, 'k');
  await w.advance(100);
  assert.deepEqual([seen, errors], [[], [['invalid_response', 0]]]);
});

test('one request for all who watch a key, and the last takes it along', async (t) => {
  const w = world(t, { latency: () => 400 });
  w.put('k', 'one', 3600_000);
  const first = watch(w, 'k');
  const second = watch(w, 'k');
  await w.advance(1_000);
  assert.equal(w.asked.length, 1);
  assert.deepEqual([first.seen.length, second.seen.length], [1, 1]);
  const late = watch(w, 'k');
  assert.deepEqual(late.seen, [], 'nobody is called before watch has returned');
  await settle();
  assert.equal(late.seen[0][0], 'one');
  assert.equal(w.asked.length, 1);
  await w.advance(59_500); // the second request is under way
  assert.equal(w.asked.length, 2);
  const { signal } = w.asked[1];
  first.stop();
  second.stop();
  assert.equal(signal.aborted, false);
  late.stop();
  await settle();
  assert.equal(signal.aborted, true);
  w.put('k', 'two', 3600_000);
  await w.advance(200_000);
  assert.equal(w.asked.length, 2);
  assert.deepEqual([first.seen.length, second.seen.length, late.seen.length], [1, 1, 1]);
});

test('stopped before the first request, there is none; stopped twice is stopped', async (t) => {
  const w = world(t);
  const { stop, seen } = watch(w, 'k');
  stop();
  stop();
  watch(w, 'k').stop();
  await w.advance(60_000);
  assert.deepEqual([seen, w.asked], [[], []]);
  const again = watch(w, 'k');
  await settle();
  assert.deepEqual(again.seen, [[null, 0 + w.now() / 1000]]);
});

test('abort stops, and is no error', async (t) => {
  const w = world(t, { latency: () => 100 });
  const controller = new AbortController();
  const { seen, errors } = watch(w, 'k', { signal: controller.signal });
  await w.advance(50);
  controller.abort();
  await w.advance(20_000);
  assert.deepEqual([seen, errors, w.asked.length], [[], [], 0]);
  watch(w, 'k', { signal: controller.signal });
  await w.advance(20_000);
  assert.equal(w.asked.length, 0);
});

test('nothing is left after the last stop: no timer, no listener', async (t) => {
  const page = pageOf(t);
  const w = world(t);
  w.put('k', 'one', 3600_000);
  const timers = t.mock.method(globalThis, 'setTimeout').mock;
  const controller = new AbortController();
  let signals = 0;
  for (const [name, by] of [['addEventListener', 1], ['removeEventListener', -1]]) {
    const method = controller.signal[name].bind(controller.signal);
    controller.signal[name] = (...args) => { signals += by; method(...args); };
  }
  const { stop } = watch(w, 'k', { signal: controller.signal });
  await w.advance(61_000);
  assert.equal(page.listeners(), 2);
  assert.equal(signals, 1);
  stop();
  assert.equal(page.listeners(), 0);
  assert.equal(signals, 0);
  const before = timers.callCount();
  assert.ok(before > 60);
  await w.advance(120_000);
  assert.equal(timers.callCount(), before, 'a timer was left, and has set another');
});

test('a callback that throws stops no other, and its error is not lost', async (t) => {
  const thrown = [];
  const real = globalThis.queueMicrotask;
  t.mock.method(globalThis, 'queueMicrotask', (run) => real(() => {
    try {
      run();
    } catch (error) {
      thrown.push(error.message);
    }
  }));
  const w = world(t);
  w.client.watch('k', () => { throw new Error('first'); });
  const { seen } = watch(w, 'k', { onError: () => { throw new Error('onError'); } });
  await settle();
  assert.deepEqual(seen, [[null, 0]]);
  assert.deepEqual(thrown, ['first']);
  w.answer = () => w.problem(503, 'upstream_busy');
  await w.advance(20_000);
  assert.ok(w.asked.length > 3);
  assert.ok(thrown.includes('onError'));
});

test('a callback may stop others and itself, and watch again', async (t) => {
  const w = world(t);
  const calls = [];
  const stops = [];
  stops.push(w.client.watch('k', () => { calls.push('a'); stops.forEach((stop) => stop()); w.client.watch('k', () => calls.push('again')); }));
  stops.push(w.client.watch('k', () => calls.push('b')));
  await settle();
  assert.deepEqual(calls, ['a', 'again']);
  await w.advance(4_000);
  assert.equal(w.asked.length, 2);
});

// pageOf makes this a page with a visibility, a network and a global EventTarget that counts its listeners.
function pageOf(t) {
  const target = new EventTarget();
  let count = 0;
  const add = (type, listener, { signal }) => {
    count++;
    signal.addEventListener('abort', () => count--);
    target.addEventListener(type, listener, { signal });
  };
  const globals = { document: { visibilityState: 'visible' }, navigator: { onLine: true }, addEventListener: add };
  const saved = Object.fromEntries(Object.keys(globals).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]));
  for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  t.after(() => {
    for (const [name, descriptor] of Object.entries(saved)) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else delete globalThis[name];
    }
  });
  return {
    listeners: () => count,
    show(visible) {
      globals.document.visibilityState = visible ? 'visible' : 'hidden';
      target.dispatchEvent(new Event('visibilitychange'));
    },
    connect(online) {
      globals.navigator.onLine = online;
      target.dispatchEvent(new Event(online ? 'online' : 'offline'));
    },
  };
}

test('a hidden tab asks nothing, and asks at once when it comes back', async (t) => {
  const page = pageOf(t);
  const w = world(t);
  w.put('k', 'one', 3600_000);
  const { seen } = watch(w, 'k');
  await w.advance(10_000);
  page.show(false);
  await w.advance(10_000);
  page.show(true);
  await settle();
  assert.deepEqual(w.times(), [0], 'nothing may have changed yet');
  page.show(false);
  w.put('k', 'two', 3600_000);
  await w.advance(600_000, undefined, 1000);
  assert.deepEqual(w.times(), [0]);
  page.show(true);
  await settle();
  assert.deepEqual(w.times(), [0, 620]);
  assert.deepEqual(seen.at(-1), ['two', 620]);
});

test('a value that has ended in a hidden tab is gone when it comes back', async (t) => {
  const page = pageOf(t);
  const w = world(t);
  w.put('k', 'one', 30_000);
  const { seen } = watch(w, 'k');
  await settle();
  page.show(false);
  w.sleep(60_000); // browsers let timers of hidden tabs wait
  page.show(true);
  assert.deepEqual(seen.map(([value]) => value), ['one', null], 'at once, before any answer');
});

test('an offline page asks nothing, and asks at once when the network is back', async (t) => {
  const page = pageOf(t);
  const w = world(t);
  w.put('k', 'one', 3600_000);
  const { seen, errors } = watch(w, 'k');
  await settle();
  page.connect(false);
  await w.advance(100_000);
  assert.deepEqual([w.times(), errors], [[0], []]);
  page.connect(true);
  await settle();
  assert.deepEqual(w.times(), [0, 100]);
  assert.deepEqual(seen, [['one', 0]]);
});

test('a network that is back ends a long pause after failures', async (t) => {
  const page = pageOf(t);
  const w = world(t, { random: 0.5 });
  w.answer = () => { throw new TypeError('unreachable'); };
  watch(w, 'k');
  await w.advance(65_000);
  const { length } = w.asked;
  w.answer = undefined;
  page.connect(false);
  page.connect(true);
  await settle();
  assert.equal(w.asked.length, length + 1);
});

test('a page that opens hidden asks when it is shown', async (t) => {
  const page = pageOf(t);
  const w = world(t);
  page.show(false);
  const { seen } = watch(w, 'k');
  await w.advance(60_000);
  assert.deepEqual([w.asked.length, seen.length], [0, 0]);
  page.show(true);
  await settle();
  assert.deepEqual(seen, [[null, 60]]);
});

test('an item whose end nobody knows is not shown by a page that cannot ask', async (t) => {
  const page = pageOf(t);
  const w = world(t);
  w.put('k', 'one', null);
  const { seen } = watch(w, 'k');
  await settle();
  page.connect(false);
  await w.advance(7_000);
  assert.deepEqual(seen.map(([value]) => value), ['one', null]);
});

test('after a sleep in which performance.now() and timers stood still the value is gone within a second', async (t) => {
  const w = world(t);
  w.put('k', 'one', 30_000);
  const { seen, item } = watch(w, 'k');
  await settle();
  w.sleep(3600_000);
  await w.advance(1_000);
  assert.equal(item(), null);
});

for (const by of [-5 * 3600_000, 5 * 3600_000]) {
  test(`somebody sets the clock by ${by / 3600_000} hours`, async (t) => {
    const w = world(t);
    w.put('k', 'one', 90_000);
    const { seen, item } = watch(w, 'k');
    await w.advance(10_000);
    w.setClock(by);
    const end = w.items.get('k').ends * 1000;
    const check = () => {
      if (item()) assert.ok(w.serverNow() < end, `shown ${w.serverNow() - end} ms after its end`);
    };
    await w.advance(20_000, check);
    assert.equal(item()?.value, 'one');
    w.setClock(-by);
    await w.advance(20_000, check);
    assert.equal(item()?.value, 'one');
    await w.advance(60_000, check);
    assert.equal(item(), null);
  });
}

test('a server clock that was ahead and is right again is believed', async (t) => {
  const w = world(t);
  w.put('k', 'one', 24 * 3600_000);
  const { seen, item } = watch(w, 'k');
  await w.advance(1_000);
  const left = item().left();
  let ahead = 0;
  w.answer = () => w.respond({ key: 'k', value: 'one', expires_at: w.items.get('k').ends }, {
    headers: { 'Cache-Control': 'public, max-age=60', Date: new Date(w.serverNow() + ahead).toUTCString() },
  });
  ahead = -3600_000; // a gateway whose clock is an hour behind: the item seems to live longer
  await w.advance(60_000);
  assert.ok(item().left() > left);
  ahead = 0;
  await w.advance(60_000);
  assert.ok(item().left() < left, 'an answer with a later Date than seemed possible corrects that');
});

// The promise, with items of all lives, slow answers, a browser's cache and failures.
test('no item is shown after its end', async (t) => {
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const pick = (...choices) => choices[Math.floor(random() * choices.length)];
  const w = world(t, { random, ceiling: 6, latency: () => pick(0, 0, 100, 400, 900) });
  const keys = Array.from({ length: 60 }, (_, i) => `k${i}`);
  w.answer = () => (random() < 0.1 ? w.problem(503, 'upstream_busy') : undefined);
  const shown = keys.map((key) => watch(w, key, { onError: () => {} }).item);
  let sightings = 0;
  await w.advance(45_000, () => {
    if (random() < 0.5) w.put(pick(...keys), String(random()), pick(1, 3, 5, 8, 13, 21, 34) * 1000);
    for (const item of shown) {
      if (!item()) continue;
      sightings++;
      assert.ok(item().expiresAt.getTime() > w.serverNow(), 'shown after its end');
    }
  });
  assert.ok(sightings > 1000, `${sightings} sightings`);
});

test('the client\'s onError is told what a watch has no onError for', async (t) => {
  const errors = [];
  const w = world(t, { onError: (error, key) => errors.push([error instanceof ItemError, error.status, key]) });
  w.answer = () => w.problem(503, 'upstream_busy');
  w.client.watch('k', () => {});
  w.client.watch('quiet', () => {}, { onError: () => {} });
  await settle();
  assert.deepEqual(errors, [[true, 503, 'k']]);
});

test('without the words of a page', () => {
  assert.equal(globalThis.document, undefined);
  assert.equal(typeof createClient({ url: 'http://localhost' }).watch, 'function');
});
