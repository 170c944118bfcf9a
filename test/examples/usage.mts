// What the types must allow, and what not.
import { getItem, type Item, type ItemError } from './voxkv.mjs';
import type { components, paths } from './types.d.ts';

const item: Item | null = await getItem('https://kv.example.com', 'order:1001', { signal: AbortSignal.timeout(1000) });
if (item && !item.expired) {
  const text: string = item.value;
  const left: number = item.left();
  const end: number | null = item.expires_at;
  console.log(text, left, end);
}
// @ts-expect-error: there may be no item
item.value;
// @ts-expect-error: an item is only read
item!.value = '';
// @ts-expect-error: a key is a string
await getItem('https://kv.example.com', 1001);

const error = new Error() as ItemError;
if (error.code === 'upstream_busy') setTimeout(() => {}, error.retryAfter);
// @ts-expect-error: no such code
if (error.code === 'busy') throw error;

type Answer = paths['/v1/items/{key}']['get']['responses']['200']['content']['application/json'];
const answer: Answer = { key: 'order:1001', value: 'ringing', expires_at: null };
const problem: components['schemas']['Problem']['status'] = 404;

// A parsed value may be any JSON.
const parsed: components['schemas']['ParsedItem'] = { ...answer, value: '{"a":[1]}', value_json: { a: [1] } };
console.log(answer, problem, parsed);
