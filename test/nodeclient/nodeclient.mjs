// Works on the key-value storage at VOXIMPLANT_HOST through the official client and prints
// one JSON object: for every step what came over the wire and what the client made of it.
// The client reads the credentials file named by VOXIMPLANT_CREDENTIALS.

import voximplant from '@voximplant/apiclient-nodejs';

const applicationId = Number(process.env.VOXIMPLANT_APPLICATION_ID);
const key = 'node:+1;#ё';
const other = 'node:2';

// With externalLogging the client logs each answer as it came, before decoding it.
const log = [];
console.log = (line) => log.push(line);

function received() {
  const line = log.find((line) => line.startsWith('VoximplantAPI response'));
  return line && JSON.parse(line.slice(line.indexOf('{'))).data;
}

async function step(call) {
  log.length = 0;
  try {
    const decoded = await call();
    return { received: received(), decoded };
  } catch (error) {
    return { received: received(), thrown: error.name };
  }
}

async function run({ KeyValueStorage: storage }) {
  const app = { applicationId };
  const steps = {
    set: () => storage.setKeyValueItem({ ...app, key, value: '{"a":"ё"}', ttl: 3600 }),
    setOther: () => storage.setKeyValueItem({ ...app, key: other, value: '', ttl: 3600 }),
    get: () => storage.getKeyValueItem({ ...app, key }),
    items: () => storage.getKeyValueItems({ ...app, key: 'node', count: 1 }),
    keys: () => storage.getKeyValueKeys({ ...app, offset: 1 }),
    delete: () => storage.delKeyValueItem({ ...app, key: other }),
    absent: () => storage.getKeyValueItem({ ...app, key: other }),
    nullResult: () => storage.getKeyValueItem({ ...app, key: 'null' }),
    refused: () => storage.getKeyValueItem({ applicationId: applicationId + 1, key }),
  };
  const report = {};
  for (const [name, call] of Object.entries(steps)) {
    report[name] = await step(call);
  }
  process.stdout.write(JSON.stringify(report));
}

const client = new voximplant.default({ host: process.env.VOXIMPLANT_HOST, externalLogging: true });
client.onReady = run;
