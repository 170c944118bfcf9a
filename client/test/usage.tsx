// What the types must allow, and what not.
import { createClient, ItemError, type Client, type Item } from 'voxkv-client';
import { useItem } from 'voxkv-client/react';

const kv: Client = createClient({ url: 'https://kv.example.com', token: async () => 'token', onError: (error, key) => console.log(error.code, key) });
const item: Item | null = await kv.get('order:1001', { fresh: true, signal: AbortSignal.timeout(1000) });
if (item && !item.expired) {
  const text: string = item.value;
  const left: number = item.left();
  const end: Date | null = item.expiresAt;
  const { state } = item.json<{ state: string }>();
  console.log(text, left, end, state);
}
// @ts-expect-error: there may be no item
item.value;
// @ts-expect-error: an item is only read
item!.value = '';
// @ts-expect-error: nobody knows what the JSON is
item!.json().state;
// @ts-expect-error: a key is a string
await kv.get(1001);
// @ts-expect-error: a list, not a string
await kv.getMany('a');
// @ts-expect-error: there is no client without a url
createClient({});

for (const [key, found] of await kv.getMany(['a', 'b'])) {
  if (found instanceof ItemError) console.log(key, found.code === 'upstream_busy', found.retryAfter);
  else console.log(found?.value);
}

const stop: () => void = kv.watch('order:1001', (item) => console.log(item?.value), { onAnswer: () => {}, onError: (error) => console.log(error.status) });
stop();
for await (const item of kv.changes('order:1001', { signal: AbortSignal.timeout(1000) })) console.log(item?.value);

export function Status({ id }: { id?: string }) {
  const { item, error, loading } = useItem(kv, id && `order:${id}`);
  if (loading) return <p>…</p>;
  return <p title={error?.code}>{item ? item.value : 'no such order'}</p>;
}
