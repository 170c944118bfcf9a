// A world without real time: its clocks and timers are moved by hand, and it has a function with a browser's cache before it.
import { createClient } from 'voxkv-client';

export const epoch = Date.UTC(2026, 0, 1);
const offset = 157_000_250; // the server's clock is nearly two days and a quarter of a second ahead of the page's

// Lets everything run that waits for no timer.
export async function settle() {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** The seconds that a browser and shared caches may keep an item that has left milliseconds to live, as docs/freshness.md says. */
export function law(left, ceiling, isPrivate) {
  const remaining = Math.floor((left - 2000) / 1000);
  if (isPrivate) return { own: Math.min(ceiling, remaining), shared: 0 };
  return { own: Math.min(ceiling, remaining >> 1), shared: Math.min(ceiling, (remaining >> 1) - 2) };
}

/** World is what a test has. random is what Math.random() gives, or a function. */
export function world(t, { random = 0, ceiling = 60, isPrivate = false, latency = () => 0, ...options } = {}) {
  let [truth, set, slept] = [0, 0, 0]; // milliseconds that have passed, that the clock was set by, and that the computer slept
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.method(Date, 'now', () => epoch + truth + set);
  t.mock.method(performance, 'now', () => truth - slept);
  t.mock.method(Math, 'random', typeof random === 'function' ? random : () => random);
  const w = {
    asked: [], // what reached the function
    items: new Map(),
    now: () => truth,
    serverNow: () => epoch + truth + offset,
    put(key, value, ttl) {
      w.items.set(key, { value, ends: ttl === null ? null : Math.floor((w.serverNow() + ttl) / 1000) });
    },
    /** Answers in place of the function, if it is set. */
    answer: undefined,
    async advance(milliseconds, each, step = 50) {
      await settle();
      for (let passed = 0; passed < milliseconds; passed += step) {
        truth += step;
        t.mock.timers.tick(step);
        await settle();
        each?.();
      }
    },
    /** Somebody sets the page's clock. */
    setClock(by) {
      set += by;
    },
    /** The computer sleeps: performance.now() stands still, and so do timers. */
    sleep(milliseconds) {
      truth += milliseconds;
      slept += milliseconds;
    },
  };
  const stored = new Map();

  const fromFunction = async (url, init) => {
    const { pathname, searchParams } = new URL(url);
    w.asked.push({ at: w.now(), path: pathname, cache: init.cache, authorization: init.headers?.Authorization, signal: init.signal });
    const special = await w.answer?.(url, init);
    if (special) return special;
    const key = decodeURIComponent(pathname.split('/').pop());
    const found = searchParams.has('key') ? undefined : w.items.get(key);
    const item = found && (found.ends === null || found.ends * 1000 > w.serverNow()) ? found : undefined;
    const { own, shared } = item?.ends ? law(item.ends * 1000 - w.serverNow(), ceiling, isPrivate) : { own: 0, shared: 0 };
    const control = !item ? 'public, max-age=0, s-maxage=5, must-revalidate'
      : own < 1 ? 'no-store' : shared < 1 ? `private, max-age=${own}` : `public, max-age=${own}, s-maxage=${shared}`;
    return w.respond(item ? { key, value: item.value, expires_at: item.ends } : null, { headers: { 'Cache-Control': control } });
  };

  w.respond = (body, { status = 200, headers = {} } = {}) =>
    new Response(typeof body === 'string' ? body : JSON.stringify(body), {
      status, headers: { Date: new Date(Math.floor(w.serverNow() / 1000) * 1000).toUTCString(), ...headers },
    });
  w.problem = (status, code, headers) => w.respond({ code, detail: `It is ${code}.`, request_id: 'id' }, { status, headers });

  // The browser: it keeps what it may, from when it asked, and gives it again as it came.
  w.fetch = async (url, init) => {
    const kept = stored.get(url);
    if (!init.cache && kept && truth - kept.at < kept.life) return kept.response.clone();
    const at = truth;
    const wait = async () => {
      const milliseconds = latency();
      if (milliseconds) await new Promise((resolve) => setTimeout(resolve, milliseconds));
      init.signal.throwIfAborted();
    };
    await wait();
    const response = await fromFunction(url, init);
    await wait();
    const { headers } = response;
    const life = (Number(/max-age=(\d+)/.exec(headers.get('Cache-Control'))?.[1] ?? 0) - Number(headers.get('Age'))) * 1000;
    if (response.ok) stored.set(url, { at, life, response: response.clone() });
    return response;
  };
  w.client = createClient({ url: 'https://kv.example.com/base/', fetch: w.fetch, ...options });
  w.times = () => w.asked.map(({ at }) => at / 1000);
  return w;
}

/** Watches key and keeps what it was called with, as value and time. */
export function watch(w, key, options) {
  const seen = [];
  const errors = [];
  let last;
  const stop = w.client.watch(key, (item) => {
    last = item;
    seen.push([item && item.value, w.now() / 1000]);
  }, { onError: (error) => errors.push([error.code, w.now() / 1000]), ...options });
  return { seen, errors, stop, item: () => last };
}
