#!/usr/bin/env node
// Shows a call's status live, from the scenario to the page. README.md has the rest.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { calls } from './calls.mjs';
import { listen } from './server.mjs';
import { Voxkv } from './voxkv.mjs';

const usage = `node examples/live/start.mjs [--port 8090] [--scenario FILE] [--url URL]

  --port      of the page; 0 for any that is free
  --scenario  to start at each call, in place of examples/voxengine/order-status.js
  --url       of a voxkv that you have deployed: its items are shown, and nothing is played`;

const root = fileURLToPath(new URL('../..', import.meta.url));
const say = (text) => console.log(`${new Date().toLocaleTimeString('en-GB')}  ${text}`);

function options() {
  const string = (standard) => ({ type: 'string', default: standard });
  const { values } = parseArgs({ options: {
    port: string('8090'),
    scenario: string(join(root, 'examples/voxengine/order-status.js')),
    url: string(''),
    help: { type: 'boolean' },
  } });
  if (!/^\d{1,5}$/.test(values.port) || values.port > 65535) throw new Error(`--port ${values.port}: accepted is a number from 0 to 65535`);
  if (values.url && !(URL.canParse(values.url) && /^https?:\/\/[^?#@]+$/.test(values.url))) throw new Error(`--url ${values.url}: accepted is one like https://kv.example.com`);
  if (!existsSync(values.scenario)) throw new Error(`--scenario ${values.scenario}: there is no such file`);
  return { ...values, scenario: resolve(values.scenario) };
}

// The error says what is missing, or what the program printed.
async function run(dir, name, where, ...args) {
  try {
    await promisify(execFile)(name, args, { cwd: dir, maxBuffer: 1 << 24 });
  } catch (error) {
    if (error.code === 'ENOENT') throw new Error(`${name} is missing; ${where} has it`);
    throw new Error(`${name} ${args.join(' ')}, in ${dir}, has failed:\n${error.stdout}${error.stderr}`);
  }
}

// The page imports one file, which npm makes.
async function buildClient() {
  const dir = join(root, 'client');
  const built = join(dir, 'dist/voxkv-client.min.js');
  const sources = readdirSync(join(dir, 'src')).map((name) => statSync(join(dir, 'src', name)).mtimeMs);
  if (existsSync(built) && statSync(built).mtimeMs >= Math.max(...sources)) return built;
  if (!existsSync(join(dir, 'node_modules/.package-lock.json'))) { // which npm writes last
    console.log('Fetching what builds the client, with npm …');
    await run(dir, 'npm', 'https://nodejs.org', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline');
  }
  console.log('Building the client …');
  await run(dir, 'npm', 'https://nodejs.org', 'run', 'build');
  return built;
}

async function buildVoxkv(origin) {
  const dir = mkdtempSync(join(tmpdir(), 'voxkv-live-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  const program = join(dir, process.platform === 'win32' ? 'local.exe' : 'local');
  console.log('Building voxkv, with Go; the first time takes a minute or two …');
  await run(root, 'go', 'https://go.dev/dl', 'build', '-o', program, './cmd/local');
  const voxkv = new Voxkv({ program, dir, origin, log: say });
  process.on('exit', () => voxkv.down());
  await voxkv.up();
  return voxkv;
}

async function main() {
  const { port, scenario, url, help } = options();
  if (help) return console.log(usage);
  const page = await listen(port);
  const client = await buildClient();
  if (url) {
    page.serve({ client, url });
    console.log(`\nOpen ${page.origin}/?order=2001\nIt shows what ${url} has under order:2001. CORS_ORIGINS must allow ${page.origin}.\nCtrl-C ends it.\n`);
    return;
  }
  const voxkv = await buildVoxkv(page.origin);
  const put = (item) => {
    say(`stored: ${item.key} is ${item.value}, for ${item.ttl} s`);
    voxkv.put(item);
  };
  page.serve({ client, url: voxkv.url, calls: calls({ scenario, put, log: say }), voxkv });
  console.log(`\nOpen ${page.origin} and press “Call the customer”.\nvoxkv is at ${voxkv.url}, where its storage can be made to fail.\nCtrl-C ends both.\n`);
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit());
main().catch((error) => {
  console.error(`${error.message}${error.code?.startsWith?.('ERR_PARSE_ARGS') ? `\n\n${usage}` : ''}`);
  process.exit(1);
});
