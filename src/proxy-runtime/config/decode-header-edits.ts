// HeaderValueOption lists and header names to remove → HeaderEdits.
import type { HeaderValueOption } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import { HeaderValueOption_HeaderAppendAction as Action } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import { parseFormat } from "./command-operators.ts";
import { headText } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import type { HeaderEdits, HeaderValueEdit } from "./route-config.ts";

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export const NO_EDITS: HeaderEdits = { set: [], remove: [] };

interface HeaderLists {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

/** Both directions' edits of a message that has Envoy's usual four lists. */
export function decodeHeaderEdits(
  decoding: Decoding,
  lists: HeaderLists,
  path: string,
): { requestHeaders: HeaderEdits; responseHeaders: HeaderEdits } {
  const prefix = path === "" ? "" : `${path}.`;
  return {
    requestHeaders: decodeEdits(decoding, lists.requestHeadersToAdd, lists.requestHeadersToRemove, `${prefix}request_headers_to`),
    responseHeaders: decodeEdits(decoding, lists.responseHeadersToAdd, lists.responseHeadersToRemove, `${prefix}response_headers_to`),
  };
}

function decodeEdits(decoding: Decoding, add: readonly HeaderValueOption[], remove: readonly string[], path: string): HeaderEdits {
  if (add.length === 0 && remove.length === 0) return NO_EDITS;
  const set: HeaderValueEdit[] = [];
  add.forEach((option, index) => {
    const edit = decodeEdit(decoding, option, `${path}_add[${index}]`);
    if (edit !== undefined) set.push(edit);
  });
  remove.forEach((name, index) => checkName(decoding, name, `${path}_remove[${index}]`));
  return { set, remove: remove.map((name) => name.toLowerCase()) };
}

function decodeEdit(decoding: Decoding, option: HeaderValueOption, path: string): HeaderValueEdit | undefined {
  const header = option.header;
  if (header === undefined) {
    decoding.problem(`${path}.header`, "missing");
    return undefined;
  }
  checkName(decoding, header.key, `${path}.header.key`);
  if (header.rawValue.length > 0) decoding.unsupported(`${path}.header.raw_value`, "use value");
  const format = parseFormat(header.value, "header");
  if ("error" in format) decoding.problem(`${path}.header.value`, format.error);
  else if (option.keepEmptyValue && format.parts.some((part) => part.kind === "operator")) {
    decoding.unsupported(`${path}.keep_empty_value`, "together with command operators");
  }
  // Envoy: a header whose value is empty is not added unless keep_empty_value says so.
  if (header.value === "" && !option.keepEmptyValue) return undefined;
  return { name: header.key, value: headText(decoding, header.value, `${path}.header.value`), action: actionOf(option) };
}

function actionOf(option: HeaderValueOption): HeaderValueEdit["action"] {
  if (option.append !== undefined) return option.append ? "append_if_exists_or_add" : "overwrite_if_exists_or_add";
  switch (option.appendAction) {
    case Action.ADD_IF_ABSENT:
      return "add_if_absent";
    case Action.OVERWRITE_IF_EXISTS_OR_ADD:
      return "overwrite_if_exists_or_add";
    case Action.OVERWRITE_IF_EXISTS:
      return "overwrite_if_exists";
    default:
      return "append_if_exists_or_add";
  }
}

function checkName(decoding: Decoding, name: string, path: string): void {
  if (name.startsWith(":") || name.toLowerCase() === "host")
    decoding.problem(path, `${name} may not be changed here; use host_rewrite or prefix_rewrite of the route`);
  else if (!TOKEN.test(name)) decoding.problem(path, `not a header name: ${JSON.stringify(name)}`);
}
