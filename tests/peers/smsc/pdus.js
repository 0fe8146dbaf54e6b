// Prints PDUs as the npm package `smpp` writes them, each with the fields it was given: frozen in tests/vectors/smpp.
'use strict';

const { PDU } = require('smpp/lib/pdu');

const udh = Buffer.from('050003a70201', 'hex');
const long = '长'.repeat(67);
const cases = [
  ['bind_transceiver', { system_id: 'suishenban', password: 'geheim8', system_type: 'SMS', interface_version: 0x34 }],
  ['bind_transceiver_resp', { system_id: 'smsc' }],
  ['submit_sm', {
    source_addr: '10690001', dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '8613800000000',
    validity_period: '260302093000000+', registered_delivery: 1, data_coding: 8, short_message: '【随申办】你好😀',
    user_message_reference: 40961,
  }],
  ['submit_sm', {
    source_addr: '10690001', dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '8613800000000',
    validity_period: '260302093000000+', registered_delivery: 1, data_coding: 0, short_message: 'Price [5 €] {a|b} ~ñ@',
    user_message_reference: 40961,
  }],
  ['submit_sm', {
    source_addr: '10690001', dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '8613800000000', esm_class: 0x40,
    validity_period: '260302093000000+', registered_delivery: 1, data_coding: 8, short_message: { udh, message: long },
    user_message_reference: 40961,
  }],
  ['submit_sm_resp', { message_id: '1a2b3c' }],
  ['submit_sm_resp', { command_status: 0x58 }],
  ['deliver_sm', {
    source_addr_ton: 1, source_addr_npi: 1, source_addr: '8613800000000', destination_addr: '10690001', esm_class: 4,
    data_coding: 0, receipted_message_id: '1a2b3c', message_state: 2, user_message_reference: 40961,
    short_message: 'id:0001715004 sub:001 dlvrd:001 submit date:2603020900 done date:2603020901 stat:DELIVRD err:000 text:',
  }],
  ['deliver_sm', {
    source_addr: '13800000000', destination_addr: '10690001', data_coding: 8, short_message: '退订',
  }],
  ['data_sm', {
    source_addr: '13800000000', destination_addr: '10690001', data_coding: 8, message_payload: '你好',
    sar_msg_ref_num: 7, sar_total_segments: 2, sar_segment_seqnum: 1,
  }],
  ['deliver_sm_resp', { message_id: '' }],
  ['enquire_link', {}],
  ['enquire_link_resp', {}],
  ['unbind', {}],
  ['unbind_resp', {}],
  ['generic_nack', { command_status: 0x02 }],
];

const printed = cases.map(([command, fields], place) => {
  const given = { ...fields };
  if (fields.short_message && fields.short_message.udh) given.short_message = { udh: udh.toString('hex'), message: long };
  const octets = new PDU(command, { ...fields, sequence_number: place + 1 }).toBuffer();
  return { command, sequence: place + 1, fields: given, octets: octets.toString('hex') };
});
process.stdout.write(JSON.stringify(printed, null, 1) + '\n');
