// What others would write to ask the same.
import { invokePath, pathOf } from './requests.js';

const quoted = (text) => `'${text.replaceAll('\'', '\'\\\'\'')}'`; // for a shell
const literal = (text) => JSON.stringify(text);

export function asCurl(view, origin) {
  if (view.tab === 'direct') return `curl -i -X POST ${quoted(origin + invokePath(view.functionName))} -d ${quoted(view.payload)}`;
  return `curl -i ${quoted(origin + pathOf(view))}`;
}

export function asFetch(view, origin) {
  const options = view.cache === 'default' ? '' : `, { cache: ${literal(view.cache)} }`;
  const read = view.form === 'value' ? 'text' : 'json';
  return [
    `const response = await fetch(${literal(origin + pathOf(view))}${options});`,
    'if (!response.ok && response.status !== 404) throw new Error(`voxkv answers ${response.status}`);',
    `const answer = response.ok ? await response.${read}() : null;`,
  ].join('\n');
}

export function asClient(view, origin) {
  const lines = ['import { createClient } from \'voxkv-client\';', '', `const kv = createClient({ url: ${literal(origin)} });`];
  const keys = view.key.trim().split(/\s+/).map(literal);
  const fresh = view.cache === 'default' ? '' : ', { fresh: true }';
  if (view.form === 'batch') return [...lines, `const items = await kv.getMany([${keys.join(', ')}]${fresh});`].join('\n');
  if (view.watch) return [...lines, `const stop = kv.watch(${literal(view.key)}, (item) => console.log(item?.value));`].join('\n');
  const value = view.form === 'parsed' ? 'item?.json()' : 'item?.value';
  return [...lines, `const item = await kv.get(${literal(view.key)}${fresh});`, `console.log(${value});`].join('\n');
}

// asAWS needs neither an account nor settings, and both versions of the AWS CLI understand it.
export function asAWS(view, origin) {
  const one = view.form === 'batch' ? { keys: view.key.trim().split(/\s+/) } : { key: view.key };
  const payload = view.tab === 'direct' ? view.payload : JSON.stringify(one);
  return `echo ${quoted(payload)} | aws lambda invoke --endpoint-url ${origin} --region us-east-1 --no-sign-request ` +
    `--function-name ${view.functionName} --payload fileb:///dev/stdin /dev/stdout`;
}
