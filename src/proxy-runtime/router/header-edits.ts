// Header additions and removals of routes, virtual hosts and weighted clusters, compiled once.
import type { HeaderEdits, HeaderValueEdit } from "../config/route-config.ts";
import { headerIdOf, UNKNOWN } from "../http/header-id.ts";
import type { HeaderList } from "../http/header-list.ts";
import { compileText } from "../telemetry/access-log/format.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";

type Value = string | ((info: StreamInfo) => string);

interface CompiledEdit {
  readonly id: number;
  readonly name: string;
  readonly lowerName: string;
  readonly value: Value;
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
      level.set.map((edit) => ({
        id: headerIdOf(edit.name),
        name: edit.name,
        lowerName: edit.name.toLowerCase(),
        value: edit.value.includes("%") ? compileText(edit.value) : edit.value,
        action: edit.action,
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
      const value = typeof edit.value === "string" ? edit.value : edit.value(info);
      const { id, name, lowerName, action } = edit;
      if (action === "append_if_exists_or_add") headers.append(id, name, value);
      else if (action === "overwrite_if_exists_or_add") setValue(headers, edit, value);
      else {
        const present = id === UNKNOWN ? headers.joinedUnknown(lowerName) !== undefined : headers.has(id);
        if (action === "add_if_absent" && !present) headers.append(id, name, value);
        else if (action === "overwrite_if_exists" && present) setValue(headers, edit, value);
      }
    }
  }
}

function setValue(headers: HeaderList, { id, name, lowerName }: CompiledEdit, value: string): void {
  if (id === UNKNOWN) headers.setUnknown(name, lowerName, value);
  else headers.set(id, value);
}
