// Reads and writes items by invoking voxkv, from another Lambda function or from anywhere with AWS credentials.
//
//   const voxkv = new Voxkv(); // once, outside of the handler: it keeps its connections
//   const item = await voxkv.get('order:1001');
//
// VOXKV_FUNCTION is the name or the ARN of the function; name the alias, as in voxkv:live. The caller needs
// lambda:InvokeFunction on it, and nothing else. Lambda's Node runtimes bring the SDK along.
import { pathToFileURL } from 'node:url';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';

export interface Item {
  key: string;
  value: string;
  expires_at: number | null; // Unix seconds
}

/** An item that was read. Keep it for max_age seconds at most; do not keep it if that is 0. */
export interface ReadItem extends Item {
  max_age: number;
}

export interface Page {
  items: Item[];
  next_offset: number | null; // asks for the next page; null after the last one
}

/** How long an item lives: seconds from now, or Unix seconds. */
export type Life = { ttl: number } | { expires_at: number };

/** The verified claims of a user's token. */
export type Claims = Record<string, unknown>;

/** What voxkv could not do. What Lambda could not do, such as TooManyRequestsException, is an error of the SDK. */
export class VoxkvError extends Error {
  /**
   * InvalidRequest, UpstreamBusy, UpstreamUnavailable, UpstreamTimeout, UpstreamFailure and InternalError are voxkv's own;
   * Lambda has others, such as Sandbox.Timedout. UnexpectedAnswer: what was invoked is not voxkv, or a version that this
   * file does not know.
   */
  readonly type: string;

  constructor(type: string, message: string) {
    super(`${type}: ${message}`);
    this.name = 'VoxkvError';
    this.type = type;
  }

  /** Whether it passes. What does not stays until somebody corrects a key (InvalidRequest) or looks after voxkv. */
  get temporary(): boolean {
    return ['UpstreamBusy', 'UpstreamUnavailable', 'UpstreamTimeout'].includes(this.type);
  }
}

// The function ends after 10 s, and a cold start may take 3 s before. A caller that gives up earlier leaves an invocation
// behind that still runs: its write may come after a newer one of the same caller. The SDK's own setting is to wait without
// end, and with requestTimeout alone it only warns.
const timeouts = { connectionTimeout: 2_000, requestTimeout: 15_000, throwOnRequestTimeout: true };

export class Voxkv {
  readonly #function: string;
  #claims: Claims | undefined;

  // Reading twice does no harm. The SDK repeats what Lambda turned away and what got no answer, and no function errors:
  // to it those have succeeded.
  #reads = new LambdaClient({ maxAttempts: 3, requestHandler: timeouts });

  // A write is sent once. One that got no answer may have been done, and somebody may have written since: a repetition
  // would bring the old value back, or delete the new one. Repeat it where only you write the key.
  #writes = new LambdaClient({ maxAttempts: 1, requestHandler: timeouts });

  constructor(functionName = process.env.VOXKV_FUNCTION) {
    if (!functionName) {
      throw new Error('VOXKV_FUNCTION is not set; accepted: the name or the ARN of the voxkv function, such as voxkv:live');
    }
    this.#function = functionName;
  }

  /**
   * Returns a caller for one user: rules such as order:{sub}:* then hold as they do for the user's token. Without it they
   * hold for no one in particular, and allow the keys of all users. So undefined is refused here.
   */
  withClaims(claims: Claims): Voxkv {
    if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) {
      throw new TypeError('claims must be an object, such as {"sub":"42"}');
    }
    const user = new Voxkv(this.#function);
    [user.#reads, user.#writes, user.#claims] = [this.#reads, this.#writes, claims];
    return user;
  }

  /** Returns null where there is no item: it is missing, has expired, or is not ours to read. */
  async get(key: string): Promise<ReadItem | null> {
    const answer = await this.#invoke(this.#reads, { key });
    if (answer !== null && !isRead(answer, key)) throw unexpected('get');
    return answer;
  }

  /** Returns for each of up to 50 keys the item, null, or why it could not be read. */
  async getMany(keys: string[]): Promise<Map<string, ReadItem | null | VoxkvError>> {
    const answer = await this.#invoke(this.#reads, { keys });
    if (!isObject(answer) || !isObject(answer.items) || !isObject(answer.errors)) throw unexpected('getMany');
    const { items, errors } = answer;
    return new Map(keys.map((key) => [key, oneOf(key, items, errors)]));
  }

  /** Returns the items whose keys begin with prefix: 10 from offset 0 on by default, up to 50. */
  async list(prefix: string, page: { offset?: number; count?: number } = {}): Promise<Page> {
    const answer = await this.#invoke(this.#reads, { operation: 'list', prefix, ...page });
    if (!isObject(answer) || !Array.isArray(answer.items) || !answer.items.every(isItem) || !isTime(answer.next_offset)) {
      throw unexpected('list');
    }
    return { items: answer.items, next_offset: answer.next_offset };
  }

  /** Stores an item for up to 90 days, and returns it. */
  async set(key: string, value: string, life: Life): Promise<Item> {
    const answer = await this.#invoke(this.#writes, { operation: 'set', key, value, ...life });
    if (!isItem(answer) || answer.key !== key) throw unexpected('set');
    return answer;
  }

  /** Deletes the item, if there is one. */
  async delete(key: string): Promise<void> {
    const answer = await this.#invoke(this.#writes, { operation: 'delete', key });
    if (answer !== null) throw unexpected('delete');
  }

  async #invoke(client: LambdaClient, request: object): Promise<unknown> {
    const payload = JSON.stringify(this.#claims ? { ...request, claims: this.#claims } : request);
    const answer = await client.send(new InvokeCommand({ FunctionName: this.#function, Payload: payload }));
    let body: unknown;
    try {
      body = JSON.parse(answer.Payload?.transformToString() ?? '');
    } catch {
      throw unexpected('the invocation');
    }
    if (answer.FunctionError) throw failure(body); // a 200 to the SDK, which neither throws nor repeats it
    return body;
  }
}

function oneOf(key: string, items: Record<string, unknown>, errors: Record<string, unknown>): ReadItem | null | VoxkvError {
  if (Object.hasOwn(errors, key)) return failure(errors[key]);
  const item = Object.hasOwn(items, key) ? items[key] : undefined;
  if (item !== null && !isRead(item, key)) throw unexpected('getMany');
  return item;
}

function failure(body: unknown): VoxkvError {
  const { errorType, errorMessage } = isObject(body) ? body : {};
  return new VoxkvError(typeof errorType === 'string' ? errorType : 'Unknown', typeof errorMessage === 'string' ? errorMessage : '');
}

function unexpected(what: string): VoxkvError {
  return new VoxkvError('UnexpectedAnswer', `${what} was not answered as voxkv does; is VOXKV_FUNCTION the voxkv function?`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTime(value: unknown): value is number | null {
  return value === null || Number.isSafeInteger(value);
}

function isItem(value: unknown): value is Item {
  return isObject(value) && typeof value.key === 'string' && typeof value.value === 'string' && isTime(value.expires_at);
}

function isRead(value: unknown, key: string): value is ReadItem {
  return isItem(value) && value.key === key && 'max_age' in value && Number.isSafeInteger(value.max_age);
}

// What follows is a command to try it with, for Node 22.18 and later; leave it out of your copy.
//
//   VOXKV_FUNCTION=voxkv node voxkv.ts get order:1001

async function main(args: string[]): Promise<unknown> {
  const [command, first, ...rest] = args;
  const usage = 'accepted: get KEY, many KEY…, list PREFIX, set KEY VALUE SECONDS, delete KEY';
  if (first === undefined) throw new Error(usage);
  let voxkv = new Voxkv();
  if (process.env.VOXKV_CLAIMS) voxkv = voxkv.withClaims(JSON.parse(process.env.VOXKV_CLAIMS));
  switch (`${command} ${rest.length}`) {
    case 'get 0':
      return voxkv.get(first);
    case 'list 0':
      return voxkv.list(first);
    case 'set 2':
      return voxkv.set(first, rest[0]!, { ttl: Number(rest[1]) });
    case 'delete 0':
      return (await voxkv.delete(first)) ?? null;
  }
  if (command !== 'many') throw new Error(usage);
  const answers = await voxkv.getMany(args.slice(1));
  return Object.fromEntries([...answers].map(([key, answer]) => [key, answer instanceof VoxkvError ? answer.type : answer]));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(process.argv.slice(2)).then(
    (answer) => console.log(JSON.stringify(answer)),
    (error) => {
      console.error(error instanceof VoxkvError ? error.message : String(error));
      process.exitCode = error instanceof VoxkvError && error.temporary ? 75 : 1; // 75 says: try again later
    },
  );
}
