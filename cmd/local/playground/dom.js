// What all parts of the page use.
export const $ = (id) => document.getElementById(id);

// say changes a text only if it is another one: screen readers read each change out.
export function say(id, text, className = '') {
  if ($(id).textContent !== text) $(id).textContent = text;
  $(id).className = className;
}

export function element(name, text = '', className = '') {
  return Object.assign(document.createElement(name), { textContent: text, className });
}

export function parse(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

// Two clocks, and the one that went further counts: performance.now() may stand still while a computer sleeps, and
// Date.now() goes back when somebody sets it. Only differences are used, so that a wrong clock does no harm.
export function stopwatch() {
  const [steady, wall] = [performance.now(), Date.now()];
  return () => Math.max(performance.now() - steady, Date.now() - wall);
}

// clock writes a time that is left.
export function clock(ms) {
  const s = Math.ceil(ms / 1000);
  const two = (n) => String(Math.floor(n)).padStart(2, '0');
  if (s >= 86400) return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
  return `${s >= 3600 ? `${Math.floor(s / 3600)}:` : ''}${two(s % 3600 / 60)}:${two(s % 60)}`;
}

export const timeOfDay = (ms) => new Date(ms).toLocaleTimeString('en-GB');

// log adds a line to the list of requests.
export function log(what, status, by, ms, bad = false) {
  const line = element('li');
  line.append(element('time', timeOfDay(Date.now())), element('code', what), element('span', status, bad ? 'bad' : ''),
    element('span', by, 'by'), element('span', `${ms.toFixed(0)} ms`, 'by'));
  $('log').prepend(line);
  $('log').children[20]?.remove();
  $('no-requests').hidden = true;
}
