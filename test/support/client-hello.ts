// A TLS ClientHello made by hand, so that records, names and lengths can be odd.

export interface HelloOptions {
  readonly serverName: string | undefined;
  readonly alpn: readonly string[];
  /** Handshake bytes per TLS record. */
  readonly fragmentBytes?: number;
}

export function clientHello({ serverName, alpn, fragmentBytes = 16384 }: HelloOptions): Buffer {
  const extensions: Buffer[] = [];
  if (serverName !== undefined) {
    const entry = Buffer.concat([Buffer.from([0]), vector16(Buffer.from(serverName, "latin1"))]);
    extensions.push(extension(0, vector16(entry)));
  }
  extensions.push(extension(43, Buffer.from([2, 3, 4])));
  if (alpn.length > 0) {
    const names = alpn.map((each) => Buffer.concat([Buffer.from([each.length]), Buffer.from(each, "latin1")]));
    extensions.push(extension(16, vector16(Buffer.concat(names))));
  }
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    Buffer.from([0]),
    vector16(Buffer.from([0x13, 0x01])),
    Buffer.from([1, 0]),
    vector16(Buffer.concat(extensions)),
  ]);
  const message = Buffer.concat([Buffer.from([1, 0, body.length >> 8, body.length & 255]), body]);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += fragmentBytes) {
    const fragment = message.subarray(at, at + fragmentBytes);
    records.push(Buffer.from([22, 3, 1, fragment.length >> 8, fragment.length & 255]), fragment);
  }
  return Buffer.concat(records);
}

function vector16(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255]), vector16(body)]);
}
