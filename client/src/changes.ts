import type { ItemError } from './error.js';
import { over, type Item } from './item.js';
import type { Watch } from './watch.js';

interface Options {
  signal?: AbortSignal | undefined;
  onError?: ((error: ItemError, key: string) => void) | undefined;
}

/** Iterates over what a watch calls back with. The watch begins with the first next(). */
export function changes(watch: Watch, key: string, { signal, onError }: Options): AsyncGenerator<Item | null, void, void> {
  let latest: [Item | null] | undefined; // not taken yet
  let ended: { by: ItemError | undefined } | undefined;
  let stop = () => {};
  let wake = stop;

  async function* iterate() {
    stop = watch(key, (item) => {
      latest = [item];
      wake();
    }, {
      signal,
      onError,
      onEnd: (by) => {
        ended = { by };
        wake();
      },
    });
    try {
      while (!ended) {
        const taken = latest;
        latest = undefined;
        // An item may end before the loop takes it, and before the watch's timer runs, which says so.
        if (taken && !over(taken[0])) yield taken[0];
        else await new Promise<void>((resolve) => { wake = resolve; });
      }
      if (ended.by) throw ended.by;
    } finally {
      stop();
    }
  }

  const iterator = iterate();
  // A generator that waits would return only after the next change.
  const finish = iterator.return;
  iterator.return = (value) => {
    stop();
    return finish.call(iterator, value);
  };
  return iterator;
}
