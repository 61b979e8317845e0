// Every table of what a client connection does.
import type { ScriptTable } from "../script-table.ts";
import { CLIENT_CONNECTION_TABLES } from "./client-connection.ts";
import { CLIENT_MESSAGE_TABLES } from "./client-messages.ts";

export const CLIENT_TABLES: readonly ScriptTable[] = [...CLIENT_CONNECTION_TABLES, ...CLIENT_MESSAGE_TABLES];
