// The log of long-running processes: JSON lines for machines, or one plain line per event for people. Goes to stderr, so
// that an access log on stdout stays what it is.
import { pino, stdTimeFunctions } from "pino";
import type { Logger as PinoLogger } from "pino";

export type Logger = PinoLogger;
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ["json", "text"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly stream: { write(text: string): unknown };
}

/** Lines are `{"level","time",…,"msg"}`; calls are pino's: `log.info({ fields }, "message")`. */
export function createLog({ level, format, stream }: LogOptions): Logger {
  const destination = format === "json" ? stream : { write: (line: string) => stream.write(toText(line)) };
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void destination.write(line) },
  );
}

function toText(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(
    ([key, value]) => ` ${key}=${typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)}`,
  );
  return `${String(time)} ${String(level).padEnd(5)} ${typeof msg === "string" ? msg : ""}${rest.join("")}\n`;
}
