// Header additions and removals of routes, virtual hosts and weighted clusters, compiled once.
import type { HeaderEdits, HeaderValueEdit } from "../config/route-config.ts";
import { ConstantHeader } from "../http/header-field.ts";
import { headerIdOf, UNKNOWN } from "../http/header-id.ts";
import type { HeaderList } from "../http/header-list.ts";
import { compileText } from "../telemetry/access-log/format.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";

interface CompiledEdit {
  readonly id: number;
  readonly name: string;
  readonly lowerName: string;
  /** The header where its value is always the same, else how to make the value. */
  readonly value: ConstantHeader | ((info: StreamInfo) => string);
  readonly action: HeaderValueEdit["action"];
}

/** Edits in the order in which they are made; empty ones cost nothing. */
export class CompiledHeaderEdits {
  readonly #removals: readonly { readonly id: number; readonly lowerName: string }[];
  readonly #edits: readonly CompiledEdit[];
  readonly isEmpty: boolean;

  /** @param levels from the most specific (weighted cluster, route) to the most general (route configuration), as Envoy applies them. */
  constructor(levels: readonly HeaderEdits[]) {
    this.#removals = levels.flatMap((level) => level.remove.map((name) => ({ id: headerIdOf(name), lowerName: name.toLowerCase() })));
    this.#edits = levels.flatMap((level) =>
      level.set.map(({ name, value, action }) => ({
        id: headerIdOf(name),
        name,
        lowerName: name.toLowerCase(),
        value: value.includes("%") ? compileText(value) : new ConstantHeader(headerIdOf(name), name, value),
        action,
      })),
    );
    this.isEmpty = this.#removals.length === 0 && this.#edits.length === 0;
  }

  apply(headers: HeaderList, info: StreamInfo): void {
    for (const { id, lowerName } of this.#removals) {
      if (id === UNKNOWN) headers.removeUnknown(lowerName);
      else headers.remove(id);
    }
    for (const edit of this.#edits) {
      const { action } = edit;
      if (action === "append_if_exists_or_add") append(headers, edit, info);
      else if (action === "overwrite_if_exists_or_add") set(headers, edit, info);
      else {
        const present = edit.id === UNKNOWN ? headers.joinedUnknown(edit.lowerName) !== undefined : headers.has(edit.id);
        if (action === "add_if_absent" && !present) append(headers, edit, info);
        else if (action === "overwrite_if_exists" && present) set(headers, edit, info);
      }
    }
  }
}

function append(headers: HeaderList, { id, name, value }: CompiledEdit, info: StreamInfo): void {
  if (value instanceof ConstantHeader) headers.appendField(value.field);
  else headers.append(id, name, value(info));
}

function set(headers: HeaderList, { id, name, lowerName, value }: CompiledEdit, info: StreamInfo): void {
  if (value instanceof ConstantHeader) headers.setConstant(value);
  else if (id === UNKNOWN) headers.setUnknown(name, lowerName, value(info));
  else headers.set(id, value(info));
}
