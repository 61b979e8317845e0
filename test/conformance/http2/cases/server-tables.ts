// Every table of what a server connection does.
import type { ScriptTable } from "../script-table.ts";
import { DEFINITION_TABLES } from "./frame-definitions.ts";
import { FLOW_TABLES } from "./flow-control.ts";
import { FRAME_TABLES } from "./frames.ts";
import { MESSAGE_TABLES } from "./messages.ts";
import { STREAM_TABLES } from "./streams.ts";

export const SERVER_TABLES: readonly ScriptTable[] = [
  ...FRAME_TABLES,
  ...STREAM_TABLES,
  ...DEFINITION_TABLES,
  ...FLOW_TABLES,
  ...MESSAGE_TABLES,
];
