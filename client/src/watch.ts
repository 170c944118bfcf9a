import { stopwatch } from './clock.js';
import { ItemError } from './error.js';
import { over, type Item } from './item.js';

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
  seen?: Item | null | undefined;
  stop(by?: ItemError): void;
}

interface Options {
  signal?: AbortSignal | undefined;
  onError?: Watcher['onError'];
  onAnswer?: Watcher['onAnswer'];

  /** Is called when the watch is over: with the ItemError that ended it, if one did. */
  onEnd?: (by?: ItemError) => void;
}

export type Watch = (key: string, callback: Watcher['callback'], options: Options) => () => void;
type Read = (key: string, signal: AbortSignal) => Promise<Reading>;

/** Returns watch, which has one request for all who watch a key. */
export function watching(read: Read, onError: Watcher['onError']): Watch {
  const open = new Map<string, Open>();
  const wake = (event: Event) => open.forEach((key) => key.tick(event.type));
  let listening: AbortController;

  return (key, callback, { signal, onError: own = onError, onAnswer, onEnd }) => {
    let watched: Open | undefined;
    const aborted = () => stop();
    const stop = (by?: ItemError) => {
      signal?.removeEventListener('abort', aborted);
      if (watched?.watchers.delete(watcher) && !watched.watchers.size) {
        watched.end();
        open.delete(key);
        if (!open.size) listening.abort();
      }
      onEnd?.(by);
    };
    const watcher: Watcher = { callback, onError: own, onAnswer, stop };
    signal?.addEventListener('abort', aborted);
    if (signal?.aborted) stop();
    else {
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
  const { watchers, update, each } = audience();
  let asking: AbortController | undefined;
  let pause = 0; // from since to the next request
  let since = stopwatch();
  let failures = 0; // since the last answer
  let timer: ReturnType<typeof setTimeout> | undefined;

  const ask = async () => {
    const { signal } = (asking = new AbortController());
    const answer = await read(key, signal).catch((error: ItemError) => error);
    if (signal.aborted) return;
    asking = undefined;
    since = stopwatch();
    if (answer instanceof ItemError) {
      const growing = Math.min(1000 * 2 ** failures++, 60_000) * (0.5 + Math.random());
      pause = Math.max(growing, apart(Math.min(answer.retryAfter ?? 0, 600_000)));
      update(undefined, true);
      each((watcher) => watcher.onError?.(answer, key));
      if (answer.code === 'invalid_key') each((watcher) => watcher.stop(answer)); // it will not become a key
    } else {
      failures = 0;
      pause = apart(answer.good > 0 ? Math.max(answer.good, 1000) : 5000);
      update(answer.item);
      each((watcher) => watcher.onAnswer?.());
    }
    tick();
  };

  const tick = (event?: string) => {
    clearTimeout(timer);
    if (event === 'online') pause = 0;
    const left = pause - since();
    const due = left <= 0 && !asking;
    const life = update(undefined, left < -5000 || (due && !awake()));
    if (!watchers.size) return;
    if (due && awake()) ask();
    // A timer stands still while a computer sleeps: so none is long.
    timer = setTimeout(tick, Math.min(life, left > 0 ? left : 1000, 1000));
  };
  const end = () => {
    clearTimeout(timer);
    asking?.abort();
  };
  return { watchers, tick, end };
}

/** Those who watch a key, and the item that they are told of. */
function audience() {
  const watchers = new Set<Watcher>();
  let held: Item | null | undefined; // undefined before the first answer

  const each = (call: (watcher: Watcher) => void) => {
    for (const watcher of [...watchers]) {
      try {
        if (watchers.has(watcher)) call(watcher); // else another has stopped it
      } catch (error) {
        queueMicrotask(() => { throw error; }); // as an event listener's, it stops no other
      }
    }
  };

  /**
   * Holds item, if there is one in an answer, and tells those who have not seen what is held now. Returns the milliseconds
   * after which to call it again at the latest. An item whose end nobody knows is good until the next answer should be
   * there: overdue says that it is not.
   */
  const update = (item: Item | null | undefined, overdue?: boolean) => {
    if (item !== undefined && JSON.stringify(item) !== JSON.stringify(held)) held = item;
    if (over(held) || (overdue && held?.expiresAt === null)) held = null;
    each((watcher) => {
      if (watcher.seen !== held) watcher.callback((watcher.seen = held)!);
    });
    return held?.left() || 1000;
  };
  return { watchers, update, each };
}

/** Spreads the requests of pages whose answers end at the same moment. */
const apart = (milliseconds: number) => milliseconds + Math.random() * Math.max(milliseconds / 10, 500);

const awake = () => globalThis.document?.visibilityState !== 'hidden' && globalThis.navigator?.onLine !== false;
