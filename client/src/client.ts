import { changes } from './changes.js';
import { ItemError } from './error.js';
import { errorOf, http, type HTTPOptions } from './http.js';
import { itemOf, over, type Item } from './item.js';
import { must } from './must.js';
import { watching } from './watch.js';

export interface ClientOptions extends HTTPOptions {
  /** Is told why a watch got no answer, unless that watch has an onError of its own. */
  onError?: ((error: ItemError, key: string) => void) | undefined;

  /** How many keys getMany asks for in one request. The function's MAX_KEYS; 10 if not given. */
  maxKeys?: number | undefined;
}

export interface GetOptions {
  /** Makes the browser's cache ask. A shared cache, such as a CDN, may still answer. */
  fresh?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

type Result = Item | null | ItemError;

export interface ChangesOptions {
  /** Its abort ends the watch, without an error. */
  signal?: AbortSignal | undefined;

  /** Is told why there was no answer, in place of the client's onError. The watch goes on, except after invalid_key. */
  onError?: ((error: ItemError, key: string) => void) | undefined;
}

export interface WatchOptions extends ChangesOptions {
  /** Is called after each answer, whether something has changed or not. */
  onAnswer?: (() => void) | undefined;
}

export interface Client {
  /** Reads the item under key; null if there is none. Rejects with an ItemError, or with the signal's reason. */
  get(key: string, options?: GetOptions): Promise<Item | null>;

  /** Reads several. Absent keys are null, and those that failed are ItemErrors. Rejects with the signal's reason only. */
  getMany(keys: readonly string[], options?: GetOptions): Promise<Map<string, Item | null | ItemError>>;

  /**
   * Calls back with the item, or null, now and whenever that changes; with null at the item's end. Returns what stops it:
   * after that nothing happens any more.
   */
  watch(key: string, callback: (item: Item | null) => void, options?: WatchOptions): () => void;

  /** The same for loops. Who is slow sees the latest and misses those between. */
  changes(key: string, options?: ChangesOptions): AsyncGenerator<Item | null, void, void>;
}

export function createClient(options: ClientOptions): Client {
  const { maxKeys = 10, onError } = options;
  const { clock, sharp, get } = http(options);
  must(maxKeys >= 1, 'maxKeys must be 1 or more');

  /** Asks for keys in one request. good is the milliseconds for which asking again would give the same. */
  async function ask(keys: string[], options: GetOptions): Promise<{ results: Result[]; good: number }> {
    const { body, response, good } = await get(pathOf(keys), options);
    const { items, errors } = keys[1] ? Object(body) : { items: { [keys[0]!]: body } };
    const results = keys.map((key) => {
      const item = itemOf(items?.[key], key, clock);
      const { errorMessage = 'no answer of voxkv', code = 'invalid_response' } = Object(errors?.[key]);
      return item === undefined ? errorOf(response, errorMessage, code) : item;
    });
    // Too old only if the browser has kept it for long. Where that is possible, let it ask.
    const old = !options.fresh && !sharp() && (results as Item[]).some(over);
    return old ? ask(keys, { ...options, fresh: true }) : { results, good };
  }

  async function read(key: string, options: GetOptions) {
    const { results: [item], good } = await ask([key], options);
    if (item instanceof ItemError) throw item;
    return { item: item!, good };
  }

  // One request after the other: gateways let few of these through in a second.
  async function readAll(keys: string[], most: number, options: GetOptions, all = new Map<string, Result>()) {
    while (keys[0]) {
      const part = keys.slice(0, most);
      while (part[1] && pathOf(part).length > 6000) part.pop(); // gateways take some 10 kB, headers included
      try {
        const { results } = await ask(part, options);
        part.forEach((key, i) => all.set(key, results[i]!));
      } catch (error) {
        if (!(error instanceof ItemError)) throw error;
        // One key may be to blame for all, or there are too many.
        if (error.status === 400 && part[1]) await readAll(part, part.length >> 1, options, all);
        else part.forEach((key) => all.set(key, error));
      }
      keys = keys.slice(part.length);
    }
    return all;
  }

  const watch = watching((key, signal) => read(key, { fresh: !sharp(), signal }), onError);
  return {
    get: (key, options = {}) => read(check(key), options).then(({ item }) => item),
    getMany: (keys, options = {}) => readAll([...new Set(keys.map(check))], maxKeys, options),
    watch: (key, callback, options = {}) => watch(check(key), callback, options),
    changes: (key, options = {}) => changes(watch, check(key), options),
  };
}

function check(key: string): string {
  // A URL cannot hold half a surrogate pair.
  must(typeof key === 'string' && key && !/\p{Surrogate}/u.test(key), 'key must be a non-empty string');
  return key;
}

// No path can hold "." and "..".
const pathOf = (keys: string[]) =>
  keys[1] || /^\.\.?$/.test(keys[0]!)
    ? '/v1/items?key=' + keys.map(encodeURIComponent).join('&key=')
    : '/v1/optional/' + encodeURIComponent(keys[0]!);
