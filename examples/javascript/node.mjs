// Prints an item whenever it changes, until Ctrl-C:
//
//     npm install ../voxkv/client/voxkv-client-1.0.0.tgz    # which `npm pack` in client/ leaves; no registry has it
//     node node.mjs order:1001
import { createClient } from 'voxkv-client';

const [, , key = 'order:1001'] = process.argv;
const kv = createClient({
  url: process.env.VOXKV_URL ?? 'http://localhost:8080',
  onError: (error) => console.error(error.code ?? error.status, error.message),
});
const ended = new AbortController();
process.once('SIGINT', () => ended.abort());

for await (const item of kv.changes(key, { signal: ended.signal })) console.log(item ? item.value : 'no item');
