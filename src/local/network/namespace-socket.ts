// Reaching into a pod: a TCP connection made inside its network namespace by this process. A socket stays in the
// namespace where it was made, so this thread goes there for two system calls and comes back.
import { closeSync, openSync } from "node:fs";
import net from "node:net";
import koffi from "koffi";

const CLONE_NEWNET = 0x40000000;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const POLLOUT = 4;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const EINPROGRESS = 115;
/** On a pod's own addresses the handshake is over when connect returns, unless the listener's backlog is full. */
const CONNECT_WAIT_MS = 200;

interface SystemCalls {
  setns(fd: number, type: number): number;
  socket(family: number, type: number, protocol: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  poll(fds: Uint8Array, count: number, timeoutMs: number): number;
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array): number;
}

let systemCalls: SystemCalls | undefined;

function loadSystemCalls(): SystemCalls {
  const libc = koffi.load(null);
  return (systemCalls ??= {
    setns: libc.func("int setns(int fd, int type)"),
    socket: libc.func("int socket(int family, int type, int protocol)"),
    connect: libc.func("int connect(int fd, const uint8_t *address, uint32_t length)"),
    poll: libc.func("int poll(uint8_t *fds, unsigned long count, int timeout)"),
    getsockopt: libc.func("int getsockopt(int fd, int level, int name, uint8_t *value, uint8_t *length)"),
  } as SystemCalls);
}

/** struct sockaddr_in or sockaddr_in6; flow and scope are zero. */
function socketAddress(host: string, port: number): Uint8Array {
  if (net.isIPv4(host)) {
    const bytes = Buffer.alloc(16);
    bytes.writeUInt16LE(AF_INET, 0);
    bytes.writeUInt16BE(port, 2);
    bytes.set(host.split(".").map(Number), 4);
    return bytes;
  }
  const bytes = Buffer.alloc(28);
  bytes.writeUInt16LE(AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  const [head = "", tail = ""] = host.split("::");
  const groups = (text: string): number[] => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const [front, back] = [groups(head), groups(tail)];
  front.forEach((group, index) => bytes.writeUInt16BE(group, 8 + index * 2));
  back.forEach((group, index) => bytes.writeUInt16BE(group, 8 + (8 - back.length + index) * 2));
  return bytes;
}

function errorName(errno: number): string {
  const name = Object.entries(koffi.os.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
  return name === "ECONNREFUSED" ? "connection refused: nothing listens there" : name;
}

/** An own file descriptor, already connected; throws with the reason. */
function connectInside(calls: SystemCalls, host: string, port: number): number {
  const fd = calls.socket(net.isIPv4(host) ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error(errorName(koffi.errno()));
  const address = socketAddress(host, port);
  let errno = calls.connect(fd, address, address.length) === 0 ? 0 : koffi.errno();
  if (errno === EINPROGRESS) {
    const waiting = Buffer.alloc(8);
    waiting.writeInt32LE(fd, 0);
    waiting.writeInt16LE(POLLOUT, 4);
    const value = Buffer.alloc(4);
    if (calls.poll(waiting, 1, CONNECT_WAIT_MS) === 1) calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, Buffer.from([4, 0, 0, 0]));
    else value.writeInt32LE(koffi.os.errno["ETIMEDOUT"] ?? 110, 0);
    errno = value.readInt32LE(0);
  }
  if (errno !== 0) {
    closeSync(fd);
    throw new Error(errorName(errno));
  }
  return fd;
}

/** A network namespace held open by this process. */
export class NetworkNamespace {
  readonly #fd: number;

  /** @param path such as /run/netns/<name>. */
  constructor(path: string) {
    this.#fd = openSync(path, "r");
  }

  /**
   * Connects to an address inside, which must be one of the pod's own.
   * @throws Error with the reason, such as "connection refused".
   */
  connect(host: string, port: number): net.Socket {
    const calls = loadSystemCalls();
    const home = openSync("/proc/thread-self/ns/net", "r");
    let fd: number;
    try {
      if (calls.setns(this.#fd, CLONE_NEWNET) !== 0) throw new Error(`setns: ${errorName(koffi.errno())}`);
      try {
        fd = connectInside(calls, host, port);
      } finally {
        if (calls.setns(home, CLONE_NEWNET) !== 0) process.abort();
      }
    } finally {
      closeSync(home);
    }
    return new net.Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  }

  close(): void {
    closeSync(this.#fd);
  }
}
