// The official Node client in a minimal loop of Lambda's Runtime API. Its
// credentials lie in a file beside it, which spares it Secrets Manager.

import http from 'node:http';
import { createRequire } from 'node:module';
import voximplant from '@voximplant/apiclient-nodejs';

const jwt = createRequire(import.meta.url)('jsonwebtoken');
const { sign } = jwt;
let signatures = 0; // for the benchmark
jwt.sign = (...args) => {
  signatures++;
  return sign(...args);
};

const applicationId = Number(process.env.VOXIMPLANT_APPLICATION_ID);
const root = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/`;
const agent = new http.Agent({ keepAlive: true });

function send(path, method, body) {
  return new Promise((resolve, reject) => {
    const headers = body ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) } : {};
    const request = http.request(root + path, { agent, method, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function answer(client, event) {
  const key = event.rawPath.slice('/v1/items/'.length);
  const { result } = await client.KeyValueStorage.getKeyValueItem({ applicationId, key });
  return {
    statusCode: 200,
    headers: {
      'Content-Type': 'application/json',
      'Cache-Control': 'public, max-age=60',
      'X-Signatures': String(signatures),
    },
    body: JSON.stringify({ key: result.key, value: result.value, expires_at: result.expiresAt }),
  };
}

async function run(client) {
  for (;;) {
    const next = await send('next', 'GET');
    const id = next.headers['lambda-runtime-aws-request-id'];
    try {
      await send(`${id}/response`, 'POST', JSON.stringify(await answer(client, JSON.parse(next.body))));
    } catch (error) {
      await send(`${id}/error`, 'POST', JSON.stringify({ errorType: error.name, errorMessage: String(error) }));
    }
  }
}

const client = new voximplant.default({ host: process.env.VOXIMPLANT_HOST });
client.onReady = run;
