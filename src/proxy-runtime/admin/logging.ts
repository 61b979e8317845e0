// /logging: shows the log levels, or changes one, some or all of them.
import type { LogLevels } from "./admin-server.ts";
import { text } from "./answer.ts";
import type { Answer } from "./answer.ts";

const LEVELS = ["trace", "debug", "info", "warning", "error", "critical", "off"];
const USAGE =
  "usage: /logging?<name>=<level> (change single level)\n" +
  "usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n" +
  "usage: /logging?level=<level> (change all levels)\n" +
  `levels: ${LEVELS.join(" ")} \n`;

export function logging(levels: LogLevels, query: URLSearchParams): Answer {
  const problem = change(levels, query);
  const list = `active loggers:\n${[...levels.levels()].map(([name, level]) => `  ${name}: ${level}\n`).join("")}\n`;
  if (problem !== undefined) return { ...text(`error: ${problem}\n\n${USAGE}${list}`), status: 400 };
  return text(list);
}

/** Applies all changes or, when one of them is wrong, none. */
function change(levels: LogLevels, query: URLSearchParams): string | undefined {
  const [first, ...more] = [...query];
  if (first === undefined) return undefined;
  if (more.length > 0) return "invalid number of parameters";
  const [name, value] = first;
  const changes = name === "level" ? [[undefined, value] as const] : name === "paths" ? pairs(value) : [[name, value] as const];
  const known = levels.levels();
  for (const [logger, level] of changes) {
    if (logger !== undefined && !known.has(logger)) return `unknown logger name: ${logger}`;
    if (!LEVELS.includes(level)) return `unknown logger level: ${level}`;
  }
  for (const [logger, level] of changes) levels.set(logger, level);
  return undefined;
}

function pairs(value: string): (readonly [string, string])[] {
  return value.split(",").map((pair) => {
    const at = pair.indexOf(":");
    return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
  });
}
