import type { ServerClock } from './clock.js';

/** What is stored under a key. */
export interface Item {
  readonly key: string;

  /** As it was stored. */
  readonly value: string;

  /**
   * When the item ends by the server's clock, or null if nobody knows. Do not compare it with Date.now(): people's clocks
   * are wrong. Ask expired or left().
   */
  readonly expiresAt: Date | null;

  /** Whether value must not be used any more. It is true at once if expiresAt is null: use such a value now, and do not keep it. */
  readonly expired: boolean;

  /** The milliseconds for which value may still be used; 0 at the end. */
  left(): number;

  /** The value parsed as JSON. Throws a SyntaxError if it is not JSON. */
  json<T = unknown>(): T;
}

/** Whether item has an end, and that has come. */
export const over = (item: Item | null | undefined) => item?.expiresAt && item.expired;

/** Makes the item of what was answered for key; undefined if that is no answer for it. */
export function itemOf(body: unknown, key: string, clock: ServerClock): Item | null | undefined {
  if (body === null) return null;
  const { key: answered, value, expires_at: end } = Object(body) as Record<string, unknown>;
  if (answered !== key || typeof value !== 'string' || !(end === null || Number.isFinite(end))) return undefined;
  const ends = (end as number) * 1000; // null ends in 1970
  const left = () => Math.max(0, ends - clock.latest());
  return {
    key,
    value,
    expiresAt: end === null ? null : new Date(ends),
    get expired() {
      return !left();
    },
    left,
    json: () => {
      try {
        return JSON.parse(value);
      } catch {
        throw new SyntaxError('the value is not JSON'); // the engine's message would show it
      }
    },
  };
}
