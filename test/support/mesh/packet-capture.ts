// Reads the packets of one pod's interface with tcpdump, and puts TCP streams together again.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { eventually } from "../eventually.ts";

const ETHERNET_HEAD = 14;
const PCAP_FILE_HEAD = 24;
const PCAP_PACKET_HEAD = 16;

/** One direction of a connection, from its first byte. */
export interface TcpStream {
  readonly from: string;
  readonly to: string;
  readonly toPort: number;
  readonly fromPort: number;
  readonly bytes: Buffer;
}

interface Segment {
  readonly key: string;
  readonly from: string;
  readonly to: string;
  readonly fromPort: number;
  readonly toPort: number;
  readonly sequence: number;
  readonly payload: Buffer;
}

function hexAddress(bytes: Buffer): string {
  return bytes.length === 4 ? bytes.join(".") : (bytes.toString("hex").match(/.{4}/g) ?? []).join(":");
}

function readSegment(frame: Buffer): Segment | undefined {
  const ip = frame.subarray(ETHERNET_HEAD);
  const type = frame.readUInt16BE(12);
  let tcp: Buffer;
  let addresses: readonly [string, string];
  if (type === 0x0800 && ip[9] === 6) {
    addresses = [hexAddress(ip.subarray(12, 16)), hexAddress(ip.subarray(16, 20))];
    tcp = ip.subarray((ip[0]! & 15) * 4, ip.readUInt16BE(2));
  } else if (type === 0x86dd && ip[6] === 6) {
    addresses = [hexAddress(ip.subarray(8, 24)), hexAddress(ip.subarray(24, 40))];
    tcp = ip.subarray(40, 40 + ip.readUInt16BE(4));
  } else return undefined;
  const [fromPort, toPort] = [tcp.readUInt16BE(0), tcp.readUInt16BE(2)];
  const [from, to] = addresses;
  const payload = tcp.subarray((tcp[12]! >> 4) * 4);
  return { key: `${from} ${fromPort} ${to} ${toPort}`, from, to, fromPort, toPort, sequence: tcp.readUInt32BE(4), payload };
}

export class PacketCapture {
  readonly #child: ChildProcess;
  readonly #chunks: Buffer[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout!.on("data", (chunk: Buffer) => this.#chunks.push(chunk));
  }

  /**
   * @param sandboxPid first process of the mesh's sandbox.
   * @param namespace name of the pod's network namespace in it: `<namespace>.<pod>`.
   * @param filter tcpdump's expression.
   */
  static async start(sandboxPid: number, namespace: string, filter: string): Promise<PacketCapture> {
    const enter = ["--target", `${sandboxPid}`, "--mount", "nsenter", `--net=/run/netns/${namespace}`];
    const options = ["-i", "eth0", "-Z", "root", "-s", "0", "-U", "--immediate-mode", "-w", "-"];
    const child = spawn("nsenter", [...enter, "tcpdump", ...options, filter], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    const capture = new PacketCapture(child);
    try {
      await eventually(
        () => {
          if (!said.includes("listening on")) throw new Error(`tcpdump does not listen: ${said}`);
        },
        { withinMs: 10_000 },
      );
    } catch (error) {
      await capture.stop();
      throw error;
    }
    return capture;
  }

  /** Streams whose beginning was seen, in the order of their first packets. */
  streams(): TcpStream[] {
    const file = Buffer.concat(this.#chunks);
    const segments = new Map<string, Segment[]>();
    for (let at = PCAP_FILE_HEAD; at + PCAP_PACKET_HEAD <= file.length;) {
      const length = file.readUInt32LE(at + 8);
      const frame = file.subarray(at + PCAP_PACKET_HEAD, at + PCAP_PACKET_HEAD + length);
      at += PCAP_PACKET_HEAD + length;
      const segment = frame.length < length ? undefined : readSegment(frame);
      if (segment === undefined || segment.payload.length === 0) continue;
      const known = segments.get(segment.key);
      if (known === undefined) segments.set(segment.key, [segment]);
      else known.push(segment);
    }
    return [...segments.values()].map((parts) => {
      const { from, to, fromPort, toPort, sequence } = parts[0]!;
      // Segments may come again: each has its place by its distance from the first one.
      const placed = parts
        .map((part) => ({ at: (part.sequence - sequence) >>> 0, payload: part.payload }))
        .filter(({ at }) => at < 2 ** 31);
      const bytes = Buffer.alloc(Math.max(...placed.map(({ at, payload }) => at + payload.length)));
      for (const { at, payload } of placed) payload.copy(bytes, at);
      return { from, to, fromPort, toPort, bytes };
    });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

export interface TlsRecord {
  /** 22 handshake, 20 change cipher spec, 21 alert, 23 application data. */
  readonly type: number;
  readonly payload: Buffer;
}

/** RFC 8446 §5.1. @throws where the bytes are no TLS records. */
export function tlsRecords(bytes: Buffer): TlsRecord[] {
  const records: TlsRecord[] = [];
  for (let at = 0; at + 5 <= bytes.length;) {
    const type = bytes[at]!;
    if (type < 20 || type > 23 || bytes[at + 1] !== 3)
      throw new Error(`no TLS record at byte ${at}: ${bytes.toString("latin1", at, at + 32)}`);
    const length = bytes.readUInt16BE(at + 3);
    records.push({ type, payload: bytes.subarray(at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return records;
}

/** Version that a ServerHello chose: 0x0304 is TLS 1.3 (RFC 8446 §4.1.3, §4.2.1). */
export function chosenVersion(record: TlsRecord): number | undefined {
  const hello = record.payload;
  if (record.type !== 22 || hello[0] !== 2) return undefined;
  const sessionEnd = 39 + hello[38]!;
  for (let at = sessionEnd + 5; at + 4 <= hello.length; at += 4 + hello.readUInt16BE(at + 2)) {
    if (hello.readUInt16BE(at) === 43) return hello.readUInt16BE(at + 4);
  }
  return hello.readUInt16BE(4);
}
