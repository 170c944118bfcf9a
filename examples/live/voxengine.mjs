// Stand-ins for what VoxEngine gives a scenario, as far as ../voxengine/order-status.js needs it.
import assert from 'node:assert/strict';
import vm from 'node:vm';

const AppEvents = { Started: 'Application.Started' };
const CallEvents = { Connected: 'Call.Connected', Disconnected: 'Call.Disconnected', Failed: 'Call.Failed' };

/**
 * Runs a scenario up to the call that it makes. put stores an item, log takes what the scenario writes, terminate ends the
 * session. Returns emit, which has an event of the call happen: Connected, Disconnected or Failed.
 */
export function start(source, filename, { customData, put, log, terminate }) {
  const modules = [];
  let terminated = false;
  const { listen, emit } = emitter();
  const storage = storageOf(put, () => terminated);
  const globals = {
    Modules: { ApplicationStorage: 'applicationstorage' },
    require: (name) => modules.push(name),
    AppEvents,
    CallEvents,
    Logger: { write: (text) => log(String(text)) },
    // The storage is there only for those who asked for it.
    get ApplicationStorage() {
      assert(modules.includes('applicationstorage'), 'ApplicationStorage is not required');
      return storage;
    },
    VoxEngine: {
      customData: () => customData,
      addEventListener: listen,
      callPSTN: (to, from) => callOf(to, from, listen),
      terminate() {
        terminated = true;
        terminate();
      },
    },
  };
  vm.runInNewContext(source, globals, { filename });
  emit(AppEvents.Started);
  return (name) => emit(CallEvents[name]);
}

function emitter() {
  const listeners = {};
  return {
    listen(event, listener) {
      assert(typeof listener === 'function', 'a listener is a function');
      (listeners[event] ??= []).push(listener);
    },
    emit(event) {
      assert(listeners[event]?.length, `nobody listens to ${event}`);
      for (const listener of listeners[event]) listener({ name: event });
    },
  };
}

// Its limits are the documented ones.
function storageOf(put, over) {
  return {
    async put(key, value, ttl) {
      assert.match(key, /^[a-zA-Z0-9а-яА-ЯёЁ_\-:;.#+]{1,200}$/);
      assert(typeof value === 'string' && value.length <= 2000, 'a value is text of up to 2,000 characters');
      assert(Number.isInteger(ttl) && ttl >= 0 && ttl <= 7776000, 'a ttl is up to 90 days');
      await put(key, value, ttl);
      assert(!over(), 'the session has ended before the item was stored');
      return { key, value, expireAt: Math.floor(Date.now() / 1000) + ttl };
    },
  };
}

function callOf(to, from, listen) {
  assert.match(to, /^\+\d+$/);
  assert.match(from, /^\+\d+$/);
  return {
    addEventListener(event, listener) {
      assert(Object.values(CallEvents).includes(event), `no event of a call: ${event}`);
      listen(event, listener);
    },
  };
}
