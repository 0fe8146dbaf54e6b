// An SMSC on loopback: the protocol is the npm package `smpp`, what it does with a message is told over HTTP.
//
// Every PDU it took or sent is a line of JSON in LOG, in that order: the judge of what became of each message.
// On standard output it says once on which ports it listens. It ends when its standard input does. Knobs may be set on
// the command line too, each a value of JSON: node server.js --receipts_lost 0.02 --receipt_ms '[0, 500]'
'use strict';

const fs = require('fs');
const http = require('http');
const smpp = require('smpp');

const RECEIPTS_TRIES_MAX = 1000;
const BODY_MAX = 1024 * 1024;
const SAY_AGAIN_MS = 200;

// What it does with each message. A range of milliseconds is [least, most]; a share is of 1.
const knobs = {
  seed: 1,
  password: '', // '' lets everybody in
  answer_ms: [0, 0],
  answers_lost: 0, // taken, but never answered
  refuse: 0, // share that is refused
  refuse_next: 0, // how many of the next are refused
  refuse_status: smpp.ESME_RSYSERR,
  throttle_per_second: 0, // more than so many in a second are refused with ESME_RTHROTTLED; 0: no bound
  cut_every: 0, // the connection is cut instead of every so manieth answer
  cut_next: 0, // so many of the next that are accepted are cut off instead of answered: it has them, we do not know
  deaf: false, // answers nothing at all, not even enquire_link
  receipts: true,
  receipt_ms: [0, 0],
  receipts_lost: 0,
  receipts_doubled: 0,
  receipts_first: 0, // sent before the answer to the submission
  receipts_window: 100, // receipts under way to one connection
  receipt_form: 'both', // text, tlv, both
  undelivered: 0,
  ids: 'decimal', // decimal; hex_answers: hexadecimal in answers, decimal in receipts
  one_id: false, // all parts of a text have one id, and one receipt, once it has them all
  nameless_part: 0, // this part of a text is answered without an id; 0: none
  echoes_reference: true,
};

const log = process.env.LOG ? fs.openSync(process.env.LOG, 'a') : null;
let lines = [];
function note(event, said) {
  if (log === null) return;
  if (!lines.length) setImmediate(flush);
  lines.push(JSON.stringify({ at: Date.now(), event, ...said }) + '\n');
}
function flush() {
  if (log !== null && lines.length) fs.writeSync(log, lines.join(''));
  lines = [];
}

let state = knobs.seed;
function chance() { // mulberry32
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const within = ([least, most]) => least + chance() * (most - least);
const happens = (share) => share > 0 && chance() < share;
function after(milliseconds, work) {
  if (milliseconds <= 0) work();
  else setTimeout(work, milliseconds);
}

function set(said) {
  for (const name of Object.keys(said)) if (!(name in knobs)) throw new Error(`no such knob: ${name}`);
  Object.assign(knobs, said);
  if ('seed' in said) state = knobs.seed;
}
const words = process.argv.slice(2);
for (let place = 0; place < words.length; place += 2) {
  set({ [words[place].replace(/^--/, '')]: JSON.parse(words[place + 1]) });
}

const counts = {
  submits: 0, accepted: 0, refused: 0, receipts: 0, receipts_taken: 0, bound: 0, cut: 0, enquiries: 0,
  owed: 0, // receipts that will be sent and were not taken yet, parked ones included
};
const bound = new Set(); // sessions that let us send
const parked = []; // receipts and texts nobody is there to take
const texts = new Map(); // of several parts, while some are missing
let ids = 1000;
let sessions = 0;
let second = 0;
let inSecond = 0;

function textOf(pdu) {
  const said = pdu.short_message && pdu.short_message.message;
  return Buffer.isBuffer(said) ? said.toString('hex') : said;
}

function partOf(pdu) {
  const udh = pdu.short_message && pdu.short_message.udh;
  const element = udh && udh.find((one) => one[0] === 0 && one.length === 5);
  return element ? { reference: element[2], parts: element[3], part: element[4] } : null;
}

function statusFor() {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) { second = now; inSecond = 0; }
  if (knobs.throttle_per_second && ++inSecond > knobs.throttle_per_second) return smpp.ESME_RTHROTTLED;
  if (knobs.refuse_next > 0) { knobs.refuse_next -= 1; return knobs.refuse_status; }
  return happens(knobs.refuse) ? knobs.refuse_status : 0;
}

function onSubmit(session, pdu) {
  counts.submits += 1;
  const number = counts.submits;
  note('submit', {
    submit: number, session: session.number, sequence: pdu.sequence_number, from: pdu.source_addr,
    to: pdu.destination_addr, reference: pdu.user_message_reference, coding: pdu.data_coding, part: partOf(pdu),
    validity: pdu.validity_period, text: textOf(pdu),
  });
  if (knobs.cut_every && number % knobs.cut_every === 0) { cut(session); return; }
  const status = statusFor();
  if (status) {
    counts.refused += 1;
    note('refused', { submit: number, session: session.number, status });
    after(within(knobs.answer_ms), () => answer(session, pdu, number, status, ''));
    return;
  }
  counts.accepted += 1;
  const part = partOf(pdu);
  const { id, isWhole } = named(pdu, part);
  const said = part && part.part === knobs.nameless_part ? '' : idInAnswer(id);
  note('accepted', { submit: number, session: session.number, id: said });
  if (knobs.cut_next > 0) {
    knobs.cut_next -= 1;
    receipts(pdu, number, id);
    cut(session);
    return;
  }
  const answers = !happens(knobs.answers_lost);
  const first = happens(knobs.receipts_first);
  const deliver = () => { if (isWhole) receipts(pdu, number, id); };
  if (first) deliver();
  if (answers) {
    after(within(knobs.answer_ms), () => {
      answer(session, pdu, number, 0, said);
      if (!first) deliver();
    });
  } else if (!first) deliver();
}

function named(pdu, part) { // what it calls a part, and whether that is to have a receipt now
  if (!knobs.one_id || !part) return { id: ids++, isWhole: true };
  const key = `${pdu.destination_addr} ${part.reference}`;
  const text = texts.get(key) || { id: ids++, left: part.parts };
  text.left -= 1;
  if (text.left) texts.set(key, text);
  else texts.delete(key);
  return { id: text.id, isWhole: !text.left };
}

function idInAnswer(id) {
  return knobs.ids === 'hex_answers' ? id.toString(16) : String(id);
}

function answer(session, pdu, submit, status, id) {
  if (session.closed || session.gone) return;
  note('answer', { submit, session: session.number, status, id });
  session.send(pdu.response(status ? { command_status: status } : { message_id: id }));
}

function receipts(pdu, submit, id) {
  if (!knobs.receipts || happens(knobs.receipts_lost)) return;
  const times = happens(knobs.receipts_doubled) ? 2 : 1;
  const word = happens(knobs.undelivered) ? 'UNDELIV' : 'DELIVRD';
  for (let time = 0; time < times; time += 1) {
    counts.owed += 1;
    after(within(knobs.receipt_ms), () => dispatch(receiptFor(pdu, submit, id, word)));
  }
}

function receiptFor(pdu, submit, id, word) {
  const fields = {
    source_addr_ton: 1, source_addr_npi: 1, source_addr: pdu.destination_addr, destination_addr: pdu.source_addr,
    esm_class: 4,
  };
  if (knobs.receipt_form !== 'tlv') {
    fields.short_message = `id:${id} sub:001 dlvrd:${word === 'DELIVRD' ? '001' : '000'} submit date:2603020900 `
      + `done date:2603020901 stat:${word} err:000 text:`;
  }
  if (knobs.receipt_form !== 'text') {
    fields.receipted_message_id = idInAnswer(id);
    fields.message_state = word === 'DELIVRD' ? 2 : 5;
  }
  if (knobs.echoes_reference && pdu.user_message_reference !== undefined) {
    fields.user_message_reference = pdu.user_message_reference;
  }
  return { event: 'receipt', said: { submit, id: String(id), stat: word, to: pdu.destination_addr }, fields, tries: 0 };
}

function dispatch(message) { // to whichever connection has fewest under way; parked where there is none
  let best = null;
  for (const session of bound) {
    if (session.underWay.size < knobs.receipts_window && (!best || session.underWay.size < best.underWay.size)) {
      best = session;
    }
  }
  if (best) deliver(best, message);
  else parked.push(message);
}

function deliver(session, message) {
  message.tries += 1;
  session.underWay.add(message);
  if (message.event === 'receipt') counts.receipts += 1;
  note(message.event, { ...message.said, session: session.number, tries: message.tries });
  session.deliver_sm({ ...message.fields }, (said) => {
    if (!session.underWay.delete(message)) return;
    note(`${message.event}_taken`, { ...message.said, session: session.number, status: said.command_status });
    if (said.command_status === 0) {
      if (message.event === 'receipt') {
        counts.receipts_taken += 1;
        counts.owed -= 1;
      }
    } else if (message.tries < RECEIPTS_TRIES_MAX) {
      setTimeout(dispatch, SAY_AGAIN_MS, message);
    }
    unpark();
  });
}

function unpark() {
  for (let waiting = parked.length; waiting > 0 && bound.size; waiting -= 1) {
    const before = parked.length;
    dispatch(parked.shift());
    if (parked.length === before) return;
  }
}

function cut(session) {
  counts.cut += 1;
  note('cut', { session: session.number });
  leave(session);
  session.socket.destroy();
}

function leave(session) { // what it did not say it had received is said again to the next
  if (session.gone) return;
  session.gone = true;
  bound.delete(session);
  counts.bound = bound.size;
  for (const message of session.underWay) parked.push(message);
  session.underWay.clear();
  unpark();
}

const server = smpp.createServer((session) => {
  session.number = ++sessions;
  session.underWay = new Set();
  session.gone = false;
  session.socket.setNoDelay(true);
  session.on('error', (problem) => note('error', { session: session.number, problem: String(problem.message) }));
  session.on('close', () => { note('closed', { session: session.number }); leave(session); });
  session.on('bind_transceiver', (pdu) => {
    const status = knobs.password && pdu.password !== knobs.password ? smpp.ESME_RINVPASWD : 0;
    note('bind', { session: session.number, system_id: pdu.system_id, status });
    session.send(pdu.response(status ? { command_status: status } : { system_id: 'smsc' }));
    if (status) return;
    bound.add(session);
    counts.bound = bound.size;
    unpark();
  });
  session.on('submit_sm', (pdu) => { if (!knobs.deaf && !session.gone) onSubmit(session, pdu); });
  session.on('enquire_link', (pdu) => {
    counts.enquiries += 1;
    if (!knobs.deaf) session.send(pdu.response());
  });
  for (const command of ['enquire_link_resp', 'generic_nack', 'unbind_resp']) {
    session.on(command, (pdu) => note(command, { session: session.number, status: pdu.command_status }));
  }
  session.on('unbind', (pdu) => {
    note('unbind', { session: session.number });
    leave(session);
    session.send(pdu.response());
    session.close();
  });
});

const commands = {
  '/set': set,
  '/cut': () => [...bound].forEach(cut),
  '/unbind': () => [...bound].forEach((session) => session.unbind()),
  '/enquire': () => [...bound].forEach((session) => session.enquire_link()),
  '/text': ({ fields }) => {
    dispatch({ event: 'text', said: { from: fields.source_addr }, fields, tries: 0 });
  },
  '/octets': ({ hex }) => [...bound].forEach((session) => session.socket.write(Buffer.from(hex, 'hex'))),
  '/die': () => { note('die', {}); flush(); process.exit(9); },
  '/counts': () => {},
};

const control = http.createServer((request, response) => {
  const chunks = [];
  let length = 0;
  request.on('data', (chunk) => {
    length += chunk.length;
    if (length > BODY_MAX) request.destroy();
    else chunks.push(chunk);
  });
  request.on('end', () => {
    try {
      const command = commands[request.url];
      if (!command) throw new Error(`no such command: ${request.url}`);
      command(length ? JSON.parse(Buffer.concat(chunks).toString()) : {});
      flush();
      response.end(JSON.stringify({ ...counts, parked: parked.length }));
    } catch (problem) {
      response.statusCode = 400;
      response.end(JSON.stringify({ problem: String(problem.message) }));
    }
  });
});

process.stdin.resume();
process.stdin.on('end', () => { flush(); process.exit(0); });
server.listen(Number(process.env.PORT || 0), '127.0.0.1', () => {
  control.listen(0, '127.0.0.1', () => {
    process.stdout.write(JSON.stringify({ port: server.address().port, control: control.address().port }) + '\n');
  });
});
