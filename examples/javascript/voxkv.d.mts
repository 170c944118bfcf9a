// Types of voxkv.mjs. What the API answers is in types.d.ts, which is generated from openapi.yaml.
import type { components } from './types.d.ts';

export type Item = Readonly<components['schemas']['Item']> & {
  /** The milliseconds for which value may still be used; 0 at the end. */
  left(): number;
  /** Whether value must not be used any more. */
  readonly expired: boolean;
};

/** What getItem rejects with if there is an answer, but neither an item nor its absence. */
export interface ItemError extends Error {
  status: number;
  /** Undefined if a gateway in front gave the answer. */
  code?: components['schemas']['Problem']['code'];
  /** The milliseconds to wait before asking again. */
  retryAfter?: number;
}

/** Reads the item under a key; null if there is none. url is the root of the API, without a slash at its end. */
export function getItem(url: string, key: string, options?: { signal?: AbortSignal }): Promise<Item | null>;
