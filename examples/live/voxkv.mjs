// voxkv on this machine: cmd/local with its embedded storage, which can be taken down and brought back.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const rules = 'order:* max-age=2s'; // so late, about, is a change seen

export class Voxkv {
  url; // undefined before it has been up
  #command;
  #log;
  #process; // undefined while it is down
  #items = new Map(); // what Voximplant has stored: it stays there while voxkv is down
  #written = Promise.resolve();

  /** program is cmd/local, to be run in dir. Pages of origin may read. log is told of what nobody asked for. */
  constructor({ program, dir, origin, log }) {
    const env = { ...process.env, CORS_ORIGINS: origin, LOG_LEVEL: 'warn' }; // no line for each request
    this.#command = (address) => spawn(program, ['-addr', address, '-allowed-keys', rules], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#log = log;
  }

  /** Starts it, at the same URL as before. */
  async up() {
    if (this.#process) return;
    const child = this.#process = this.#command(this.url ? new URL(this.url).host : 'localhost:0');
    let said = '';
    createInterface(child.stderr).on('line', (line) => this.#log(said = line));
    child.on('error', (error) => { said = error.message; });
    child.on('close', () => {
      if (this.#process !== child) return;
      this.#process = undefined;
      if (this.url) this.#log('voxkv has ended by itself; “Bring back” on the page starts it again');
    });
    const url = await new Promise((resolve) => {
      createInterface(child.stdout).on('line', (line) => {
        const told = /^voxkv is at (http:\S+)/.exec(line);
        if (told) resolve(told[1]);
      });
      child.on('close', () => resolve());
    });
    if (!url) throw new Error(`cmd/local does not start: ${said || 'it has not said where it is'}`);
    this.url = url;
    for (const key of this.#items.keys()) this.#write(key);
    await this.#written;
  }

  async down() {
    const child = this.#process;
    this.#process = undefined;
    child?.kill('SIGKILL');
    if (child) await once(child, 'close');
  }

  /** Stores an item for ttl seconds. */
  put({ key, value, ttl }) {
    this.#items.set(key, { value, ends: Date.now() + ttl * 1000 });
    this.#write(key);
  }

  // One after the other: what is stored last must be what was put last.
  #write(key) {
    this.#written = this.#written.then(async () => {
      const { value, ends } = this.#items.get(key);
      const left = Math.max(0, ends - Date.now());
      if (!this.#process) return; // it is written when voxkv is up again
      const { ok, status } = await fetch(`${this.url}/storage/${encodeURIComponent(key)}?ttl=${left}ms`, { method: 'PUT', body: value });
      if (!ok) throw new Error(`HTTP status ${status}`);
    }).catch((error) => this.#process && this.#log(`${key} is not stored: ${error.cause?.message ?? error.message}`));
  }
}
