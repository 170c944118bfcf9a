// Serves the page, and does what its buttons ask for.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Refusal } from './calls.mjs';

const types = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' };
const inPage = (name) => fileURLToPath(new URL(`page/${name}`, import.meta.url));

/** Takes the port, so that the origin of the page is known. Until serve, everything is answered with 503. */
export async function listen(port) {
  let handle = (_, response) => response.writeHead(503, { 'Content-Type': 'text/plain', 'Retry-After': '5' }).end('This is being built. Reload it soon.');
  const server = createServer((request, response) => handle(request, response));
  server.listen(Number(port), 'localhost'); // for this machine alone
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new Error(error.code === 'EADDRINUSE' ? `port ${port} is in use; choose another with --port, such as --port 0` : `port ${port}: ${error.message}`);
  }
  return {
    origin: `http://localhost:${server.address().port}`,
    serve: (parts) => { handle = handler(parts); },
  };
}

function handler({ client, url, calls, voxkv }) {
  const files = {
    '/': inPage('index.html'), '/page.js': inPage('page.js'), '/style.css': inPage('style.css'), '/voxkv-client.min.js': client,
  };
  const config = `export const url = ${JSON.stringify(url)};\nexport const plays = ${!!calls};\n`;
  const actions = calls && {
    '/call': calls.start,
    '/customer': calls.act,
    '/voxkv': ({ up }) => (up ? voxkv.up() : voxkv.down()),
  };
  const policy = `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ${new URL(url).origin}; img-src data:; ` +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

  return async (request, response) => {
    const answer = (status, type, body) => response.writeHead(status, {
      'Content-Type': type, 'Content-Security-Policy': policy, 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff',
    }).end(body);
    const [pathname] = request.url.split('?');
    try {
      if (request.method === 'POST' && actions?.[pathname]) {
        await actions[pathname](await bodyOf(request));
        return answer(200, 'application/json', '{}');
      }
      if (request.method !== 'GET') return answer(405, 'text/plain', 'only GET');
      if (pathname === '/config.js') return answer(200, types.js, config);
      if (!files[pathname]) return answer(404, 'text/plain', 'There is no such page. The example is at /.');
      answer(200, types[files[pathname].split('.').at(-1)], await readFile(files[pathname]));
    } catch (error) {
      answer(error instanceof Refusal ? 409 : 500, 'text/plain; charset=utf-8', error.message);
    }
  };
}

// A page of another origin cannot send this type without asking first, which is refused.
async function bodyOf(request) {
  const long = Number(request.headers['content-length'] ?? Infinity) > 1000;
  if (request.headers['content-type'] !== 'application/json' || long) throw new Refusal('accepted: application/json of up to 1,000 bytes');
  return Object(await json(request).catch(() => { throw new Refusal('accepted: JSON'); }));
}
