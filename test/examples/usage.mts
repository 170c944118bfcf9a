// What the types must allow, and what not.
import type { components, paths } from './types.d.ts';

type Answer = paths['/v1/items/{key}']['get']['responses']['200']['content']['application/json'];
const answer: Answer = { key: 'order:1001', value: 'ringing', expires_at: null };
const problem: components['schemas']['Problem']['status'] = 404;
const code: components['schemas']['Problem']['code'] = 'upstream_busy';
// @ts-expect-error: no such code
const wrong: components['schemas']['Problem']['code'] = 'busy';

// A parsed value may be any JSON.
const parsed: components['schemas']['ParsedItem'] = { ...answer, value: '{"a":[1]}', value_json: { a: [1] } };
console.log(answer, problem, code, wrong, parsed);
