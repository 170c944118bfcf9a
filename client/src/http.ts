import { serverClock, stopwatch, type ServerClock } from './clock.js';
import { ItemError } from './error.js';
import { must } from './must.js';

export interface HTTPOptions {
  /** The root of the API: absolute, http or https. A slash at its end is fine. */
  url: string | URL;

  /**
   * Gives the token to send as Authorization: Bearer. It is called before each request. If the answer is 401 it is called
   * once more, and the request tried again.
   */
  token?: (() => string | Promise<string>) | undefined;

  /** In place of the global fetch. It must not keep answers itself. */
  fetch?: typeof globalThis.fetch | undefined;
}

export interface Answer {
  /** Parsed; undefined if it is no JSON. null for 404 not_found, too. */
  body: unknown;

  /** The milliseconds for which asking again would give the same. */
  good: number;
  response: Response;
}

export interface HTTP {
  clock: ServerClock;

  /** Whether an answer of the last hour has certainly not come from the browser's cache, so that the ages of all are known. */
  sharp(): boolean;

  /** Where fresh is true, the browser's own cache has to ask. */
  get(path: string, options: { fresh?: boolean | undefined; signal?: AbortSignal | undefined }): Promise<Answer>;
}

// Date and Age are whole seconds: each may be almost one short. The third second is for a shared cache that counts Age
// from when an answer arrived, and got it late.
const margin = 3000;

// Some edge workers have no browser's cache, and refuse the word.
const cached = (() => {
  try {
    return 'cache' in new Request('https://kv.example.com', { cache: 'no-cache' });
  } catch {
    return false;
  }
})();

/** Returns what asks the function. */
export function http({ url, token, fetch }: HTTPOptions): HTTP {
  must(URL.canParse(url) && /^https?:[^?#@]+$/i.test(url as string), 'url must be like https://kv.example.com');
  const root = new URL(url).href.replace(/\/+$/, '');
  must(!token || typeof token === 'function', 'token must be a function');
  const clock = serverClock();
  let asked: (() => number) | undefined;

  const send = async (path: string, init: RequestInit) => {
    for (let tries = 2; ; ) {
      // Without a token no header is set: browsers would ask for permission first.
      if (token) init.headers = { Authorization: await bearerOf(token) };
      const response = await (fetch ?? globalThis.fetch)(root + path, init);
      if (response.status !== 401 || !token || !--tries) return response;
    }
  };

  const ask = async (path: string, fresh: boolean | undefined, signal: AbortSignal) => {
    const elapsed = stopwatch(); // before the request: its way through the network counts
    const response = await send(path, { signal, ...(cached && fresh && { cache: 'no-cache' }) });
    const body = await bodyOf(response);
    // What is no JSON is from somebody else, such as the page of a hotel's network, whose clock does not count.
    const date = body === undefined ? NaN : dateOf(response);
    const age = response.headers.get('Age') as never * 1000;
    const kept = cached && !fresh;
    if (!kept && date) asked = stopwatch();
    // Date and Age tell the age of an answer when it reached the browser. How long the browser's cache has kept it since,
    // nothing tells, but it is at most max-age, Age included.
    clock.learn(date + age, date + Math.max(age, kept ? lifetime(response, 'max-age') : 0) + margin + elapsed());
    // An absence may be kept by shared caches only.
    const good = lifetime(response, body === null ? 's-maxage' : 'max-age');
    return { body, response, good: good - (Math.max(age, clock.latest() - margin - date) || 0) };
  };
  return {
    clock,
    sharp: () => !!asked && asked() < 3_600_000,
    get: (path, options) => limited((signal) => ask(path, options.fresh, signal), options.signal),
  };
}

/** Ends work after 30 s, and with the abort of signal. */
async function limited<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  let end!: () => void;
  // Nobody waits for a token() or a fetch that does not know the signal.
  const ended = new Promise<never>((_, reject) => { end = () => reject(); });
  const timer = setTimeout(end, 30_000); // no gateway of AWS waits for longer
  signal?.addEventListener('abort', end);
  try {
    return await Promise.race([work(controller.signal), ended]);
  } catch (cause) {
    signal?.throwIfAborted();
    throw cause instanceof ItemError ? cause : new ItemError('no answer of voxkv', 0, cause ? 'network' : 'timeout', { cause });
  } finally {
    controller.abort();
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
}

// What fetch says of a token that no header can hold would show it.
async function bearerOf(token: () => string | Promise<string>): Promise<string> {
  let cause: unknown;
  try {
    const text = await token();
    if (/^[!-~]+$/.test(text) && typeof text === 'string') return 'Bearer ' + text;
  } catch (error) {
    cause = error;
  }
  throw new ItemError('token must give a string of ASCII characters', 0, 'token', { cause });
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  let body: any;
  try {
    body = JSON.parse(text);
  } catch {} // a gateway's own answer may be anything
  if (response.ok) return body;
  if (response.status === 404 && body?.code === 'not_found') return null;
  throw errorOf(response, body?.detail ?? 'HTTP status ' + response.status, body?.code);
}

export function errorOf(response: Response, message: string, code: string | undefined): ItemError {
  const text = response.headers.get('Retry-After')!;
  // A number of seconds or, from some gateways, a date by the clock that made Date.
  const wait = /^\d+$/.test(text) ? +text * 1000 : Date.parse(text) - dateOf(response);
  return new ItemError(message, response.status, code, {
    retryAfter: wait >= 0 ? wait : undefined,
    requestId: response.headers.get('X-Request-Id') ?? undefined,
  });
}

const dateOf = (response: Response) => Date.parse(response.headers.get('Date')!);
const lifetime = (response: Response, name: string) => (RegExp(name + '=(\\d+)').exec(response.headers.get('Cache-Control')!)?.[1] ?? 0) as number * 1000;
