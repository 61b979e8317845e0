// The payload of a SETTINGS frame, checked (RFC 9113 §6.5.2, RFC 8441 §3).
import { ErrorCode, MAX_WINDOW_BYTES, Setting, readUint32 } from "./frame.ts";

/** What a peer asks for; -1 for what the frame doesn't mention. */
export interface PeerSettings {
  headerTableBytes: number;
  /** The lowest of several in one frame: a decoder waits to be told of that, too (RFC 7541 §4.2). */
  lowestTableBytes: number;
  maxConcurrentStreams: number;
  initialWindowBytes: number;
  /** 1: extended CONNECT is taken (RFC 8441 §3). */
  connectProtocol: number;
}

export interface SettingsError {
  readonly code: number;
  readonly detail: string;
}

/** @param fromServer a server may not enable push. */
export function readSettings(bytes: Buffer, start: number, end: number, fromServer: boolean): PeerSettings | SettingsError {
  if ((end - start) % 6 !== 0) return { code: ErrorCode.frameSizeError, detail: "SETTINGS of a wrong size" };
  const settings: PeerSettings = {
    headerTableBytes: -1,
    lowestTableBytes: Infinity,
    maxConcurrentStreams: -1,
    initialWindowBytes: -1,
    connectProtocol: -1,
  };
  for (let at = start; at < end; at += 6) {
    const id = (bytes[at]! << 8) | bytes[at + 1]!;
    const value = readUint32(bytes, at + 2);
    switch (id) {
      case Setting.headerTableSize:
        settings.headerTableBytes = value;
        settings.lowestTableBytes = Math.min(settings.lowestTableBytes, value);
        break;
      case Setting.maxConcurrentStreams:
        settings.maxConcurrentStreams = value;
        break;
      case Setting.enablePush:
        if (value > 1 || (value === 1 && fromServer)) return { code: ErrorCode.protocolError, detail: "invalid ENABLE_PUSH" };
        break;
      case Setting.initialWindowSize:
        if (value > MAX_WINDOW_BYTES) return { code: ErrorCode.flowControlError, detail: "invalid INITIAL_WINDOW_SIZE" };
        settings.initialWindowBytes = value;
        break;
      case Setting.maxFrameSize:
        if (value < 16384 || value > 16777215) return { code: ErrorCode.protocolError, detail: "invalid MAX_FRAME_SIZE" };
        break;
      case Setting.enableConnectProtocol:
        if (value > 1) return { code: ErrorCode.protocolError, detail: "invalid ENABLE_CONNECT_PROTOCOL" };
        settings.connectProtocol = value;
        break;
      // §6.5.2: unknown settings are ignored.
    }
  }
  return settings;
}
