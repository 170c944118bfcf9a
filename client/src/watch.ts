import { stopwatch } from './clock.js';
import type { ItemError } from './error.js';
import type { Item } from './item.js';

/** What one request found. */
export interface Reading {
  item: Item | null;

  /** The milliseconds before which asking again would find the same. */
  good: number;
}

export interface Watcher {
  callback(item: Item | null): void;
  onError: ((error: ItemError, key: string) => void) | undefined;
  onAnswer: (() => void) | undefined;

  /** What callback was called with last; undefined before the first call. */
  seen: Item | null | undefined;
  stop(): void;
}

interface Options {
  signal?: AbortSignal | undefined;
  onError?: Watcher['onError'];
  onAnswer?: Watcher['onAnswer'];

  /** Is called when the watch is over, for whatever reason. */
  onEnd?: () => void;
}

export type Watch = (key: string, callback: Watcher['callback'], options: Options) => () => void;
type Read = (key: string, signal: AbortSignal) => Promise<Reading>;

/** Returns watch, which has one request for all who watch a key. */
export function watching(read: Read, onError: Watcher['onError']): Watch {
  const open = new Map<string, Open>();
  const wake = ({ type }: Event) => open.forEach(({ tick }) => tick(type));
  let listening: AbortController;

  return (key, callback, { signal, onError: own = onError, onAnswer, onEnd }) => {
    let watched: Open | undefined;
    const stop = () => {
      signal?.removeEventListener('abort', stop);
      if (watched?.watchers.delete(watcher) && !watched.watchers.size) {
        watched.end();
        open.delete(key);
        if (!open.size) listening.abort();
      }
      onEnd?.();
    };
    const watcher: Watcher = { callback, onError: own, onAnswer, stop, seen: undefined };
    if (signal?.aborted) stop();
    else {
      signal?.addEventListener('abort', stop);
      if (!open.size) {
        listening = new AbortController();
        // Node.js has no such events.
        for (const type of ['visibilitychange', 'online']) globalThis.addEventListener?.(type, wake, { signal: listening.signal });
      }
      watched = open.get(key) ?? opened(key, read);
      open.set(key, watched);
      watched.watchers.add(watcher);
      // Later, so that nobody is called before watch has returned, and that React may mount a component twice.
      queueMicrotask(watched.tick);
    }
    return stop;
  };
}

/** A key that is watched. */
interface Open {
  watchers: Set<Watcher>;

  /** Does what is due, and sees to it that it is called again. After the event "online" it is due to ask. */
  tick(event?: string): void;
  end(): void;
}

function opened(key: string, read: Read): Open {
  const watchers = new Set<Watcher>();
  let held: Item | null | undefined; // undefined before the first answer
  let asking: AbortController | undefined;
  let pause = 0; // from since to the next request
  let since = stopwatch();
  let failures = 0; // since the last answer
  let timer: ReturnType<typeof setTimeout> | undefined;

  const each = (call: (watcher: Watcher) => void) => {
    for (const watcher of [...watchers]) {
      try {
        if (watchers.has(watcher)) call(watcher); // else another has stopped it
      } catch (error) {
        queueMicrotask(() => { throw error; }); // as an event listener's, it stops no other
      }
    }
  };
  const tell = () => each((watcher) => {
    if (watcher.seen !== held) watcher.callback((watcher.seen = held)!);
  });
  const hold = (item: Item | null | undefined) => {
    if (JSON.stringify(item) !== JSON.stringify(held)) held = item;
    if (held?.expiresAt && held.expired) held = null;
    tell();
  };
  // An item that ends nobody knows when is good until the next answer should be there, and no longer.
  const lasting = () => (held?.expiresAt === null ? null : held);

  const ask = async () => {
    const { signal } = (asking = new AbortController());
    const [reading, error] = await read(key, signal).then((reading): [Reading?, ItemError?] => [reading], (error) => [, error]);
    if (signal.aborted) return;
    asking = undefined;
    since = stopwatch();
    if (reading) {
      failures = 0;
      pause = apart(reading.good > 0 ? Math.max(reading.good, 1000) : 5000);
      hold(reading.item);
      each((watcher) => watcher.onAnswer?.());
    } else {
      const growing = Math.min(1000 * 2 ** failures++, 60_000) * (0.5 + Math.random());
      pause = Math.max(growing, apart(Math.min(error!.retryAfter ?? 0, 600_000)));
      hold(lasting());
      each((watcher) => watcher.onError?.(error!, key));
      if (error!.code === 'invalid_key') each((watcher) => watcher.stop()); // it will not become a key
    }
    tick();
  };

  const tick = (event?: string) => {
    clearTimeout(timer);
    if (event === 'online') pause = 0;
    const left = pause - since();
    const due = left <= 0 && !asking;
    hold(due && !awake() ? lasting() : held);
    if (!watchers.size) return;
    if (due && awake()) ask();
    // A timer stands still while a computer sleeps: so none is long.
    timer = setTimeout(tick, Math.min(held?.left() || 1000, left > 0 ? left : 1000, 1000));
  };
  const end = () => {
    clearTimeout(timer);
    asking?.abort();
  };
  return { watchers, tick, end };
}

/** Spreads the requests of pages whose answers end at the same moment. */
const apart = (milliseconds: number) => milliseconds + Math.random() * Math.max(milliseconds / 10, 500);

const awake = () => globalThis.document?.visibilityState !== 'hidden' && globalThis.navigator?.onLine !== false;
