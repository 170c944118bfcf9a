// Reads items by invoking voxkv, from another Lambda function or from anywhere with AWS credentials.
//
//   VOXKV_FUNCTION=voxkv node read.mjs order:1001              # one key: the item, or null
//   VOXKV_FUNCTION=voxkv node read.mjs order:1001 order:1002   # up to 50: each is answered for itself
//
// Lambda's Node runtimes bring the SDK along. The caller needs lambda:InvokeFunction on the function, and nothing else.
import { pathToFileURL } from 'node:url';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';

const client = new LambdaClient(); // once, outside of the handler: it keeps its connection

// A read that failed. Its type is one of voxkv's own, or of Lambda, such as Sandbox.Timedout.
export class ReadError extends Error {
  constructor(type, message) {
    super(`${type}: ${message}`);
    this.type = type;
    // These pass. The others stay until somebody corrects a key (InvalidRequest) or looks after voxkv.
    this.temporary = ['UpstreamBusy', 'UpstreamUnavailable', 'UpstreamTimeout'].includes(type);
  }
}

// Returns { key, value, expires_at, max_age }, or null where there is no such item.
// Keep it for max_age seconds at most; do not keep it if that is 0.
export function getItem(key) {
  return invoke({ key });
}

// Returns the items by key, null where there is none, and a ReadError for each key that could not be read.
export async function getItems(keys) {
  const { items, errors } = await invoke({ keys });
  for (const key in errors) errors[key] = new ReadError(errors[key].errorType, errors[key].errorMessage);
  return { items, errors };
}

async function invoke(payload) {
  const command = new InvokeCommand({ FunctionName: process.env.VOXKV_FUNCTION, Payload: JSON.stringify(payload) });
  const answer = await client.send(command);
  const body = JSON.parse(answer.Payload.transformToString());
  // To the SDK the call has succeeded: it neither throws nor retries.
  if (answer.FunctionError) throw new ReadError(body.errorType ?? 'Unknown', body.errorMessage);
  return body;
}

async function main(keys) {
  if (keys.length === 1) {
    console.log(JSON.stringify(await getItem(keys[0])));
    return;
  }
  const { items, errors } = await getItems(keys);
  for (const key of keys) console.log(key, errors[key]?.type ?? JSON.stringify(items[key]));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    console.error(error.message);
    process.exitCode = error.temporary ? 75 : 1; // 75 says: try again later
  }
}
