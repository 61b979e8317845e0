// Writes DNS answers: header, the client's own question, address records, and OPT where the client sent one.
import { addressBytes } from "../../common/cidr.ts";
import { CLASS_IN, HEADER_BYTES, RecordType, ResponseCode } from "./query-message.ts";
import type { Query } from "./query-message.ts";

// Istio's: short enough that a Service that moves is found again.
const TTL_SECONDS = 30;
// What we say we can take, and the most that we send: a loopback datagram is never fragmented.
const MAX_UDP_BYTES = 4096;
const PLAIN_UDP_BYTES = 512;
const OPT_BYTES = 11;
const FIXED_RECORD_BYTES = 12;

/** How many bytes an answer over UDP may have. */
export function udpLimit(query: Pick<Query, "edns">): number {
  return query.edns === undefined ? PLAIN_UDP_BYTES : Math.min(query.edns.udpBytes, MAX_UDP_BYTES);
}

/** An answer of ours: all addresses that fit; TC says that there are more (RFC 2181 §9). */
export function writeAnswer(query: Query, code: number, addresses: readonly string[], limit: number): Buffer {
  const optBytes = query.edns === undefined ? 0 : OPT_BYTES;
  const records: Buffer[] = [];
  let size = HEADER_BYTES + query.question.length + optBytes;
  for (const address of addresses) {
    const record = addressRecord(address);
    if (size + record.length > limit) break;
    size += record.length;
    records.push(record);
  }
  const truncated = records.length < addresses.length;
  const opt = query.edns === undefined ? [] : [optRecord(code)];
  const header = answerHeader(query, { code, truncated, authoritative: true, answers: records.length, additional: opt.length });
  return Buffer.concat([header, query.question, ...records, ...opt]);
}

/** For a query that can't be read there is nothing to repeat but its id. */
export function writeFormatError(id: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x8000 | ResponseCode.formatError, 2);
  return header;
}

/** Another server's answer for this client: its id, and only the question with TC where the rest doesn't fit. */
export function relayAnswer(query: Query, answer: Buffer, limit: number): Buffer {
  if (answer.length > limit) {
    const code = answer[3]! & 15;
    return Buffer.concat([answerHeader(query, { code, truncated: true, authoritative: false, answers: 0, additional: 0 }), query.question]);
  }
  answer.writeUInt16BE(query.id, 0);
  return answer;
}

interface HeaderFields {
  readonly code: number;
  readonly truncated: boolean;
  readonly authoritative: boolean;
  readonly answers: number;
  readonly additional: number;
}

function answerHeader(query: Query, { code, truncated, authoritative, answers, additional }: HeaderFields): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(query.id, 0);
  // QR and RA always; AA, TC and RD as it is.
  const flags =
    0x8080 | (query.opcode << 11) | (authoritative ? 0x0400 : 0) | (truncated ? 0x0200 : 0) | (query.recursionDesired ? 0x0100 : 0);
  header.writeUInt16BE(flags | (code & 15), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers, 6);
  header.writeUInt16BE(additional, 10);
  return header;
}

/** An IPv4-mapped address is an A record: addressBytes gives its four bytes. */
function addressRecord(address: string): Buffer {
  const bytes = addressBytes(address) ?? new Uint8Array(4);
  const record = Buffer.alloc(FIXED_RECORD_BYTES + bytes.length);
  // The owner is the question's name, which stands behind the header (RFC 1035 §4.1.4).
  record.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  record.writeUInt16BE(bytes.length === 4 ? RecordType.A : RecordType.AAAA, 2);
  record.writeUInt16BE(CLASS_IN, 4);
  record.writeUInt32BE(TTL_SECONDS, 6);
  record.writeUInt16BE(bytes.length, 10);
  record.set(bytes, FIXED_RECORD_BYTES);
  return record;
}

function optRecord(code: number): Buffer {
  const record = Buffer.alloc(OPT_BYTES);
  record.writeUInt16BE(RecordType.OPT, 1);
  record.writeUInt16BE(MAX_UDP_BYTES, 3);
  // The upper bits of the response code (RFC 6891 §6.1.3).
  record.writeUInt8(code >> 4, 5);
  return record;
}
