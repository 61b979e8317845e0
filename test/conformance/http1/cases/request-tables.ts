// Every table of request cases.
import type { RequestTable } from "../request-table.ts";
import { CONTENT_LENGTH, MESSAGE_BODY_LENGTH, TRANSFER_ENCODING } from "./body-framing.ts";
import { CHUNKS, EXTENSIONS, PIPELINING, TRAILERS } from "./chunked.ts";
import { CONNECT, CONNECTION, EXPECT, FIELD_SYNTAX, HOST_FIELD, TE, UPGRADE } from "./fields.ts";
import { MESSAGE_PARSING, METHODS, REQUEST_LINE, TARGET, VERSION } from "./message-format.ts";

export const REQUEST_TABLES: readonly RequestTable[] = [
  MESSAGE_PARSING,
  VERSION,
  REQUEST_LINE,
  METHODS,
  TARGET,
  FIELD_SYNTAX,
  HOST_FIELD,
  CONNECTION,
  TE,
  EXPECT,
  UPGRADE,
  CONNECT,
  CONTENT_LENGTH,
  TRANSFER_ENCODING,
  MESSAGE_BODY_LENGTH,
  CHUNKS,
  EXTENSIONS,
  TRAILERS,
  PIPELINING,
];
