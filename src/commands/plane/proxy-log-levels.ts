// The proxy's one logger under Envoy's level names, for the admin port's /logging.
import type { Logger } from "../../common/log.ts";
import type { LogLevels } from "../../proxy-runtime/admin/admin-server.ts";

// Envoy's name → pino's.
const LEVELS: Readonly<Record<string, string>> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warning: "warn",
  error: "error",
  critical: "fatal",
  off: "silent",
};

export function logLevelsOf(log: Logger): LogLevels {
  return {
    levels: () => new Map([["proxy", Object.keys(LEVELS).find((name) => LEVELS[name] === log.level) ?? log.level]]),
    set: (_logger, level) => {
      log.level = LEVELS[level] ?? log.level;
    },
  };
}
