// The form of HTTP/2 cases: one script each (test/support/http2/script.ts says how they read), a table for each section.
import type { Http2Config } from "../../../src/proxy-runtime/config/http2-config.ts";

export interface ScriptOptions {
  readonly config?: Partial<Http2Config>;
  /** Limits of a head. */
  readonly limits?: { readonly maxBytes: number; readonly maxHeaders: number };
  /** What the runner sends before the script: the preface and an empty SETTINGS, or less. `none`: the script says all of it. */
  readonly opening?: "whole" | "preface" | "none";
  /** The codec alone: what a running proxy adds or decides would hide what the case is about. */
  readonly isCodecOnly?: boolean;
}

export interface ScriptTable {
  /** `RFC 9113 §6.1`, and what it is about. */
  readonly section: string;
  readonly options?: ScriptOptions;
  /** By name. */
  readonly cases: Readonly<Record<string, string>>;
}

/** The script of a connection that ends with this error, after the last stream of this id. */
export function failing(frames: string, error: string, lastStreamId = 0): string {
  return `${frames}\n< GOAWAY(${lastStreamId}, ${error})\n< closed`;
}

/** What an ordinary request is answered. */
export function answered(streamId: number): string {
  return `< HEADERS(${streamId}, END_HEADERS, [:status 200])\n< DATA(${streamId}, END_STREAM, "ok")`;
}

/** What a malformed request is answered; the stream ends with it. */
export function refused(streamId: number, status = 400, body = "Bad Request"): string {
  return `< HEADERS(${streamId}, END_HEADERS, [:status ${status}])\n< DATA(${streamId}, END_STREAM, "${body}")`;
}

export function withOpening(script: string, { opening = "whole" }: ScriptOptions): string {
  if (opening === "none") return script;
  return opening === "preface" ? `> PREFACE\n${script}` : `> PREFACE\n> SETTINGS()\n${script}`;
}

/** The same for a script whose test is the server. */
export function withServerOpening(script: string, { opening = "whole" }: ScriptOptions): string {
  return opening === "whole" ? `> SETTINGS()\n${script}` : script;
}
