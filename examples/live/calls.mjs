// What Voximplant does in this example: it starts scenarios, and its telephone network tells them how the call goes.
import { Worker } from 'node:worker_threads';

// What a customer does, and after how many milliseconds.
const customers = {
  answers: [[5_000, 'answer'], [12_000, 'hang-up']],
  absent: [[8_000, 'hang-up']],
  you: [[60_000, 'hang-up']], // nobody lets it ring for longer
};

// What becomes of a call, and the event that tells the scenario.
const steps = {
  ringing: { answer: ['connected', 'Connected'], 'hang-up': ['over', 'Failed'] },
  connected: { 'hang-up': ['over', 'Disconnected'] },
};

/** Something that was asked for cannot be done. The message tells what can. */
export class Refusal extends Error {}

/** Returns what starts calls with the scenario in a file. What scenarios store goes to put, what they write to log. */
export function calls({ scenario, put, log }) {
  const open = new Map(); // by order

  function step(call, action) {
    const [state, event] = steps[call?.state]?.[action] ?? [];
    if (!state) return false;
    call.state = state;
    call.session.postMessage(event);
    return true;
  }

  /** Has the customer of an order do something. */
  function act({ order, action }) {
    if (step(open.get(order), action)) return;
    throw new Refusal(open.has(order) ? 'The call is answered already.' : 'There is no call now. Press “Call the customer” first.');
  }

  /** Starts a call for an order, in place of one that there is. Returns when the scenario has called. */
  function start({ order, customer, longest = Infinity }) {
    if (!/^\d{1,10}$/.test(order) || !Object.hasOwn(customers, customer) || !(longest >= 1)) {
      throw new Refusal(`accepted: order of up to 10 digits, customer ${Object.keys(customers).join(', ')}, longest in seconds`);
    }
    open.get(order)?.session.terminate();
    const customData = JSON.stringify({ order, to: '+15550100', from: '+15550199' });
    const session = new Worker(new URL('session.mjs', import.meta.url), { workerData: { scenario, customData, longest } });
    const call = { session, state: 'ringing' };
    open.set(order, call);
    const timers = customers[customer].map(([delay, action]) => setTimeout(step, delay, call, action));
    return new Promise((resolve, reject) => {
      session.on('message', (message) => {
        if (message.put && open.get(order) === call) put(message.put);
        if (message.log) log(message.log);
        if (message.started) resolve();
      });
      session.on('error', (error) => {
        log(`the scenario has failed: ${error?.stack ?? error}`);
        reject(new Refusal(`The scenario has failed: ${error?.message ?? error}`));
      });
      session.on('exit', () => {
        timers.forEach(clearTimeout);
        if (open.get(order) === call) open.delete(order);
        reject(new Refusal('The scenario has ended the session before the call began.'));
      });
    });
  }
  return { start, act };
}
